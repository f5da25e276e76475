//! The page, and the report on a training file that it shows.

use anyhow::{Context as _, Result};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{MODEL, Service, refusal, rows};

/// A file of the page, asked for as a browser does: without a key.
async fn fetch(service: &Service, path: &str) -> Result<Response> {
    let url = service.url("/").replace("/v1/", path);
    Ok(service.http.get(url).send().await?.error_for_status()?)
}

#[tokio::test]
async fn the_page_needs_no_token_and_has_strict_headers() -> Result<()> {
    let service = Service::start().await?;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/base.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ] {
        let answer = fetch(&service, path).await?;
        let header = |name: &str| answer.headers()[name].to_str().unwrap_or_default().to_owned();
        assert_eq!(header("content-type"), kind, "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-cache");
        let policy = header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|found| found == rule), "{rule} in {policy}");
        }
    }
    let text = fetch(&service, "/").await?.text().await?;
    assert!(text.contains("For research only, not for clinical use."));
    Ok(())
}

#[tokio::test]
async fn a_file_of_the_page_that_is_known_is_not_sent_again() -> Result<()> {
    let service = Service::start().await?;
    let tag = fetch(&service, "/page/app.js").await?.headers()["etag"].clone();
    let url = service.url("/").replace("/v1/", "/page/app.js");
    let ask = |tag| service.http.get(&url).header("if-none-match", tag).send();
    let known = ask(tag).await?;
    assert_eq!(known.status(), 304);
    assert_eq!(known.text().await?, "");
    assert_eq!(ask("\"other\"".parse()?).await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn what_is_no_file_of_the_page_is_unknown() -> Result<()> {
    let service = Service::start().await?;
    for path in ["/page/", "/page/..%2Fsrc%2Fpage.rs", "/page/nothing.js", "/page/a/b"] {
        let url = service.url("/").replace("/v1/", path);
        let refused = refusal(service.http.get(url).send().await?).await?;
        assert!(
            refused.starts_with("404 invalid_request_error - unknown_url"),
            "{path}: {refused}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_page_of_another_name_is_refused_without_a_token() -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = server::Server::open(crate::support::options(data.path()))?;
    let request = axum_request("evil.example")?;
    let answer = tower::ServiceExt::oneshot(server.router(), request).await?;
    assert_eq!(answer.status(), 403);
    Ok(())
}

fn axum_request(host: &str) -> Result<axum::http::Request<axum::body::Body>> {
    Ok(axum::http::Request::builder()
        .uri("/")
        .header("host", host)
        .body(axum::body::Body::empty())?)
}

#[tokio::test]
async fn a_training_file_is_reported_on_with_its_tokens_by_half() -> Result<()> {
    let service = Service::start().await?;
    let row = json!({"messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "## Thinking\n\nWhy and why.\n\n## Final Response\n\nThat."},
    ]});
    let file = service.upload(format!("{row}\n{row}\n{}", rows(1))).await?;
    let report = service.get(&format!("/files/{file}/report")).await?;
    assert_eq!(report["examples"], 3);
    assert_eq!(report["system_prompts"], json!([{"text": "s", "examples": 2}]));
    assert_eq!(report["answers"], json!({"headed": 2, "think": 0, "plain": 1}));
    assert_eq!(report["tokens"], Value::Null);

    let report = service.get(&format!("/files/{file}/report?model={MODEL}")).await?;
    let tokens = &report["tokens"];
    assert_eq!((&tokens["model"], &tokens["cut"]), (&json!(MODEL), &json!(0)));
    for (part, text) in
        [("reasoning", "Why and why."), ("response", "That."), ("question", "What is it?")]
    {
        let count = service.post("/tokenize", &json!({"prompt": text})).await?["count"].clone();
        let bins = tokens["parts"][part]["bins"]["counts"].as_array().context("no bins")?;
        assert_eq!(tokens["parts"][part]["median"], count, "{part}");
        assert_eq!(bins.iter().filter_map(Value::as_u64).sum::<u64>(), 3, "{part}");
    }
    let total = |part: &str| tokens["parts"][part]["total"].as_u64().context("no total");
    assert!(total("whole")? > total("question")? + total("reasoning")? + total("response")?);
    Ok(())
}

#[tokio::test]
async fn a_report_is_refused_where_it_cannot_be_made() -> Result<()> {
    let service = Service::start().await?;
    let file = service.upload("{\"messages\": []}\n").await?;
    let good = service.upload(rows(2)).await?;
    let mut refusals = Vec::new();
    for path in [
        format!("/files/{file}/report"),
        format!("/files/{good}/report?model=gpt-x"),
        format!("/files/{good}/report?what=1"),
        "/files/file-x/report".to_owned(),
    ] {
        refusals.push(service.refusal(Method::GET, &path, Value::Null).await?);
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    400 invalid_request_error - invalid_file: This file cannot be reported on. Line 1: `messages` is empty
    404 invalid_request_error model model_not_found: The model 'gpt-x' does not exist
    400 invalid_request_error what unknown_parameter: Unknown query parameter: 'what'
    404 invalid_request_error id -: No such File object: file-x
    ");
    let url = service.url(&format!("/files/{good}/report"));
    assert_eq!(service.http.get(url).send().await?.status(), 401);
    Ok(())
}
