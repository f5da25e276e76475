//! Jobs that pause and go on, and jobs that start from a tuned model.

use crate::support::{MODEL, Service, rows, text};
use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

async fn job(service: &Service, model: &str, epochs: usize) -> Result<String> {
    let file = service.upload(rows(40)).await?;
    let request = json!({
        "model": model, "training_file": file, "seed": 3,
        "hyperparameters": {"n_epochs": epochs, "batch_size": 1},
    });
    text(&service.post("/fine_tuning/jobs", &request).await?, "id")
}

async fn act(service: &Service, job: &str, verb: &str) -> Result<Value> {
    service.post(&format!("/fine_tuning/jobs/{job}/{verb}"), &json!({})).await
}

async fn messages(service: &Service, job: &str) -> Result<Vec<String>> {
    service.events(job).await?.iter().map(|event| text(event, "message")).collect()
}

fn weights(service: &Service, job: &str) -> Result<Vec<u8>> {
    let path = format!("adapters/{job}/final/adapter_model.safetensors");
    Ok(std::fs::read(service.data.path().join(path))?)
}

/// Waits until the job tells of a step with this number.
async fn reached(service: &Service, job: &str, step: usize) -> Result<()> {
    let told = format!("Step {step}/");
    while !messages(service, job).await?.iter().any(|message| message.starts_with(&told)) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_paused_job_frees_the_queue_and_ends_as_one_that_never_rested() -> Result<()> {
    let service = Service::start().await?;
    let whole = job(&service, MODEL, 4).await?;
    service.ended(&whole).await?;

    let id = job(&service, MODEL, 4).await?;
    reached(&service, &id, 30).await?;
    let pausing = act(&service, &id, "pause").await?;
    assert_eq!(pausing["status"], "pausing");
    let paused = service.until(&id, |job| job["status"] == "paused").await?;
    assert_eq!((&paused["finished_at"], &paused["estimated_finish"]), (&Value::Null, &Value::Null));
    assert_eq!(act(&service, &id, "pause").await?["status"], "paused");
    let other = job(&service, MODEL, 1).await?;
    assert_eq!(service.ended(&other).await?["status"], "succeeded");
    let service = service.restart(|_| {}).await?;
    let file = text(&paused, "training_file")?;
    let kept = service.refusal(Method::DELETE, &format!("/files/{file}"), Value::Null).await?;
    assert!(kept.starts_with("409 "), "{kept}");
    assert_eq!(act(&service, &id, "resume").await?["status"], "queued");
    let done = service.ended(&id).await?;
    assert_eq!(done["status"], "succeeded");
    assert!(weights(&service, &id)? == weights(&service, &whole)?, "the weights differ");
    let told = messages(&service, &id).await?;
    let place = |text: &str| told.iter().position(|message| message.starts_with(text));
    let (paused, resumed) = (place("Fine-tuning job paused"), place("Fine-tuning job resumed"));
    assert!(paused < resumed && resumed < place("Training goes on behind step "), "{told:?}");
    assert_eq!(told.iter().filter(|message| message.starts_with("Step 30/")).count(), 1);
    for verb in ["pause", "resume"] {
        let path = format!("/fine_tuning/jobs/{id}/{verb}");
        let refused = service.refusal(Method::POST, &path, json!({})).await?;
        assert!(refused.starts_with("400 invalid_request_error - invalid_state"), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_waiting_job_rests_at_once_and_one_that_rests_is_cancelled() -> Result<()> {
    let service = Service::start().await?;
    let first = job(&service, MODEL, 50).await?;
    let second = job(&service, MODEL, 1).await?;
    service.until(&first, |job| job["status"] == "running").await?;
    service.until(&second, |job| job["status"] == "queued").await?;
    assert_eq!(act(&service, &second, "pause").await?["status"], "paused");
    // Changed its mind before the current step was over.
    act(&service, &first, "pause").await?;
    act(&service, &first, "resume").await?;
    act(&service, &first, "pause").await?;
    service.until(&first, |job| job["status"] == "paused").await?;
    assert_eq!(act(&service, &first, "cancel").await?["status"], "cancelled");
    assert!(!service.data.path().join("training").join(&first).exists());
    assert_eq!(act(&service, &second, "resume").await?["status"], "queued");
    assert_eq!(service.ended(&second).await?["status"], "succeeded");
    Ok(())
}

#[tokio::test]
async fn a_job_that_starts_from_a_tuned_model_goes_on_from_its_loss() -> Result<()> {
    let service = Service::start().await?;
    let first = job(&service, MODEL, 8).await?;
    let model = text(&service.ended(&first).await?, "fine_tuned_model")?;
    let second = job(&service, &model, 1).await?;
    let kept = service.refusal(Method::DELETE, &format!("/models/{model}"), Value::Null).await?;
    let done = service.ended(&second).await?;
    assert!(kept.starts_with("409 ") || done["status"] == "succeeded", "{kept}");
    assert_eq!((&done["status"], &done["model"]), (&json!("succeeded"), &json!(model)));
    let tuned = text(&done, "fine_tuned_model")?;
    assert!(tuned.starts_with("ft:tiny-llama:local::"), "{tuned}");
    let loss = |events: Vec<Value>, step: u64| {
        let event = events.into_iter().find(|event| event["data"]["step"] == step);
        event.and_then(|event| event["data"]["train_loss"].as_f64())
    };
    let fresh = loss(service.events(&first).await?, 1).context("no first step")?;
    let further = loss(service.events(&second).await?, 1).context("no first step")?;
    assert!(further < fresh, "{further} is not below {fresh}");
    let chat =
        json!({"model": tuned, "max_tokens": 2, "messages": [{"role": "user", "content": "q"}]});
    assert_eq!(service.post("/chat/completions", &chat).await?["model"], json!(tuned));
    service.delete(&format!("/models/{model}")).await?;
    let gone = json!({"model": model, "training_file": text(&done, "training_file")?});
    let refused = service.refusal(Method::POST, "/fine_tuning/jobs", gone).await?;
    assert!(refused.starts_with("404 invalid_request_error model model_not_found"), "{refused}");
    Ok(())
}
