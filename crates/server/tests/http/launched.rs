//! Jobs that another program trains, with a shell script in its place.

use std::path::{Path, PathBuf};

use crate::support::{MODEL, Service, row, rows, text};
use anyhow::Result;
use serde_json::{Value, json};
use server::{Launch, Training};

/// What it does is up to its second argument; `train.py` and the job's folder come behind it.
const PROGRAM: &str = r#"
adapter=$1; how=$2; folder=$4
mkdir -p "$folder/states/checkpoint-2" "$folder/adapter"
cp "$adapter"/* "$folder/states/checkpoint-2"
cp "$adapter"/* "$folder/adapter"
cp "$folder/train.jsonl" "$folder/job.json" "$(dirname "$0")"
tell() { echo "$1" >> "$folder/events.jsonl"; }
tell '{"step":1,"total_steps":2,"train_loss":2.5,"train_mean_token_accuracy":0.25,"tokens":10}'
tell '{"step":2,"total_steps":2,"train_loss":2.0,"train_mean_token_accuracy":0.5,"tokens":20}'
tell '{"step":2,"total_steps":2,"full_valid_loss":1.5,"full_valid_mean_token_accuracy":0.5}'
tell '{"step":2,"total_steps":2,"checkpoint":"states/checkpoint-2"}'
case $how in
    fail) echo "words of a patient"; exit 7 ;;
    wait) cat > /dev/null; exit 3 ;;
esac
"#;

/// A server whose jobs are trained by the script, which has an adapter of a job before.
struct Bench {
    service: Service,
    program: tempfile::TempDir,
    adapter: PathBuf,
}

impl Bench {
    async fn start(how: &str) -> Result<Self> {
        let service = Service::start().await?;
        let file = service.upload(rows(10)).await?;
        let request = json!({"model": MODEL, "training_file": file, "hyperparameters": {"n_epochs": 1, "batch_size": 5}});
        let first = text(&service.post("/fine_tuning/jobs", &request).await?, "id")?;
        service.ended(&first).await?;
        let adapter = service.data.path().join("adapters").join(first).join("final");
        let program = tempfile::tempdir()?;
        let script = program.path().join("program.sh");
        std::fs::write(&script, PROGRAM)?;
        let command = ["sh", path(&script), path(&adapter), how].map(str::to_owned).to_vec();
        let launch = Launch { command, model: Some("as-trl-knows-it".to_owned()) };
        let service =
            service.restart(|options| options.training = Training::Launched(launch)).await?;
        Ok(Self { service, program, adapter })
    }

    async fn job(&self) -> Result<String> {
        let file = self.service.upload(rows(10)).await?;
        let valid = self.service.upload(row("number 77?", "yes, 77")).await?;
        let request = json!({
            "model": MODEL, "training_file": file, "validation_file": valid, "seed": 5,
            "hyperparameters": {"n_epochs": 2, "batch_size": 10},
        });
        text(&self.service.post("/fine_tuning/jobs", &request).await?, "id")
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

#[tokio::test]
async fn what_the_program_tells_and_makes_is_the_jobs() -> Result<()> {
    let bench = Bench::start("succeed").await?;
    let service = &bench.service;
    let id = bench.job().await?;
    let done = service.ended(&id).await?;
    assert_eq!(done["status"], "succeeded", "{done}");
    let events = service.events(&id).await?;
    let metrics: Vec<&Value> =
        events.iter().map(|event| &event["data"]).filter(|data| !data.is_null()).collect();
    assert_eq!(
        metrics,
        [
            &json!({"step": 1, "total_steps": 2, "train_loss": 2.5, "train_mean_token_accuracy": 0.25}),
            &json!({
                "step": 2, "total_steps": 2, "train_loss": 2.0, "train_mean_token_accuracy": 0.5,
                "full_valid_loss": 1.5, "full_valid_mean_token_accuracy": 0.5,
            }),
        ]
    );
    let checkpoints = service.get(&format!("/fine_tuning/jobs/{id}/checkpoints")).await?;
    assert_eq!(checkpoints["data"][0]["step_number"], 2);
    let model = text(&done, "fine_tuned_model")?;
    let made =
        service.data.path().join("adapters").join(&id).join("final/adapter_model.safetensors");
    let given = bench.adapter.join("adapter_model.safetensors");
    assert!(std::fs::read(made)? == std::fs::read(given)?);
    let chat =
        json!({"model": model, "max_tokens": 2, "messages": [{"role": "user", "content": "q"}]});
    assert_eq!(service.post("/chat/completions", &chat).await?["model"], json!(model));

    let told: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.program.path().join("job.json"))?)?;
    assert_eq!((&told["model"], &told["adapter"]), (&json!("as-trl-knows-it"), &Value::Null));
    assert_eq!(
        (&told["epochs"], &told["batch_size"], &told["seed"]),
        (&json!(2), &json!(10), &json!(5))
    );
    let rows = std::fs::read_to_string(bench.program.path().join("train.jsonl"))?;
    insta::assert_snapshot!(rows.lines().next().unwrap_or_default(), @r#"{"prompt":[{"role":"user","content":"number 0?"}],"completion":[{"role":"assistant","content":"yes, 0"}]}"#);
    assert_eq!(rows.lines().count(), 10);
    Ok(())
}

#[tokio::test]
async fn a_program_that_fails_fails_the_job_and_leaves_its_log() -> Result<()> {
    let bench = Bench::start("fail").await?;
    let id = bench.job().await?;
    let failed = bench.service.ended(&id).await?;
    let message = text(&failed["error"], "message")?;
    let expected = format!(
        "The trainer ended with exit status: 7; what it said is in logs/{id}.log in the server's data folder"
    );
    assert_eq!((&failed["error"]["code"], message), (&json!("server_error"), expected));
    let log = bench.service.data.path().join(format!("logs/{id}.log"));
    assert_eq!(std::fs::read_to_string(log)?, "words of a patient\n");

    let launch = Launch { command: vec!["no-such-program".to_owned()], model: None };
    let service =
        bench.service.restart(|options| options.training = Training::Launched(launch)).await?;
    let bench = Bench { service, ..bench };
    let failed = bench.service.ended(&bench.job().await?).await?;
    let message = text(&failed["error"], "message")?;
    assert!(message.starts_with("The trainer `no-such-program` cannot be started"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_program_ends_when_its_job_pauses_or_is_cancelled() -> Result<()> {
    let bench = Bench::start("wait").await?;
    let service = &bench.service;
    let id = bench.job().await?;
    let act = |verb: &'static str| {
        let path = format!("/fine_tuning/jobs/{id}/{verb}");
        async move { service.post(&path, &json!({})).await }
    };
    let told = |count: usize| {
        let id = &id;
        async move {
            loop {
                let events = service.events(id).await?;
                let steps = events.iter().filter(|event| event["data"]["step"] == 2).count();
                if steps >= count {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    };
    told(1).await?;
    act("pause").await?;
    service.until(&id, |job| job["status"] == "paused").await?;
    act("resume").await?;
    service.until(&id, |job| job["status"] == "running").await?;
    assert_eq!(act("cancel").await?["status"], "cancelled");
    // Its state goes only when its program has gone.
    let state = service.data.path().join("training").join(&id);
    while state.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    told(1).await
}
