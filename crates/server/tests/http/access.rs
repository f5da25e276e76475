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

#[tokio::test]
async fn pages_of_an_allowed_origin_may_ask_and_read_the_answer() -> Result<()> {
    const PAGE: &str = "https://page.example";
    let service =
        Service::start_with(|options| options.allowed_origins = vec![PAGE.to_owned()]).await?;
    let ask = |method: Method, origin: &str| {
        service.request(method, "/models").header("origin", origin.to_owned())
    };
    let answer = ask(Method::GET, PAGE).send().await?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], PAGE);
    let preflight = service
        .http
        .request(Method::OPTIONS, service.url("/chat/completions"))
        .header("origin", PAGE)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await?;
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-headers"], "authorization,content-type");
    let other = ask(Method::GET, "https://evil.example").send().await?;
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    assert!(refusal(other).await?.starts_with("403 "));
    Ok(())
}

/// Sends `text` and nothing more; returns what comes back until the server hangs up.
async fn say(service: &Service, text: String) -> Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let url = reqwest::Url::parse(service.embedded.base_url())?;
    let address = (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or_default());
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn slow_and_malformed_clients_are_hung_up_on() -> Result<()> {
    let service = Service::start_with(|options| {
        options.limits.head_seconds = 1;
        options.limits.body_seconds = 1;
        options.limits.connections = 4;
    })
    .await?;
    let key = service.embedded.token().expose();
    let head = |path: &str, kind: &str| {
        format!(
            "POST /v1{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
             content-type: {kind}\r\ncontent-length: 5000\r\nconnection: close\r\n\r\n"
        )
    };
    let form = "multipart/form-data; boundary=x";
    let part = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc";
    // Five of them at four places: those who were hung up on make room.
    let (silent, halfway, slow_json, slow_form, garbage) = tokio::join!(
        say(&service, String::new()),
        say(&service, "GET /v1/models HTTP/1.1\r\nhost: loc".to_owned()),
        say(&service, head("/chat/completions", "application/json") + "{\"model\":"),
        say(&service, head("/files", form) + part),
        say(&service, "\x16\x03\x01 no http at all\r\n\r\n".to_owned()),
    );
    for quiet in [silent?, halfway?] {
        assert!(quiet.is_empty() || quiet.starts_with("HTTP/1.1 408"), "{quiet}");
    }
    for slow in [slow_json?, slow_form?] {
        assert!(slow.starts_with("HTTP/1.1 408 ") && slow.contains("request_timeout"), "{slow}");
    }
    assert!(garbage?.starts_with("HTTP/1.1 400 "));
    assert_eq!(service.get("/files").await?["data"], json!([]));
    assert_eq!(std::fs::read_dir(service.data.path().join("tmp"))?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn one_who_does_not_read_the_answer_is_hung_up_on() -> Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let service = Service::start_with(|options| {
        options.limits.write_seconds = 1;
        options.limits.connections = 2;
    })
    .await?;
    // More than what lies in the buffers between the two.
    let file = service.upload(vec![b'x'; 16 * 1024 * 1024]).await?;
    let url = reqwest::Url::parse(service.embedded.base_url())?;
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let address = format!("127.0.0.1:{}", url.port().unwrap_or_default());
    let mut deaf = socket.connect(address.parse()?).await?;
    let key = service.embedded.token().expose();
    let request = format!(
        "GET /v1/files/{file}/content HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    deaf.write_all(request.as_bytes()).await?;
    // It holds one of two places, the client of this test the other: a third gets one only when the first goes.
    let third =
        say(&service, "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into());
    assert!(third.await?.starts_with("HTTP/1.1 200"));
    let mut got = Vec::new();
    // What lay in the buffers may still come, or nothing but the end.
    let _ = deaf.read_to_end(&mut got).await;
    assert!(got.len() < 16 * 1024 * 1024, "all of it came");
    Ok(())
}

#[tokio::test]
async fn metrics_count_without_naming_anybody() -> Result<()> {
    let service = Service::start().await?;
    let file = service.upload(crate::support::rows(10)).await?;
    let wanted = json!({"model": crate::support::MODEL, "training_file": file, "hyperparameters": {"n_epochs": 1, "batch_size": 5}});
    let job = text(&service.post("/fine_tuning/jobs", &wanted).await?, "id")?;
    service.ended(&job).await?;
    service.refusal(Method::GET, "/files/Jane-Roe", Value::Null).await?;
    let chat = json!({
        "model": crate::support::MODEL, "max_tokens": 5, "n": 2, "temperature": 0,
        "messages": [{"role": "user", "content": "Is Jane Roe ill?"}],
    });
    let prompt = service.post("/chat/completions", &chat).await?["usage"]["prompt_tokens"].take();
    let url = service.url("/").replace("/v1/", "/metrics");
    assert_eq!(service.http.get(&url).send().await?.status(), 401);
    let key = service.embedded.token().expose();
    let answer = service.http.get(&url).bearer_auth(key).send().await?;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await?;
    for line in [
        "medtune_training_steps_total 2",
        "medtune_jobs{status=\"succeeded\"} 1",
        "medtune_answer_tokens_total 10",
        &format!("medtune_answer_prompt_tokens_total {prompt}"),
        "medtune_answers_total{finish=\"length\"} 2",
        "medtune_answers_total{finish=\"broken_off\"} 0",
        "medtune_answer_first_token_seconds_count 1",
        "medtune_answers_refused_total 0",
        "medtune_answers_waiting 0",
        "medtune_files 2",
        "medtune_models 2",
        "medtune_http_request_duration_seconds_count{method=\"GET\",path=\"/v1/files/{id}\",status=\"404\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    for secret in ["Jane", &file, &job, "number"] {
        assert!(!text.contains(secret), "{secret}");
    }
    Ok(())
}
