//! Fine-tuning jobs.

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::service::{Fault, Service, rows, shape, text};

async fn create(service: &Service, file: &str, change: Value) -> Result<Value, Fault> {
    let mut request = json!({"model": service.model().await?, "training_file": file, "seed": 7});
    if let (Value::Object(request), Value::Object(change)) = (&mut request, change) {
        request.extend(change);
    }
    let job = service.post("/fine_tuning/jobs", &request).await?;
    judge(&job)?;
    Ok(job)
}

fn judge(job: &Value) -> Result<(), Fault> {
    ensure!(job["object"] == "fine_tuning.job", "{job}");
    shape(
        job,
        &[
            ("id", "string"),
            ("created_at", "integer"),
            ("error", "object|null"),
            ("fine_tuned_model", "string|null"),
            ("finished_at", "integer|null"),
            ("hyperparameters", "object"),
            ("model", "string"),
            ("organization_id", "string"),
            ("result_files", "array"),
            ("status", "string"),
            ("trained_tokens", "integer|null"),
            ("training_file", "string"),
            ("validation_file", "string|null"),
            ("seed", "integer"),
        ],
    )
}

pub(super) async fn bad_files(service: &Service) -> Result<(), Fault> {
    let broken = rows(11).replacen("\"user\"", "\"chef\"", 5).replacen("\"chef\"", "\"user\"", 4);
    for (content, code, words) in
        [(broken, "invalid_training_file", "5"), (rows(9), "invalid_n_examples", "9")]
    {
        let file = service.upload(content.as_bytes()).await?;
        let job = text(&create(service, &file, json!({})).await?, "id")?;
        let failed = service.until(&job, &["failed"]).await?;
        let error = &failed["error"];
        ensure!(error["code"] == code && error["param"] == "training_file", "{error}");
        ensure!(text(error, "message")?.contains(words), "{error}");
        service.delete(&format!("/files/{file}")).await?;
    }
    Ok(())
}

