//! Who may ask, and how strangers' requests are answered.

use crate::support::{Service, refusal, text};
use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_token_is_demanded_where_there_is_one() -> Result<()> {
    let service = Service::start().await?;
    for key in [None, Some("wrong"), Some("")] {
        let request = service.http.get(service.url("/models"));
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let refused = refusal(request.send().await?).await?;
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused, @"401 invalid_request_error - invalid_api_key: Incorrect API key provided: this server wants the token it was started with");
        }
    }
    let health = service.url("/").replace("/v1/", "/health");
    assert_eq!(service.http.get(health).send().await?.json::<Value>().await?["status"], "ok");
    Ok(())
}

#[tokio::test]
async fn other_sites_pages_are_refused_even_with_the_token() -> Result<()> {
    let service = Service::start().await?;
    let request = service.request(Method::GET, "/models").header("origin", "https://evil.example");
    assert!(refusal(request.send().await?).await?.starts_with("403 "));
    Ok(())
}

#[tokio::test]
async fn unknown_paths_methods_and_bodies_have_the_same_shape() -> Result<()> {
    let service = Service::start().await?;
    let mut refusals = Vec::new();
    for (method, path, body) in [
        (Method::GET, "/nothing", Value::Null),
        (Method::PATCH, "/files", Value::Null),
        (Method::GET, "/fine_tuning/jobs/ftjob-x", Value::Null),
        (Method::POST, "/fine_tuning/jobs/ftjob-x/cancel", Value::Null),
        (Method::GET, "/fine_tuning/jobs/ftjob-x/events", Value::Null),
        (Method::GET, "/fine_tuning/jobs/ftjob-x/checkpoints", Value::Null),
        (Method::GET, "/models/gpt-x", Value::Null),
        (Method::DELETE, "/models/gpt-x", Value::Null),
        (Method::DELETE, "/models/tiny-llama", Value::Null),
        (Method::GET, "/files/file-x/content", Value::Null),
        (Method::DELETE, "/files/file-x", Value::Null),
        (
            Method::POST,
            "/chat/completions",
            json!({"model": "gpt-x", "messages": [{"role": "user", "content": "q"}]}),
        ),
        (Method::POST, "/chat/completions", json!({"model": 3})),
    ] {
        refusals.push(service.refusal(method, path, body).await?);
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    404 invalid_request_error - unknown_url: Unknown request URL
    405 invalid_request_error - method_not_supported: This method is not allowed at this URL
    404 invalid_request_error fine_tuning_job_id fine_tune_not_found: Could not find fine tune: ftjob-x
    404 invalid_request_error fine_tuning_job_id fine_tune_not_found: Could not find fine tune: ftjob-x
    404 invalid_request_error fine_tuning_job_id fine_tune_not_found: Could not find fine tune: ftjob-x
    404 invalid_request_error fine_tuning_job_id fine_tune_not_found: Could not find fine tune: ftjob-x
    404 invalid_request_error model model_not_found: The model 'gpt-x' does not exist
    404 invalid_request_error model model_not_found: The model 'gpt-x' does not exist
    403 invalid_request_error model -: A base model cannot be deleted
    404 invalid_request_error id -: No such File object: file-x
    404 invalid_request_error id -: No such File object: file-x
    404 invalid_request_error model model_not_found: The model 'gpt-x' does not exist
    400 invalid_request_error - -: We could not parse the JSON body of your request: invalid type: integer `3`, expected a string at line 1 column 10
    ");
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused() -> Result<()> {
    let service = Service::start_with(|options| options.limits.body_bytes = 1000).await?;
    let post = |body: String| {
        let request = service.request(Method::POST, "/chat/completions");
        request.header("content-type", "application/json").body(body).send()
    };
    let large = refusal(post("x".repeat(1001)).await?).await?;
    assert!(large.starts_with("413 invalid_request_error - request_too_large"), "{large}");
    let broken = refusal(post("{".to_owned()).await?).await?;
    assert!(broken.starts_with("400 invalid_request_error - -: We could not parse"), "{broken}");
    let plain = service.request(Method::POST, "/chat/completions").body("{}").send().await?;
    assert!(refusal(plain).await?.starts_with("400 "));
    Ok(())
}

#[tokio::test]
async fn base_models_are_listed_without_a_shutdown_date() -> Result<()> {
    let service = Service::start().await?;
    let list = service.get("/models").await?;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    let model = service.get("/models/tiny-llama").await?;
    assert_eq!(list["data"][0], model);
    assert_eq!(
        (text(&model, "object")?.as_str(), &model["shutdown_date"]),
        ("model", &Value::Null)
    );
    assert!(model.as_object().is_some_and(|model| model.contains_key("shutdown_date")));
    Ok(())
}
