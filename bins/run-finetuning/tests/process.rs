//! The tool as a process: signals, and the `.env` file of the working folder.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |index: usize| json!({"messages": [{"role": "user", "content": format!("Question {index}?")}, {"role": "assistant", "content": "Rest."}]});
    let rows: Vec<String> = (0..40).map(|index| row(index).to_string() + "\n").collect();
    fs::write(folder.path().join("medical_train.jsonl"), rows.concat()).unwrap();
    folder
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_run-finetuning"))
        .args(arguments)
        .args(["--poll-seconds", "0.05", "--retries", "0"])
        .current_dir(folder)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn an_interrupted_local_job_goes_on_with_the_same_command() {
    let folder = folder();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    let arguments = [
        "--provider",
        "local",
        "--base-model",
        golden.to_str().unwrap(),
        "--epochs",
        "40",
        "--batch-size",
        "1",
    ];
    let mut child = start(folder.path(), &arguments);
    let mut printed = BufReader::new(child.stderr.take().unwrap()).lines();
    // Training is under way once a step is told.
    let step = printed.by_ref().map(Result::unwrap).find(|line| line.starts_with("Step ")).unwrap();
    assert!(step.contains("/1600"), "{step}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let rest: Vec<String> = printed.map(Result::unwrap).collect();
    let rest = rest.join("\n");
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    assert!(
        rest.contains("error: interrupted; the job ftjob-")
            && rest.contains("the same command goes on with it"),
        "{rest}"
    );
    assert!(!folder.path().join("fine_tuned_model_id.txt").exists());
    let again = start(folder.path(), &arguments).wait_with_output().unwrap();
    let told = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(0), "{told}");
    assert!(
        told.contains("was begun before") && told.contains("training goes on behind step"),
        "{told}"
    );
    let id = fs::read_to_string(folder.path().join("fine_tuned_model_id.txt")).unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), format!("{id}\n"));
    let saved = fs::read_to_string(folder.path().join("fine_tuned_model.json")).unwrap();
    assert!(saved.contains("\"data_dir\": \".medtune/server\""), "{saved}");
}

#[test]
fn the_working_folders_dotenv_names_the_service_and_is_not_shown() {
    let folder = folder();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::write(
        folder.path().join(".env"),
        format!("OPENAI_API_KEY=sk-planted\nOPENAI_BASE_URL=http://{closed}/v1\n"),
    )
    .unwrap();
    let mut child = start(folder.path(), &["--base-model", "m", "-vv"]);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4), "{told}");
    assert!(
        told.contains("OPENAI_API_KEY is set)") && told.contains("no connection to 127.0.0.1"),
        "{told}"
    );
    assert!(!told.contains("sk-planted") && !told.contains("Question"), "{told}");
}