pub(super) async fn whole(service: &Service) -> Result<(), Fault> {
    let train = service.upload(rows(12).as_bytes()).await?;
    let valid = service.upload(rows(14).as_bytes()).await?;
    let method = json!({"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}}});
    let change = json!({"validation_file": valid, "suffix": "conform", "method": method});
    let id = text(&create(service, &train, change).await?, "id")?;
    let job = service.until(&id, &["succeeded"]).await?;
    judge(&job)?;
    ensure!(job["trained_tokens"].as_u64() > Some(0), "{job}");
    ensure!(job["hyperparameters"]["n_epochs"] == 2, "{job}");
    let model = text(&job, "fine_tuned_model")?;
    ensure!(model.starts_with("ft:") && model.contains("conform"), "{model}");
    events(service, &id).await?;
    let checkpoints = service.pages(&format!("/fine_tuning/jobs/{id}/checkpoints"), 1).await?;
    ensure!(checkpoints.len() == 2, "two epochs leave {} checkpoints", checkpoints.len());
    for checkpoint in &checkpoints {
        ensure!(checkpoint["object"] == "fine_tuning.job.checkpoint", "{checkpoint}");
        shape(checkpoint, &[("step_number", "integer"), ("metrics", "object")])?;
        ask(service, &text(checkpoint, "fine_tuned_model_checkpoint")?).await?;
    }
    ask(service, &model).await?;
    results(service, &job).await?;
    for model in
        checkpoints.iter().map(|one| text(one, "fine_tuned_model_checkpoint")).chain([Ok(model)])
    {
        service.delete(&format!("/models/{}", model?)).await?;
    }
    for file in [train, valid, text(&json!({"id": job["result_files"][0]}), "id")?] {
        service.delete(&format!("/files/{file}")).await?;
    }
    Ok(())
}

pub(super) async fn preferences(service: &Service) -> Result<(), Fault> {
    let answer = |text: String| json!([{"role": "assistant", "content": text}]);
    let pair = |index| {
        let messages = json!([{"role": "user", "content": format!("What is behind {index}?")}]);
        let (better, worse) =
            (answer(format!("Behind it is {}.", index + 1)), answer("No.".into()));
        let input = json!({"messages": messages, "tools": [], "parallel_tool_calls": true});
        json!({"input": input, "preferred_output": better, "non_preferred_output": worse})
    };
    let pairs: Vec<String> = (0..12).map(|index| pair(index).to_string()).collect();
    let file = service.upload(pairs.join("\n").as_bytes()).await?;
    let hyperparameters = json!({"beta": 0.2, "n_epochs": 1, "batch_size": 4});
    let method = json!({"type": "dpo", "dpo": {"hyperparameters": hyperparameters}});
    let request = json!({"model": service.model().await?, "training_file": file, "method": method});
    let created = service.try_post("/fine_tuning/jobs", &request).await?;
    if created.status == 400 {
        created.refused(&[400], Some("method.type"))?;
        service.delete(&format!("/files/{file}")).await?;
        return Ok(());
    }
    let id = text(&created.good()?, "id")?;
    let job = service.until(&id, &["succeeded"]).await?;
    judge(&job)?;
    ensure!(job["method"]["type"] == "dpo", "{job}");
    ensure!(job["method"]["dpo"]["hyperparameters"]["beta"] == 0.2, "{job}");
    let events = service.pages(&format!("/fine_tuning/jobs/{id}/events"), 100).await?;
    let first = events.iter().rev().find_map(|event| event["data"]["train_loss"].as_f64());
    // Before the first step neither answer is ahead.
    let at_first = first.is_some_and(|loss| (loss - std::f64::consts::LN_2).abs() < 0.05);
    ensure!(at_first, "the first loss is {first:?}, not ln 2");
    let model = text(&job, "fine_tuned_model")?;
    ask(service, &model).await?;
    service.delete(&format!("/models/{model}")).await?;
    service.delete(&format!("/files/{file}")).await?;
    Ok(())
}

async fn ask(service: &Service, model: &str) -> Result<(), Fault> {
    let messages = json!([{"role": "user", "content": "What is the number behind 3?"}]);
    let request = json!({"model": model, "max_tokens": 4, "messages": messages});
    let answer = service.post("/chat/completions", &request).await?;
    ensure!(answer["choices"][0]["message"]["content"].is_string(), "{answer}");
    Ok(())
}

async fn events(service: &Service, job: &str) -> Result<(), Fault> {
    let path = format!("/fine_tuning/jobs/{job}/events");
    let (pieces, whole) = (service.pages(&path, 3).await?, service.pages(&path, 100).await?);
    ensure!(pieces == whole, "pages of 3 and of 100 tell different events");
    for event in &whole {
        ensure!(event["object"] == "fine_tuning.job.event", "{event}");
        shape(event, &[("id", "string"), ("created_at", "integer"), ("message", "string")])?;
        ensure!(["info", "warn", "error"].iter().any(|level| event["level"] == *level), "{event}");
    }
    let losses = whole.iter().filter(|event| event["data"]["train_loss"].is_number()).count();
    ensure!(losses == 6, "six steps tell {losses} losses");
    Ok(())
}

async fn results(service: &Service, job: &Value) -> Result<(), Fault> {
    let file = job["result_files"][0].as_str().context("no results file")?;
    let object = service.get(&format!("/files/{file}")).await?;
    ensure!(object["purpose"] == "fine-tune-results", "{object}");
    let content = service.content(file).await?;
    let table = if content.starts_with(b"step,") { content } else { STANDARD.decode(content)? };
    let table = String::from_utf8(table)?;
    let columns = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy";
    ensure!(table.lines().next() == Some(columns) && table.lines().count() == 7, "{table}");
    Ok(())
}

pub(super) async fn pause(service: &Service) -> Result<(), Fault> {
    let file = service.upload(rows(60).as_bytes()).await?;
    let change = json!({"hyperparameters": {"n_epochs": 50, "batch_size": 1}});
    let id = text(&create(service, &file, change).await?, "id")?;
    let act = |verb: &'static str| {
        let path = format!("/fine_tuning/jobs/{id}/{verb}");
        async move { service.post(&path, &json!({})).await }
    };
    service.until(&id, &["running"]).await?;
    judge(&act("pause").await?)?;
    service.until(&id, &["paused"]).await?;
    judge(&act("resume").await?)?;
    service.until(&id, &["running"]).await?;
    let cancelled = act("cancel").await?;
    judge(&cancelled)?;
    service.until(&id, &["cancelled"]).await?;
    let again = service.try_post(&format!("/fine_tuning/jobs/{id}/cancel"), &json!({})).await?;
    again.refused(&[400, 409], None)?;
    service.delete(&format!("/files/{file}")).await?;
    Ok(())
}

pub(super) async fn filters(service: &Service) -> Result<(), Fault> {
    let file = service.upload(rows(10).as_bytes()).await?;
    let mut ids = Vec::new();
    for number in ["1", "2", "2"] {
        let job = create(service, &file, json!({"metadata": {"conformance": number}})).await?;
        ensure!(job["metadata"]["conformance"] == number, "{job}");
        let id = text(&job, "id")?;
        service.post(&format!("/fine_tuning/jobs/{id}/cancel"), &json!({})).await?;
        ids.push(id);
    }
    let path = "/fine_tuning/jobs?metadata%5Bconformance%5D=2";
    let found = service.pages(path, 1).await?;
    let place = |job: &Value| ids.iter().position(|id| job["id"] == **id);
    let places: Vec<usize> = found.iter().filter_map(place).collect();
    ensure!(places == [2, 1], "jobs 1 and 2, newest first, but {places:?}");
    service.delete(&format!("/files/{file}")).await?;
    Ok(())
}
