//! Completions and tokens over real HTTP, generated for real by the tiny model.

use crate::support::{MODEL, Service};
use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

fn asked(prompt: impl Into<Value>, change: Value) -> Value {
    let mut request = json!({"model": MODEL, "max_tokens": 6, "seed": 5});
    request["prompt"] = prompt.into();
    if let (Value::Object(request), Value::Object(change)) = (&mut request, change) {
        request.extend(change);
    }
    request
}

async fn tokens(service: &Service, text: &str) -> Result<Value> {
    let asked = json!({"prompt": text, "add_special_tokens": false});
    Ok(service.post("/tokenize", &asked).await?["tokens"].take())
}

#[tokio::test]
async fn each_kind_of_prompt_is_completed_and_several_come_in_their_order() -> Result<()> {
    let service = Service::start().await?;
    let (one, two) = (tokens(&service, "number 1?").await?, tokens(&service, "who?").await?);
    let alone = service.post("/completions", &asked(json!("number 1?"), json!({}))).await?;
    assert_eq!(alone["object"], "text_completion");
    let other = service.post("/completions", &asked(two.clone(), json!({}))).await?;
    for prompt in [json!(["number 1?", "who?"]), json!([one, two])] {
        let both = service.post("/completions", &asked(prompt, json!({}))).await?;
        assert_eq!(both["choices"][0]["text"], alone["choices"][0]["text"]);
        assert_eq!(both["choices"][1]["text"], other["choices"][0]["text"]);
        assert_eq!(both["choices"][1]["index"], 1);
        assert_eq!(both["usage"]["completion_tokens"], 12);
    }
    let several = asked(json!(["number 1?", "who?"]), json!({"n": 2, "temperature": 1.5}));
    let several = service.post("/completions", &several).await?;
    let choices = several["choices"].as_array().context("choices")?;
    assert_eq!(choices.len(), 4);
    assert_ne!(choices[0]["text"], choices[1]["text"]);
    Ok(())
}

/// What lm-evaluation-harness asks for: the log-probabilities of a prompt's own tokens, and one token more.
#[tokio::test]
async fn an_echoed_prompt_is_scored() -> Result<()> {
    let service = Service::start().await?;
    let prompt = tokens(&service, "number 1? é🦀").await?;
    let count = prompt.as_array().context("tokens")?.len();
    let change = json!({"max_tokens": 1, "logprobs": 1, "echo": true, "temperature": 0});
    let scored = service.post("/completions", &asked(json!([prompt]), change)).await?;
    let choice = &scored["choices"][0];
    assert!(choice["text"].as_str().context("text")?.starts_with("number 1? é🦀"));
    let lists = &choice["logprobs"];
    for name in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(lists[name].as_array().context(name)?.len(), count + 1, "{name}");
    }
    assert!(lists["token_logprobs"][0].is_null() && lists["top_logprobs"][0].is_null());
    for place in 1..=count {
        let own = lists["token_logprobs"][place].as_f64().context("a number")?;
        let top = lists["top_logprobs"][place].as_object().context("an object")?;
        let name = lists["tokens"][place].as_str().context("a text")?;
        assert_eq!(top[name].as_f64(), Some(own));
        assert!(own < 0.0 && top.values().all(|other| other.as_f64() >= Some(own)));
    }
    let last = &lists["top_logprobs"][count].as_object().context("an object")?;
    assert_eq!(last.len(), 1, "without temperature the likeliest is taken");
    // The prompt alone, in a text of its own.
    let change = json!({"max_tokens": 0, "logprobs": 1, "echo": true});
    let alone = service.post("/completions", &asked(json!("number 1? é🦀"), change)).await?;
    assert_eq!(alone["choices"][0]["text"], "number 1? é🦀");
    let all = lists["token_logprobs"].as_array().context("a list")?;
    assert_eq!(alone["choices"][0]["logprobs"]["token_logprobs"], json!(all[..count]));
    assert_eq!(alone["usage"]["completion_tokens"], 0);
    Ok(())
}

