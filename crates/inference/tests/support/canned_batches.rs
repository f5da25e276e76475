// For the examples in the documentation: a client of a service in this process that answers every question of a batch
// with `text`, as soon as the batch is made.
async fn canned_batches(text: &'static str) -> Result<transport::Client, Box<dyn std::error::Error>> {
    use axum::routing::{get, post};
    use serde_json::{Value, json};

    let answers = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let written = std::sync::Arc::clone(&answers);
    let upload = move |form: String| async move {
        // Of the parts of the form, the requests are the lines that are JSON.
        let requests = form.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = requests.filter(Value::is_object).map(|request| {
            let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
            let usage = json!({"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12});
            let body = json!({"model": request["body"]["model"], "choices": [choice], "usage": usage});
            let response = json!({"status_code": 200, "request_id": "req_1", "body": body});
            format!("{}\n", json!({"custom_id": request["custom_id"], "response": response, "error": null}))
        });
        *answers.lock().expect("no holder of this lock panics") = lines.collect();
        axum::Json(json!({"id": "file-in", "status": "processed"}))
    };
    let batch = || async {
        axum::Json(json!({"id": "batch_1", "input_file_id": "file-in", "output_file_id": "file-out", "status": "completed"}))
    };
    let content = move || async move { written.lock().expect("no holder of this lock panics").clone() };
    let routes = axum::Router::new()
        .route("/v1/files", post(upload))
        .route("/v1/files/file-out/content", get(content))
        .route("/v1/batches", post(batch))
        .route("/v1/batches/batch_1", get(batch));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let endpoint = transport::Endpoint::new(transport::Provider::OpenAi, &base_url, None)?;
    Ok(transport::Client::new(endpoint, transport::Settings::default())?)
}
