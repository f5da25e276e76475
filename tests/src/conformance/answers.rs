//! Chat completions.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::service::{Fault, Service, shape};

async fn question(service: &Service, change: Value) -> Result<Value, Fault> {
    let mut request = json!({
        "model": service.model().await?,
        "messages": [{"role": "user", "content": "What is the number behind 3?"}],
        "max_tokens": 8,
        "temperature": 0,
        "seed": 5,
    });
    if let (Value::Object(request), Value::Object(change)) = (&mut request, change) {
        request.extend(change);
    }
    Ok(request)
}

pub(super) async fn whole(service: &Service) -> Result<(), Fault> {
    let answer = service.post("/chat/completions", &question(service, json!({})).await?).await?;
    shape(
        &answer,
        &[("id", "string"), ("created", "integer"), ("model", "string"), ("choices", "array")],
    )?;
    ensure!(answer["object"] == "chat.completion", "{answer}");
    let choice = &answer["choices"][0];
    ensure!(choice["index"] == 0 && choice["message"]["role"] == "assistant", "{answer}");
    ensure!(choice["message"]["content"].is_string(), "{answer}");
    ensure!(["stop", "length"].iter().any(|end| choice["finish_reason"] == *end), "{answer}");
    let count = |name: &str| answer["usage"][name].as_u64().with_context(|| format!("no {name}"));
    let sum = count("prompt_tokens")? + count("completion_tokens")?;
    ensure!(sum == count("total_tokens")? && count("completion_tokens")? <= 8, "{answer}");
    Ok(())
}

pub(super) async fn stream(service: &Service) -> Result<(), Fault> {
    let whole = service.post("/chat/completions", &question(service, json!({})).await?).await?;
    let change = json!({"stream": true, "stream_options": {"include_usage": true}});
    let request = question(service, change).await?;
    let sent =
        service.send(service.request(Method::POST, "/chat/completions").json(&request)).await?;
    ensure!(sent.content_type.starts_with("text/event-stream"), "{}", sent.content_type);
    let body = String::from_utf8(sent.body)?;
    let lines: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (last, chunks) = lines.split_last().context("an empty stream")?;
    ensure!(*last == "[DONE]", "the stream ends with {last}");
    let chunks = chunks.iter().map(|chunk| serde_json::from_str(chunk));
    let chunks: Vec<Value> = chunks.collect::<Result<_, _>>()?;
    ensure!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    ensure!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]), "chunks of several ids");
    let said: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    ensure!(whole["choices"][0]["message"]["content"] == *said, "the stream says {said:?}");
    let usage = &chunks.last().context("no chunk")?["usage"];
    let same = |name: &str| usage[name] == whole["usage"][name];
    ensure!(same("prompt_tokens") && same("completion_tokens"), "{usage}");
    Ok(())
}

pub(super) async fn parameters(service: &Service) -> Result<(), Fault> {
    for (change, param) in [
        (json!({"temperature": 2.5}), "temperature"),
        (json!({"top_p": -1}), "top_p"),
        (json!({"messages": []}), "messages"),
        (json!({"stream_options": {"include_usage": true}}), "stream_options"),
    ] {
        let request = question(service, change).await?;
        let answer = service.try_post("/chat/completions", &request).await?;
        answer.refused(&[400], Some(param)).with_context(|| param.to_owned())?;
    }
    let request = question(service, json!({"model": "no-such-model"})).await?;
    let answer = service.try_post("/chat/completions", &request).await?.refused(&[404], None)?;
    ensure!(answer["code"] == "model_not_found", "{answer}");
    Ok(())
}
