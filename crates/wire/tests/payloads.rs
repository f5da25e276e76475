//! Answers that real services send and that stricter types fail on, as a table.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use serde_json::{Value, json};
use wire::{
    Auto, Batch, BatchLine, BatchStatus, ChatChunk, ChatCompletion, Checkpoint, Event, EventLevel,
    EventType, FileObject, Job, JobStatus, Page,
};

fn job(change: &Value) -> Job {
    let mut job = json!({
        "object": "fine_tuning.job", "id": "ftjob-1", "model": "gpt-4.1-mini-2025-04-14", "created_at": 1_721_764_800,
        "fine_tuned_model": null, "organization_id": "org-1", "result_files": [], "status": "queued",
        "validation_file": null, "training_file": "file-1", "seed": 7, "trained_tokens": null,
        "hyperparameters": {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
    });
    for (key, value) in change.as_object().unwrap() {
        job[key] = value.clone();
    }
    serde_json::from_value(job).unwrap()
}

#[test]
fn a_healthy_job_has_no_error_however_that_is_said() {
    for error in
        [json!({}), json!(null), json!({"code": null, "message": null, "param": null}), json!("")]
    {
        assert_eq!(job(&json!({ "error": error })).error, None, "{error}");
    }
    let error = job(&json!({"error": {"code": "invalid_n_examples", "message": "too few", "param": "training_file"}})).error.unwrap();
    assert_eq!(error.code.as_deref(), Some("invalid_n_examples"));
    assert_eq!(job(&json!({"error": "boom"})).error.unwrap().message.as_deref(), Some("boom"));
    assert_eq!(job(&json!({"error": {"code": 12}})).error.unwrap().code.as_deref(), Some("12"));
}

#[test]
fn hyperparameters_of_any_size_or_absence_are_read() {
    let read = |value: Value| job(&json!({ "hyperparameters": value })).hyperparameters;
    assert_eq!(read(json!({"n_epochs": -1})).n_epochs, Some(Auto::Value(-1)));
    assert_eq!(read(json!({"n_epochs": 3.0})).n_epochs, Some(Auto::Value(3)));
    assert_eq!(read(json!({"batch_size": 1024})).batch_size, Some(Auto::Value(1024)));
    assert_eq!(read(json!({"n_epochs": "auto"})).n_epochs, Some(Auto::Auto));
    assert_eq!(read(json!({"n_epochs": null})).n_epochs, None);
    assert_eq!(read(json!({})).learning_rate_multiplier, None);
    assert_eq!(read(json!(null)).n_epochs, None);
    assert_eq!(read(json!({"lora_r": 16})).extra["lora_r"], 16);
}

#[test]
fn methods_without_hyperparameters_are_read() {
    for method in [
        json!({"type": "supervised"}),
        json!({"type": "supervised", "supervised": {}}),
        json!({"type": "new", "new": {"a": 1}}),
    ] {
        assert!(job(&json!({ "method": method })).method.is_some(), "{method}");
    }
    let method = job(&json!({"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}})).method.unwrap();
    assert_eq!(method.supervised.unwrap().hyperparameters.unwrap().n_epochs, Some(Auto::Value(2)));
}

#[test]
fn states_of_other_services_are_read_and_are_no_end_unless_known() {
    let status = |text: &str| job(&json!({ "status": text })).status;
    assert_eq!(status("pending"), JobStatus::Pending);
    assert_eq!(status("cancel_requested"), JobStatus::Cancelling);
    assert_eq!(status("canceled"), JobStatus::Cancelled);
    assert_eq!(status("deleted"), JobStatus::Other("deleted".to_owned()));
    for (text, end) in [
        ("succeeded", true),
        ("failed", true),
        ("cancelled", true),
        ("paused", false),
        ("deleted", false),
    ] {
        assert_eq!(status(text).is_terminal(), end, "{text}");
    }
    assert_eq!(job(&json!({ "status": null })).status, JobStatus::Queued);
}

#[test]
fn missing_and_null_fields_of_a_job_are_read_and_unknown_ones_kept() {
    let bare: Job = serde_json::from_value(json!({"id": "ftjob-1"})).unwrap();
    assert_eq!(bare.organization_id, None);
    let read = job(&json!({
        "organization_id": null, "result_files": null, "trained_tokens": 12.0, "seed": null,
        "integrations": [{"type": "mlflow", "mlflow": {}}], "usage_metrics": {"a": 1}, "shared_with_openai": false,
        "user_provided_suffix": "med"
    }));
    assert_eq!(
        (read.result_files.len(), read.trained_tokens, read.integrations.len()),
        (0, Some(12), 1)
    );
    assert_eq!(read.extra["shared_with_openai"], false);
    assert_eq!(serde_json::to_value(&read).unwrap()["usage_metrics"]["a"], 1);
}

#[test]
fn an_id_is_the_one_thing_that_must_be_there() {
    for bad in [
        json!({}),
        json!({"id": ""}),
        json!({"id": "a b"}),
        json!({"id": "a\nb"}),
        json!({"id": 5}),
    ] {
        assert!(serde_json::from_value::<Job>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn events_of_unknown_types_and_levels_are_read() {
    let page: Page<Event> = serde_json::from_value(json!({"object": "list", "data": [
        {"object": "fine_tuning.job.event", "id": "e1", "created_at": 1, "level": "info", "message": "checks", "type": "moderation_checks", "data": {"blocked": false}},
        {"id": "e2", "created_at": 2, "level": "warning", "message": "slow", "data": {}, "type": null},
        {"id": "e3", "created_at": 3, "level": "fatal", "message": null},
        {"message": "no id"},
        {"id": "e4", "created_at": 4, "level": "info", "message": "Step 1/2", "type": "metrics",
         "data": {"step": 1, "total_steps": 2, "train_loss": 1.5, "valid_loss": null, "reward": 3}}
    ]})).unwrap();
    assert_eq!((page.data.len(), page.unread.len(), page.has_more), (4, 1, None));
    assert_eq!(page.data[0].kind, Some(EventType::ModerationChecks));
    assert_eq!(page.data[1].level, Some(EventLevel::Warn));
    assert_eq!(page.data[2].level, Some(EventLevel::Other("fatal".to_owned())));
    let metrics = page.data[3].read_metrics().unwrap();
    assert_eq!((metrics.step, metrics.train_loss, metrics.valid_loss), (Some(1), Some(1.5), None));
    assert_eq!(metrics.extra["reward"], 3);
}

#[test]
fn checkpoints_with_some_metrics_only_are_read() {
    let read = |metrics: Value| {
        let value = json!({"id": "ftckpt-1", "fine_tuned_model_checkpoint": "ft:m:ckpt-step-2", "step_number": 2, "metrics": metrics});
        serde_json::from_value::<Checkpoint>(value).unwrap()
    };
    assert_eq!(read(json!({"full_valid_loss": 0.5})).metrics.full_valid_loss, Some(0.5));
    assert_eq!(read(json!({"step": 2.0, "train_loss": 0.25})).metrics.step, Some(2));
    assert_eq!(read(json!({"train_loss": null})).metrics.train_loss, None);
    assert_eq!(read(json!(null)).metrics.train_loss, None);
}

#[test]
fn files_of_any_size_purpose_and_state_are_read() {
    let page: Page<FileObject> = serde_json::from_value(json!({"data": [
        {"id": "file-1", "bytes": 5_368_709_120_u64, "purpose": "evals", "status": "processed"},
        {"id": "file-2", "purpose": "dreams", "status": "pending"}
    ]}))
    .unwrap();
    assert_eq!(page.data[0].bytes, 5_368_709_120);
    assert!(page.data[0].status.as_ref().unwrap().is_terminal());
    assert!(!page.data[1].status.as_ref().unwrap().is_terminal());
}

#[test]
fn chat_answers_of_other_services_are_read() {
    let answer: ChatCompletion = serde_json::from_value(json!({
        "choices": [{"message": {"content": "hi", "reasoning_content": "hm"}, "finish_reason": "abort"}],
        "service_tier": "odd", "usage": null
    })).unwrap();
    assert_eq!(answer.choices[0].message.text(), "hi");
    assert_eq!(answer.choices[0].finish_reason.as_ref().unwrap().as_str(), "abort");
    let chunk: ChatChunk =
        serde_json::from_value(json!({"choices": [], "usage": {"total_tokens": 3}})).unwrap();
    assert_eq!(chunk.usage.unwrap().total_tokens, 3);
    let chunk: ChatChunk = serde_json::from_value(
        json!({"choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}),
    )
    .unwrap();
    assert_eq!(chunk.choices[0].ended(), None);
}

#[test]
fn requests_are_read_strictly() {
    for bad in [
        json!({"training_file": "file-1"}),
        json!({"model": "m", "training_file": ""}),
        json!({"model": "m", "training_file": "file-1", "seed": "x"}),
        json!({"model": "m", "training_file": "file-1", "hyperparameters": {"n_epochs": [1]}}),
    ] {
        assert!(serde_json::from_value::<wire::CreateJob>(bad.clone()).is_err(), "{bad}");
    }
    for bad in [
        json!({"model": "m"}),
        json!({"model": "m", "messages": [{"content": "x"}]}),
        json!({"model": "m", "messages": [], "stream": "yes"}),
    ] {
        assert!(serde_json::from_value::<wire::ChatRequest>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn hyperparameters_of_a_request_are_found_in_both_places() {
    let request =
        json!({"model": "m", "training_file": "file-1", "hyperparameters": {"n_epochs": 2}});
    let old: wire::CreateJob = serde_json::from_value(request).unwrap();
    assert_eq!(old.chosen_hyperparameters().unwrap().n_epochs, Some(Auto::Value(2)));
    let mut new = old.clone();
    new.method = Some(wire::Method::supervised(wire::Hyperparameters {
        n_epochs: Some(Auto::Value(3)),
        ..Default::default()
    }));
    assert_eq!(new.chosen_hyperparameters().unwrap().n_epochs, Some(Auto::Value(3)));
    let dpo = json!({"model": "m", "training_file": "file-1", "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}});
    let dpo: wire::CreateJob = serde_json::from_value(dpo).unwrap();
    assert_eq!(dpo.chosen_hyperparameters().unwrap().beta, Some(Auto::Value(0.2)));
}

#[test]
fn a_job_is_written_in_the_full_shape() {
    let job = Job::new("ftjob-1".parse().unwrap(), "m", 5);
    insta::assert_json_snapshot!(job, @r#"
    {
      "id": "ftjob-1",
      "object": "fine_tuning.job",
      "created_at": 5,
      "finished_at": null,
      "estimated_finish": null,
      "model": "m",
      "fine_tuned_model": null,
      "organization_id": null,
      "status": "queued",
      "training_file": null,
      "validation_file": null,
      "result_files": [],
      "trained_tokens": null,
      "error": null,
      "hyperparameters": {},
      "seed": null,
      "integrations": [],
      "metadata": null
    }
    "#);
}

#[test]
fn batches_are_read_whole_sparse_or_strange() {
    let read = |value: Value| serde_json::from_value::<Batch>(value).unwrap();
    let full = read(json!({
        "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "errors": null,
        "input_file_id": "file-1", "completion_window": "24h", "status": "completed",
        "output_file_id": "file-2", "error_file_id": "file-3", "created_at": 1_711_471_533,
        "request_counts": {"total": 100, "completed": 95, "failed": 5}, "metadata": {"run": "x"}
    }));
    assert!(full.status.is_terminal());
    assert_eq!(full.output_file_id.map(String::from).as_deref(), Some("file-2"));
    assert_eq!(full.request_counts.map(|counts| counts.failed), Some(5));
    let sparse = read(json!({"id": "batch_1"}));
    assert_eq!((sparse.status, sparse.output_file_id), (BatchStatus::Validating, None));
    let strange =
        read(json!({"id": "batch_1", "status": "paused", "output_file_id": "", "metadata": 3,
        "errors": {"object": "list", "data": [{"code": "bad", "line": 3, "message": "no"}]}}));
    assert_eq!(strange.status, BatchStatus::Other("paused".to_owned()));
    assert!(!strange.status.is_terminal());
    assert_eq!(strange.errors.map(|errors| errors.data[0].extra["line"] == 3), Some(true));
    let line: BatchLine =
        serde_json::from_value(json!({"id": "x", "custom_id": "a", "response": null,
        "error": {"code": "batch_expired", "message": "late"}}))
        .unwrap();
    assert_eq!(line.error.and_then(|error| error.code).as_deref(), Some("batch_expired"));
}
