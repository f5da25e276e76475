//! Fine-tuning jobs over real HTTP, trained for real on the tiny model.

use crate::support::{MODEL, Service, row, rows, text};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

/// A job over `count` good rows and some more to measure on.
async fn job(service: &Service, count: usize, hyperparameters: Value) -> Result<String> {
    let train = service.upload(rows(count)).await?;
    let valid = service.upload(row("number 77?", "yes, 77").repeat(3)).await?;
    let request = json!({
        "model": MODEL,
        "training_file": train,
        "validation_file": valid,
        "suffix": "test-1",
        "seed": 7,
        "metadata": {"run": "one"},
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
    });
    text(&service.post("/fine_tuning/jobs", &request).await?, "id")
}

/// What two jobs have in common: everything but names and times.
fn told(events: &[Value]) -> Vec<String> {
    let plain = |event: &Value| {
        let words = event["message"].as_str().unwrap_or_default().split(": ft").next();
        format!("{} {} {}", event["level"], words.unwrap_or_default(), event["data"])
    };
    events.iter().map(plain).collect()
}

#[tokio::test]
async fn a_job_runs_to_its_end_and_tells_real_metrics() -> Result<()> {
    let service = Service::start().await?;
    let hyperparameters = json!({"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 10});
    let id = job(&service, 12, hyperparameters.clone()).await?;
    let job = service.ended(&id).await?;
    assert_eq!((&job["status"], &job["error"]), (&json!("succeeded"), &Value::Null), "{job}");
    assert_eq!(
        job["hyperparameters"],
        json!({"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 10.0})
    );
    assert_eq!((&job["method"]["type"], &job["seed"]), (&json!("supervised"), &json!(7)));
    assert!(job["trained_tokens"].as_u64() > Some(100), "{job}");
    assert!(job["finished_at"].as_i64() >= job["created_at"].as_i64());
    let model = text(&job, "fine_tuned_model")?;
    let unique = model.strip_prefix("ft:tiny-llama:local:test-1:").context("model id")?;
    assert_eq!(unique.len(), 8);

    let events = service.events(&id).await?;
    let messages: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    assert!(messages[0].starts_with("Created fine-tuning job: ftjob-"), "{messages:?}");
    assert_eq!(messages[3], "Fine-tuning job started");
    assert_eq!(messages.last(), Some(&"The job has successfully completed"));
    let metrics: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "metrics")
        .map(|event| &event["data"])
        .collect();
    let steps: Vec<u64> = metrics.iter().filter_map(|data| data["step"].as_u64()).collect();
    assert_eq!(steps, [0, 1, 2, 3, 4, 5, 6]);
    assert!(metrics.iter().all(|data| data["total_steps"] == 6));
    let number =
        |data: &Value, name: &str| data[name].as_f64().with_context(|| format!("{name}: {data}"));
    let (before, after) =
        (number(metrics[0], "full_valid_loss")?, number(metrics[6], "full_valid_loss")?);
    assert!(after < before, "the loss went from {before} to {after}");
    for data in &metrics[1..] {
        assert!(number(data, "train_loss")? > 0.0);
        assert!((0.0..=1.0).contains(&number(data, "train_mean_token_accuracy")?));
        assert!(number(data, "valid_loss")? > 0.0);
    }
    assert!(
        metrics[1].get("full_valid_loss").is_none() && metrics[3].get("full_valid_loss").is_some()
    );
    Ok(())
}

#[tokio::test]
async fn checkpoints_and_results_of_a_job_can_be_used() -> Result<()> {
    let service = Service::start().await?;
    let id = job(&service, 10, json!({"n_epochs": 2, "batch_size": 5})).await?;
    let job = service.ended(&id).await?;
    let model = text(&job, "fine_tuned_model")?;
    let page = service.get(&format!("/fine_tuning/jobs/{id}/checkpoints")).await?;
    let checkpoints = page["data"].as_array().context("no list")?;
    let names: Vec<&str> =
        checkpoints.iter().filter_map(|one| one["fine_tuned_model_checkpoint"].as_str()).collect();
    assert_eq!(names, [format!("{model}:ckpt-step-4"), format!("{model}:ckpt-step-2")]);
    assert_eq!(checkpoints[0]["step_number"], 4);
    assert!(checkpoints[0]["metrics"]["full_valid_loss"].as_f64() > Some(0.0));
    let first = format!("/fine_tuning/jobs/{id}/checkpoints?limit=1");
    let first = service.get(&first).await?;
    assert_eq!(
        (first["data"].as_array().map(Vec::len), &first["has_more"]),
        (Some(1), &json!(true))
    );

    let models = service.get("/models").await?;
    let listed: Vec<&Value> =
        models["data"].as_array().context("no list")?.iter().map(|one| &one["id"]).collect();
    assert_eq!(listed, [&json!(MODEL), &json!(names[1]), &json!(names[0]), &json!(model)]);

    let result = text(
        &job["result_files"]
            .as_array()
            .context("no list")?
            .first()
            .cloned()
            .map(|id| json!({"id": id}))
            .context("no file")?,
        "id",
    )?;
    let file = service.get(&format!("/files/{result}")).await?;
    assert_eq!(
        (&file["purpose"], &file["filename"]),
        (&json!("fine-tune-results"), &json!("step_metrics.csv"))
    );
    let content = service.request(Method::GET, &format!("/files/{result}/content")).send().await?;
    let table = String::from_utf8(STANDARD.decode(content.bytes().await?)?)?;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy");
    assert_eq!(lines.len(), 5);
    assert!(
        lines[4].starts_with("4,") && lines[4].split(',').all(|cell| cell.parse::<f64>().is_ok()),
        "{table}"
    );

    let deleted = service.delete(&format!("/models/{}", names[1])).await?;
    assert_eq!(deleted["deleted"], true);
    let gone = service.refusal(Method::GET, &format!("/models/{}", names[1]), Value::Null).await?;
    assert!(gone.starts_with("404 invalid_request_error model model_not_found"), "{gone}");
    Ok(())
}

#[tokio::test]
async fn the_same_seed_gives_the_same_metrics_and_auto_is_told() -> Result<()> {
    let service = Service::start().await?;
    let auto =
        json!({"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"});
    let (first, second) = (
        job(&service, 34, json!({"n_epochs": 1})).await?,
        job(&service, 34, json!({"n_epochs": 1})).await?,
    );
    service.ended(&first).await?;
    service.ended(&second).await?;
    let (first, second) =
        (told(&service.events(&first).await?), told(&service.events(&second).await?));
    assert_eq!(first[3..], second[3..]);
    let third = job(&service, 10, auto).await?;
    let queued = service.until(&third, |job| job["status"] != "validating_files").await?;
    assert_eq!(
        queued["hyperparameters"],
        json!({"n_epochs": 10, "batch_size": 4, "learning_rate_multiplier": 1.0})
    );
    service.post(&format!("/fine_tuning/jobs/{third}/cancel"), &json!({})).await?;
    Ok(())
}

#[tokio::test]
async fn bad_files_fail_the_job_and_are_named() -> Result<()> {
    let service = Service::start().await?;
    let good = service.upload(rows(10)).await?;
    let bad =
        service
            .upload(rows(11).replace(
                "\"user\",\"content\":\"number 4?\"",
                "\"chef\",\"content\":\"number 4?\"",
            ))
            .await?;
    let few = service.upload(rows(9)).await?;
    let empty = service.upload("\n").await?;
    let mut errors = Vec::new();
    for (train, valid) in [(&bad, None), (&few, None), (&good, Some(&bad)), (&good, Some(&empty))] {
        let request = json!({"model": MODEL, "training_file": train, "validation_file": valid});
        let created = service.post("/fine_tuning/jobs", &request).await?;
        assert_eq!(created["status"], "validating_files");
        let failed = service.ended(&text(&created, "id")?).await?;
        assert_eq!(
            (&failed["status"], &failed["fine_tuned_model"]),
            (&json!("failed"), &Value::Null)
        );
        let last = service.events(&text(&created, "id")?).await?.pop().context("no event")?;
        assert_eq!(last["level"], "error");
        errors.push(failed["error"].to_string());
    }
    insta::assert_snapshot!(errors.join("\n"), @r#"
    {"code":"invalid_training_file","message":"The job failed due to an invalid training file. Invalid file format. Line 5: messages[0]: `role` is none of system, user and assistant","param":"training_file"}
    {"code":"invalid_n_examples","message":"Training file has 9 example(s), but must have at least 10 examples","param":"training_file"}
    {"code":"invalid_validation_file","message":"The job failed due to an invalid validation file. Invalid file format. Line 5: messages[0]: `role` is none of system, user and assistant","param":"validation_file"}
    {"code":"invalid_n_examples","message":"Validation file has no example, but must have at least 1","param":"validation_file"}
    "#);
    Ok(())
}

#[tokio::test]
async fn a_request_that_cannot_be_honoured_is_refused_by_name() -> Result<()> {
    let service = Service::start().await?;
    let file = service.upload(rows(10)).await?;
    let request = |change: Value| {
        let mut request = json!({"model": MODEL, "training_file": file});
        let changes = change.as_object().cloned().unwrap_or_default();
        if let Value::Object(request) = &mut request {
            request.extend(changes);
        }
        request
    };
    let long = "x".repeat(65);
    let mut refusals = Vec::new();
    for change in [
        json!({"model": "gpt-x"}),
        json!({"training_file": "file-x"}),
        json!({"validation_file": "file-x"}),
        json!({"suffix": ""}),
        json!({"suffix": long}),
        json!({"suffix": "a:b"}),
        json!({"seed": -1}),
        json!({"metadata": {long: "x"}}),
        json!({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}),
        json!({"method": {"type": "reinforcement"}}),
        json!({"hyperparameters": {"n_epochs": 0}}),
        json!({"packing": true}),
    ] {
        refusals.push(service.refusal(Method::POST, "/fine_tuning/jobs", request(change)).await?);
    }
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    404 invalid_request_error model model_not_found: The model 'gpt-x' does not exist
    400 invalid_request_error training_file invalid_value: File 'file-x' does not exist
    400 invalid_request_error validation_file invalid_value: File 'file-x' does not exist
    400 invalid_request_error suffix invalid_value: 'suffix' must be 1 to 64 letters, digits, '-', '_' and '.'
    400 invalid_request_error suffix invalid_value: 'suffix' must be 1 to 64 letters, digits, '-', '_' and '.'
    400 invalid_request_error suffix invalid_value: 'suffix' must be 1 to 64 letters, digits, '-', '_' and '.'
    400 invalid_request_error seed invalid_value: 'seed' must be from 0 to 2147483647
    400 invalid_request_error metadata invalid_value: 'metadata' must be up to 16 pairs, keys of up to 64 and values of up to 512 characters
    400 invalid_request_error integrations unsupported_parameter: Unsupported parameter: 'integrations' is not supported by this server.
    400 invalid_request_error method.type unsupported_parameter: Unsupported parameter: 'method.type' has only the values 'supervised' and 'dpo' here.
    400 invalid_request_error hyperparameters.n_epochs invalid_value: 'n_epochs' must be "auto" or a whole number from 1 to 50
    400 invalid_request_error packing unknown_parameter: Unrecognized request argument supplied: packing
    "#);
    assert_eq!(service.get("/fine_tuning/jobs").await?["data"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_running_job_is_cancelled_and_the_next_one_runs() -> Result<()> {
    let service = Service::start().await?;
    let long = job(&service, 200, json!({"n_epochs": 50, "batch_size": 1})).await?;
    let next = job(&service, 10, json!({"n_epochs": 1})).await?;
    service.until(&long, |job| job["status"] == "running").await?;
    let waiting = service.until(&next, |job| job["status"] != "validating_files").await?;
    assert_eq!(waiting["status"], "queued");
    let used = text(&waiting, "training_file")?;
    let kept = service.refusal(Method::DELETE, &format!("/files/{used}"), Value::Null).await?;
    assert!(kept.starts_with("409 "), "{kept}");
    let path = format!("/fine_tuning/jobs/{long}/cancel");
    let cancelled = service.post(&path, &json!({})).await?;
    assert_eq!(
        (&cancelled["status"], &cancelled["fine_tuned_model"]),
        (&json!("cancelled"), &Value::Null)
    );
    let again = service.refusal(Method::POST, &path, json!({})).await?;
    assert!(again.starts_with("400 invalid_request_error - invalid_state"), "{again}");
    assert_eq!(service.ended(&next).await?["status"], "succeeded");
    let events = service.events(&long).await?;
    assert_eq!(events.last().context("no event")?["message"], "Fine-tuning job cancelled");
    let list = service.get("/fine_tuning/jobs?limit=1&metadata%5Brun%5D=one").await?;
    assert_eq!((&list["data"][0]["id"], &list["has_more"]), (&json!(next), &json!(true)));
    for none in ["metadata%5Brun%5D=two", "metadata=null"] {
        assert_eq!(service.get(&format!("/fine_tuning/jobs?{none}")).await?["data"], json!([]));
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_a_restart_interrupts_ends_as_one_that_was_not() -> Result<()> {
    let whole = Service::start().await?;
    let id = job(&whole, 60, json!({"n_epochs": 3, "batch_size": 1})).await?;
    let expected = whole.ended(&id).await?;
    let adapter = std::fs::read(
        whole.data.path().join(format!("adapters/{id}/final/adapter_model.safetensors")),
    )?;
    let expected_events = told(&whole.events(&id).await?);

    let mut service = Service::start().await?;
    let id = job(&service, 60, json!({"n_epochs": 3, "batch_size": 1})).await?;
    for step in [20, 90] {
        let reached = format!("Step {step}/");
        while !told(&service.events(&id).await?).iter().any(|event| event.contains(&reached)) {
            tokio::task::yield_now().await;
        }
        service = service.restart(|_| {}).await?;
    }
    let job = service.ended(&id).await?;
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["trained_tokens"], expected["trained_tokens"]);
    let (resumes, events): (Vec<String>, Vec<String>) = told(&service.events(&id).await?)
        .into_iter()
        .partition(|event| event.contains("The server "));
    // Twice it was paused, and twice taken up.
    assert_eq!(resumes.len(), 4, "{resumes:?}");
    assert_eq!(events[3..], expected_events[3..]);
    let again = std::fs::read(
        service.data.path().join(format!("adapters/{id}/final/adapter_model.safetensors")),
    )?;
    assert!(adapter == again, "the weights differ");
    // The training state goes after the job's end is told, so the server is stopped first.
    service.embedded.shutdown().await?;
    assert_eq!(std::fs::read_dir(service.data.path().join("training"))?.count(), 0);
    Ok(())
}