#[tokio::test]
async fn a_stream_gives_the_same_completions_in_pieces() -> Result<()> {
    let service = Service::start().await?;
    let change = json!({"logprobs": 2, "echo": true, "n": 2, "temperature": 1});
    let request = asked(json!(["number 1?", "who?"]), change);
    let whole = service.post("/completions", &request).await?;
    let mut request = request;
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true});
    let sent = service.request(Method::POST, "/completions").json(&request).send().await?;
    let body = sent.text().await?;
    let mut lines: Vec<&str> =
        body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(lines.pop(), Some("[DONE]"));
    let usage: Value = serde_json::from_str(lines.pop().context("no usage")?)?;
    assert_eq!(usage["usage"], whole["usage"]);
    let mut texts = vec![String::new(); 4];
    let mut scores = vec![Vec::new(); 4];
    for line in lines {
        let chunk: Value = serde_json::from_str(line)?;
        let choice = &chunk["choices"][0];
        let index = usize::try_from(choice["index"].as_u64().context("index")?)?;
        texts[index].push_str(choice["text"].as_str().context("text")?);
        let new = choice["logprobs"]["token_logprobs"].as_array().context("a list")?;
        scores[index].extend(new.iter().cloned());
    }
    for (index, (text, scores)) in texts.into_iter().zip(scores).enumerate() {
        assert_eq!(whole["choices"][index]["text"], json!(text));
        assert_eq!(whole["choices"][index]["logprobs"]["token_logprobs"], json!(scores));
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_completed_is_refused_by_name() -> Result<()> {
    let service = Service::start().await?;
    let long = "word ".repeat(100_000);
    for (prompt, change, expected) in [
        (json!("p"), json!({"suffix": "s"}), "suffix unsupported_parameter"),
        (json!([]), json!({}), "prompt invalid_value"),
        (json!(""), json!({}), "prompt invalid_value"),
        (json!([384]), json!({}), "prompt invalid_value"),
        (json!(long), json!({}), "prompt context_length_exceeded"),
        (json!("p"), json!({"model": "nobody"}), "model model_not_found"),
    ] {
        let refused = service.refusal(Method::POST, "/completions", asked(prompt, change)).await?;
        assert!(refused.contains(expected), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn tokens_are_told_beside_the_api_as_well_as_in_it() -> Result<()> {
    let service = Service::start().await?;
    let info: Value = service.get("/tokenizer_info").await?;
    let end = info["eos_token"].as_str().context("the model ends its answers")?;
    assert!(info["chat_template"].as_str().is_some_and(|template| template.contains("messages")));
    assert_eq!(info["vocab_size"], 384);
    let special = tokens(&service, &format!("a{end}")).await?;
    assert_eq!(special.as_array().map(Vec::len), Some(2), "{special}");
    let mut ends = Vec::new();
    for content in [end, "a"] {
        let messages = json!([{"role": "user", "content": content}]);
        let chat = json!({"messages": messages, "return_token_strs": true});
        let chat = service.post("/tokenize", &chat).await?;
        let strings = chat["token_strs"].as_array().context("a list")?;
        assert_eq!(chat["count"], strings.len());
        ends.push(strings.iter().filter(|token| *token == end).count());
    }
    assert_eq!(ends[0], ends[1], "text stays text");
    let chat = |opened: Value| {
        let messages =
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
        json!({"messages": messages, "add_generation_prompt": opened})
    };
    let whole = service.post("/tokenize", &chat(json!(false))).await?;
    let opened = service.post("/tokenize", &chat(json!(true))).await?;
    let [whole, opened] = [&whole, &opened].map(|tokens| tokens["tokens"].as_array());
    let (whole, opened) = (whole.context("a list")?, opened.context("a list")?);
    assert!(opened.len() > whole.len() && opened.starts_with(whole), "{opened:?} {whole:?}");
    let unsaid = service.post("/tokenize", &chat(Value::Null)).await?;
    assert_eq!(unsaid["tokens"], json!(opened), "as vLLM has it");
    let beside = service.embedded.base_url().replace("/v1", "/detokenize");
    let text: Value = service
        .http
        .post(beside)
        .bearer_auth("key-of-the-test")
        .json(&json!({"tokens": special}))
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(text["prompt"], json!(format!("a{end}")));
    for request in [json!({}), json!({"prompt": "a", "messages": []})] {
        let refused = service.refusal(Method::POST, "/tokenize", request).await?;
        assert!(refused.contains("prompt invalid_value"), "{refused}");
    }
    Ok(())
}
