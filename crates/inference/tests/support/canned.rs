// For the examples in the documentation: a client of a service in this process that answers each question with the next
// of `texts`, whole or streamed as it is asked to. It does not know the model `ft:gone`.
async fn canned<const N: usize>(
    texts: [&'static str; N],
) -> Result<transport::Client, Box<dyn std::error::Error>> {
    let left = std::sync::Arc::new(std::sync::Mutex::new(texts.into_iter()));
    let answer = move |axum::Json(asked): axum::Json<serde_json::Value>| async move {
        if asked["model"] == "ft:gone" {
            let error = serde_json::json!({"error": {"message": "no such model", "code": "model_not_found"}});
            return (axum::http::StatusCode::NOT_FOUND, [("content-type", "application/json")], error.to_string());
        }
        let text = left.lock().expect("no holder of this lock panics").next().unwrap_or_default();
        let stream = asked["stream"] == true;
        let says = if stream { "delta" } else { "message" };
        let choice = serde_json::json!({"index": 0, says: {"role": "assistant", "content": text}, "finish_reason": "stop"});
        let body = serde_json::json!({"model": asked["model"], "choices": [choice],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}});
        let (content_type, body) = if stream {
            ("text/event-stream", format!("data: {body}\n\ndata: [DONE]\n\n"))
        } else {
            ("application/json", body.to_string())
        };
        (axum::http::StatusCode::OK, [("content-type", content_type)], body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    let routes = axum::Router::new().route("/v1/chat/completions", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let endpoint = transport::Endpoint::new(transport::Provider::OpenAi, &base_url, None)?;
    Ok(transport::Client::new(endpoint, transport::Settings::default())?)
}
