//! Chat completions over real HTTP, generated for real by the tiny model.

use std::time::Duration;

use crate::support::{MODEL, PATIENCE, Service, refusal, row, text};
use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

fn question(change: Value) -> Value {
    let mut request = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": "number 3?"}],
        "max_tokens": 12,
        "seed": 5,
    });
    if let (Value::Object(request), Value::Object(change)) = (&mut request, change) {
        request.extend(change);
    }
    request
}

/// The `data:` lines of a stream.
async fn stream(service: &Service, request: &Value) -> Result<Vec<String>> {
    let sent = service.request(Method::POST, "/chat/completions").json(request).send().await?;
    assert_eq!(sent.headers()["content-type"], "text/event-stream");
    let body = sent.text().await?;
    Ok(body.lines().filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).collect())
}

#[tokio::test]
async fn an_answer_has_the_full_shape_and_the_seed_decides_it() -> Result<()> {
    let service = Service::start().await?;
    let path = "/chat/completions";
    let mut first = service.post(path, &question(json!({}))).await?;
    let second = service.post(path, &question(json!({}))).await?;
    assert_eq!(first["choices"], second["choices"]);
    let other = service.post(path, &question(json!({"seed": 6}))).await?;
    assert_ne!(first["choices"], other["choices"]);
    assert!(text(&first, "id")?.starts_with("chatcmpl-"));
    let usage = first["usage"].clone();
    assert_eq!(usage["completion_tokens"], 12);
    assert_eq!(
        usage["total_tokens"].as_u64(),
        usage["prompt_tokens"].as_u64().map(|prompt| prompt + 12)
    );
    for (name, value) in [("id", "ID"), ("created", "NOW")] {
        first[name] = json!(value);
    }
    first["usage"] = json!("USAGE");
    first["choices"][0]["message"]["content"] = json!("TEXT");
    insta::assert_snapshot!(first, @r#"{"id":"ID","object":"chat.completion","created":"NOW","model":"tiny-llama","choices":[{"index":0,"message":{"role":"assistant","content":"TEXT","refusal":null,"annotations":[]},"finish_reason":"length","logprobs":null}],"usage":"USAGE","service_tier":"default","system_fingerprint":"fp_5eed5eed5e"}"#);
    Ok(())
}

#[tokio::test]
async fn a_stream_gives_the_same_answer_in_pieces() -> Result<()> {
    let service = Service::start().await?;
    let whole = service.post("/chat/completions", &question(json!({}))).await?;
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let mut lines = stream(&service, &question(options)).await?;
    assert_eq!(lines.pop().as_deref(), Some("[DONE]"));
    let chunks: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
    let (usage, chunks) = chunks.split_last().context("no chunk")?;
    assert_eq!((&usage["usage"], &usage["choices"]), (&whole["usage"], &json!([])));
    assert!(chunks.iter().all(|chunk| chunk["usage"].is_null() && chunk["id"] == usage["id"]));
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let (last, pieces) = chunks.split_last().context("no chunk")?;
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert_eq!(last["choices"][0]["finish_reason"], "length");
    let joined: String = pieces
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(whole["choices"][0]["message"]["content"], json!(joined));
    let plain = stream(&service, &question(json!({"stream": true}))).await?;
    assert!(plain.iter().all(|line| !line.contains("usage")));
    Ok(())
}

#[tokio::test]
async fn a_tuned_model_answers_what_it_was_taught_also_after_a_restart() -> Result<()> {
    let service = Service::start().await?;
    let file = service.upload(row("number 3?", "yes!").repeat(16)).await?;
    let job = json!({
        "model": MODEL,
        "training_file": file,
        "seed": 1,
        "hyperparameters": {"n_epochs": 20, "batch_size": 4, "learning_rate_multiplier": 10},
    });
    let job = service.post("/fine_tuning/jobs", &job).await?;
    let job = service.ended(&text(&job, "id")?).await?;
    let model = text(&job, "fine_tuned_model")?;
    // The tiny model's embedding of its end token is zero, so that it can never choose it: the limit ends its answer.
    let ask = question(json!({"model": model, "temperature": 0, "max_tokens": 4}));
    let answer = service.post("/chat/completions", &ask).await?;
    assert_eq!(answer["choices"][0]["message"]["content"], "yes!", "{answer}");
    let base = question(json!({"temperature": 0, "max_tokens": 4}));
    let base = service.post("/chat/completions", &base).await?;
    assert_ne!(base["choices"][0]["message"]["content"], "yes!");
    let service = service.restart(|_| {}).await?;
    let again = service.post("/chat/completions", &ask).await?;
    assert_eq!(answer["choices"], again["choices"]);
    let service = service.restart(|options| options.base_models[0].sha256 = "0".repeat(64)).await?;
    let refused = service.refusal(Method::POST, "/chat/completions", ask).await?;
    assert!(refused.starts_with("404 invalid_request_error model model_not_found"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn stop_texts_and_limits_are_honoured() -> Result<()> {
    let service = Service::start().await?;
    let path = "/chat/completions";
    let whole = service.post(path, &question(json!({}))).await?;
    let whole = text(&whole["choices"][0]["message"], "content")?;
    let stop = whole.chars().nth(2).context("too short")?.to_string();
    let cut = service.post(path, &question(json!({"stop": [stop]}))).await?;
    assert_eq!(
        cut["choices"][0]["message"]["content"],
        whole.split(&stop).next().unwrap_or_default()
    );
    assert_eq!(cut["choices"][0]["finish_reason"], "stop");
    let long = json!([{"role": "user", "content": "word ".repeat(100_000)}]);
    let refused = service.refusal(Method::POST, path, question(json!({"messages": long}))).await?;
    assert!(
        refused.starts_with("400 invalid_request_error messages context_length_exceeded"),
        "{refused}"
    );
    let tools = service
        .refusal(Method::POST, path, question(json!({"tools": [{"type": "function"}]})))
        .await?;
    assert!(tools.starts_with("400 invalid_request_error tools unsupported_parameter"), "{tools}");
    Ok(())
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back_and_a_hang_up_makes_room() -> Result<()> {
    let service = Service::start_with(|options| {
        options.limits.answers_at_once = 1;
        options.limits.answers_waiting = 0;
    })
    .await?;
    // Many prompts, one after the other: whoever is slow to ask next still finds them under way.
    let prompts = vec!["number 3?"; 2048];
    let long = json!({"model": MODEL, "prompt": prompts, "stream": true, "max_tokens": 100});
    let mut held = service.request(Method::POST, "/completions").json(&long).send().await?;
    ensure!(held.chunk().await?.is_some(), "no first chunk");
    let second = service
        .request(Method::POST, "/chat/completions")
        .json(&question(json!({})))
        .send()
        .await?;
    assert_eq!(second.headers()["retry-after"], "5");
    let second = refusal(second).await?;
    assert!(second.starts_with("429 requests - rate_limit_exceeded"), "{second}");
    drop(held);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        let sent = service
            .request(Method::POST, "/chat/completions")
            .json(&question(json!({})))
            .send()
            .await?;
        if sent.status() == 200 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the answer that nobody reads goes on")
}

#[tokio::test]
async fn several_answers_come_with_their_tokens_log_probabilities() -> Result<()> {
    let service = Service::start().await?;
    let change = json!({"n": 2, "logprobs": true, "top_logprobs": 3, "temperature": 1.5});
    let whole = service.post("/chat/completions", &question(change.clone())).await?;
    let choices = whole["choices"].as_array().context("choices")?;
    assert_eq!((choices.len(), &whole["usage"]["completion_tokens"]), (2, &json!(24)));
    assert_ne!(choices[0]["message"], choices[1]["message"]);
    for choice in choices {
        let content = choice["logprobs"]["content"].as_array().context("content")?;
        assert_eq!(content.len(), 12);
        let bytes = content.iter().filter_map(|token| token["bytes"].as_array()).flatten();
        let bytes: Vec<u8> = bytes.filter_map(|byte| byte.as_u64()?.try_into().ok()).collect();
        assert_eq!(choice["message"]["content"], json!(String::from_utf8_lossy(&bytes)));
        for token in content {
            assert_eq!(token["top_logprobs"].as_array().map(Vec::len), Some(3));
            assert!(token["logprob"].as_f64() <= token["top_logprobs"][0]["logprob"].as_f64());
        }
    }
    let mut request = question(change);
    request["stream"] = json!(true);
    let mut lines = stream(&service, &request).await?;
    assert_eq!(lines.pop().as_deref(), Some("[DONE]"));
    let mut found = vec![Vec::new(); 2];
    for line in lines {
        let chunk: Value = serde_json::from_str(&line)?;
        let choice = &chunk["choices"][0];
        if let Some(tokens) = choice["logprobs"]["content"].as_array() {
            let index = usize::try_from(choice["index"].as_u64().context("an index")?)?;
            found[index].extend(tokens.iter().cloned());
        }
    }
    for (choice, found) in choices.iter().zip(found) {
        assert_eq!(choice["logprobs"]["content"], json!(found));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_answered_does_not_depend_on_who_else_asks() -> Result<()> {
    let service = Service::start().await?;
    let asked = |seed: u32| {
        let text = "number 3? ".repeat(1 + 9 * seed as usize);
        let messages = json!([{"role": "user", "content": text}]);
        question(json!({"seed": seed, "messages": messages, "max_tokens": 20 + seed}))
    };
    let mut alone = Vec::new();
    for seed in 0..12 {
        alone.push(service.post("/chat/completions", &asked(seed)).await?["choices"].take());
    }
    let together = (0..12).map(|seed| {
        let (service, request) = (&service, asked(seed));
        async move { service.post("/chat/completions", &request).await }
    });
    let together = futures_util::future::try_join_all(together).await?;
    for (together, alone) in together.iter().zip(&alone) {
        assert_eq!(&together["choices"], alone);
    }
    Ok(())
}
