//! Jobs on preferences: validated, trained for real on the tiny model, paused by a shutdown and taken up.

use crate::support::{MODEL, Service, rows, text};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

fn answer(text: &str) -> Value {
    json!([{"role": "assistant", "content": text}])
}

/// `count` pairs: one answer says yes, the other no.
fn pairs(count: usize) -> String {
    let pair = |index| {
        let pair = json!({
            "input": {"messages": [{"role": "user", "content": format!("number {index}?")}], "tools": []},
            "preferred_output": answer(&format!("yes, {index}")),
            "non_preferred_output": answer(&format!("no, never {index}")),
        });
        format!("{pair}\n")
    };
    (0..count).map(pair).collect()
}

async fn job(service: &Service, model: &str, given: Value) -> Result<String> {
    let train = service.upload(pairs(20)).await?;
    let valid = service.upload(pairs(4)).await?;
    let request = json!({
        "model": model, "training_file": train, "validation_file": valid, "seed": 7,
        "method": {"type": "dpo", "dpo": {"hyperparameters": given}},
    });
    text(&service.post("/fine_tuning/jobs", &request).await?, "id")
}

async fn metrics(service: &Service, job: &str) -> Result<Vec<Value>> {
    let events = service.events(job).await?.into_iter();
    Ok(events.filter(|event| event["type"] == "metrics").map(|mut it| it["data"].take()).collect())
}

fn number(data: &Value, name: &str) -> Result<f64> {
    data[name].as_f64().with_context(|| format!("{name}: {data}"))
}

#[tokio::test]
async fn the_preferred_answers_get_ahead_and_the_job_tells_of_it() -> Result<()> {
    let service = Service::start().await?;
    let given =
        json!({"n_epochs": 6, "batch_size": 4, "learning_rate_multiplier": 50, "beta": 0.2});
    let id = job(&service, MODEL, given.clone()).await?;
    let done = service.ended(&id).await?;
    assert_eq!(done["status"], "succeeded", "{done}");
    let method = &done["method"];
    assert_eq!((&method["type"], &method["supervised"]), (&json!("dpo"), &Value::Null));
    assert_eq!(
        method["dpo"]["hyperparameters"],
        json!({"n_epochs": 6, "batch_size": 4, "learning_rate_multiplier": 50.0, "beta": 0.2})
    );
    assert!(done["hyperparameters"].get("beta").is_none(), "{done}");

    let told = metrics(&service, &id).await?;
    assert_eq!(told.len(), 31);
    let ln2 = std::f64::consts::LN_2;
    // The fresh adapter is its own reference: nothing is ahead, and the loss is ln 2.
    assert!((number(&told[0], "full_valid_loss")? - ln2).abs() < 1e-3, "{}", told[0]);
    assert!((number(&told[1], "train_loss")? - ln2).abs() < 1e-3, "{}", told[1]);
    let last = &told[30];
    assert!(number(last, "full_valid_loss")? < 0.8 * ln2, "{last}");
    assert_eq!(number(last, "full_valid_reward_accuracy")?.to_bits(), 1.0_f64.to_bits());
    assert!(number(last, "train_reward_margin")? > 0.1, "{last}");
    let margin = number(last, "train_reward_preferred")? - number(last, "train_reward_rejected")?;
    assert!((margin - number(last, "train_reward_margin")?).abs() < 1e-9, "{last}");
    assert!(told.iter().all(|data| data.get("train_mean_token_accuracy").is_none()));

    let checkpoints = service.get(&format!("/fine_tuning/jobs/{id}/checkpoints")).await?;
    assert_eq!(checkpoints["data"][0]["metrics"]["full_valid_loss"], last["full_valid_loss"]);
    let result = done["result_files"][0].as_str().context("no results")?.to_owned();
    let content = service.request(Method::GET, &format!("/files/{result}/content")).send().await?;
    let table = String::from_utf8(STANDARD.decode(content.bytes().await?)?)?;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].ends_with(",train_reward_margin,valid_reward_accuracy"), "{}", lines[0]);
    assert_eq!(lines.len(), 31);
    assert!(lines.iter().all(|line| line.split(',').count() == 7), "{table}");

    // A second round is held to the model that it starts from, which is as far as the first round came.
    let model = text(&done, "fine_tuned_model")?;
    let again = job(&service, &model, json!({"n_epochs": 1, "batch_size": 10})).await?;
    assert_eq!(service.ended(&again).await?["status"], "succeeded");
    let first = metrics(&service, &again).await?.swap_remove(1);
    assert!((number(&first, "train_loss")? - ln2).abs() < 1e-3, "{first}");
    Ok(())
}

#[tokio::test]
async fn a_shutdown_pauses_the_job_and_a_start_takes_it_up_to_the_same_weights() -> Result<()> {
    let service = Service::start().await?;
    let given = json!({"n_epochs": 4, "batch_size": 1});
    let weights = |service: &Service, job: &str| {
        let path = format!("adapters/{job}/final/adapter_model.safetensors");
        std::fs::read(service.data.path().join(path))
    };
    let whole = job(&service, MODEL, given.clone()).await?;
    service.ended(&whole).await?;
    let id = job(&service, MODEL, given).await?;
    while metrics(&service, &id).await?.len() < 30 {
        tokio::task::yield_now().await;
    }
    // Over other weights nobody can go on with it.
    let service = service.restart(|options| options.base_models[0].id = "other".to_owned()).await?;
    let path = format!("/fine_tuning/jobs/{id}");
    let resting = service.get(&path).await?;
    assert_eq!((&resting["status"], &resting["finished_at"]), (&json!("paused"), &Value::Null));
    let service = service.restart(|_| {}).await?;
    assert_eq!(service.ended(&id).await?["status"], "succeeded");
    assert!(weights(&service, &id)? == weights(&service, &whole)?, "the weights differ");
    let told = service.events(&id).await?;
    let place = |text: &str| {
        let told = told.iter().map(|event| event["message"].as_str().unwrap_or_default());
        told.enumerate().find(|(_, message)| message.starts_with(text)).map(|(place, _)| place)
    };
    let stopped = place("The server is stopping; fine-tuning job paused");
    let taken_up = place("The server was restarted; training goes on behind step ");
    assert!(stopped.is_some() && stopped < taken_up, "{told:?}");
    let other = metrics(&service, &whole).await?;
    assert_eq!(metrics(&service, &id).await?, other);
    Ok(())
}

#[tokio::test]
async fn what_the_user_paused_stays_paused_over_a_restart() -> Result<()> {
    let service = Service::start().await?;
    let id = job(&service, MODEL, json!({"n_epochs": 50, "batch_size": 1})).await?;
    service.until(&id, |job| job["status"] == "running").await?;
    let path = format!("/fine_tuning/jobs/{id}");
    service.post(&format!("{path}/pause"), &json!({})).await?;
    let service = service.restart(|_| {}).await?;
    assert_eq!(service.get(&path).await?["status"], "paused");
    let service = service.restart(|_| {}).await?;
    assert_eq!(service.get(&path).await?["status"], "paused");
    service.post(&format!("{path}/cancel"), &json!({})).await?;
    Ok(())
}

#[tokio::test]
async fn rows_of_the_wrong_kind_fail_the_job_and_are_named() -> Result<()> {
    let service = Service::start().await?;
    let (good, conversations) = (service.upload(pairs(10)).await?, service.upload(rows(10)).await?);
    let two =
        pairs(11).replacen("\"yes, 3\"}]", "\"yes, 3\"},{\"role\":\"user\",\"content\":\"x\"}]", 1);
    let bad = service.upload(two).await?;
    let mut errors = Vec::new();
    for (train, valid, method) in [
        (&conversations, None, "dpo"),
        (&good, None, "supervised"),
        (&good, Some(&conversations), "dpo"),
        (&bad, None, "dpo"),
    ] {
        let request = json!({
            "model": MODEL, "training_file": train, "validation_file": valid, "method": {"type": method},
        });
        let created = service.post("/fine_tuning/jobs", &request).await?;
        let failed = service.ended(&text(&created, "id")?).await?;
        assert_eq!(failed["status"], "failed", "{failed}");
        errors.push(format!("{}: {}", failed["error"]["code"], failed["error"]["message"]));
    }
    insta::assert_snapshot!(errors.join("\n"), @r#"
    "invalid_training_file": "The job failed due to an invalid training file. Invalid file format. Line 1: the line is a conversation, which the method `supervised` is for (9 more lines are bad)"
    "invalid_training_file": "The job failed due to an invalid training file. Invalid file format. Line 1: the line is a preference, which the method `dpo` is for (9 more lines are bad)"
    "invalid_validation_file": "The job failed due to an invalid validation file. Invalid file format. Line 1: the line is a conversation, which the method `supervised` is for (9 more lines are bad)"
    "invalid_training_file": "The job failed due to an invalid training file. Invalid file format. Line 4: `preferred_output` is not one message of the assistant's"
    "#);
    Ok(())
}

#[tokio::test]
async fn equal_answers_and_a_beta_out_of_bounds_are_told_of() -> Result<()> {
    let service = Service::start().await?;
    let same = pairs(12).replacen("no, never 5", "yes, 5", 1);
    let file = service.upload(same).await?;
    let mut request = json!({"model": MODEL, "training_file": file, "method": {"type": "dpo"}});
    let created = service.post("/fine_tuning/jobs", &request).await?;
    assert_eq!(created["method"]["dpo"]["hyperparameters"]["beta"], "auto");
    let id = text(&created, "id")?;
    let queued = service.until(&id, |job| job["status"] != "validating_files").await?;
    assert_eq!(queued["method"]["dpo"]["hyperparameters"]["beta"], 0.1);
    service.post(&format!("/fine_tuning/jobs/{id}/cancel"), &json!({})).await?;
    let told = service.events(&id).await?;
    let validated = told.iter().find(|event| event["level"] == "warn").context("no warning")?;
    let message = text(validated, "message")?;
    assert!(message.ends_with("; 1 preferences have the same answer twice, which teaches nothing"));
    request["method"]["dpo"] = json!({"hyperparameters": {"beta": 2.5}});
    let refused = service.refusal(Method::POST, "/fine_tuning/jobs", request).await?;
    insta::assert_snapshot!(refused, @r#"400 invalid_request_error method.dpo.hyperparameters.beta invalid_value: 'beta' must be "auto" or a number above 0 and up to 2"#);
    Ok(())
}
