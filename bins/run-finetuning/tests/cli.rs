//! What a user of the tool sees: exit codes, both streams, the files, and what a service is asked.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

#[path = "../../../crates/transport/tests/support/mod.rs"]
#[expect(
    dead_code,
    reason = "what other crates' tests need of the shared double is not needed here"
)]
mod support;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cli::{Environment, Terminal};
use inference::SavedModel;
use serde_json::{Value, json};
use support::{Double, Reply};
use tempfile::TempDir;
use template::{SYSTEM_PROMPT, Template};

const ROWS: usize = 12;

/// A working folder with examples in it, and perhaps a service.
struct Bench {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap(),
        };
        bench.write("train.jsonl", ROWS);
        bench
    }

    fn write(&self, name: &str, rows: usize) {
        self.write_rows(name, 0..rows);
    }

    fn write_rows(&self, name: &str, rows: std::ops::Range<usize>) {
        let row = |index: usize| {
            let answer =
                format!("## Thinking\n\nReason {index}.\n\n## Final Response\n\nAnswer {index}.");
            json!({"messages": [{"role": "system", "content": SYSTEM_PROMPT},
                {"role": "user", "content": format!("Question {index}?")}, {"role": "assistant", "content": answer}]})
        };
        let text: Vec<String> = rows.map(|index| row(index).to_string() + "\n").collect();
        fs::write(self.path(name), text.concat()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn double(&self, replies: impl IntoIterator<Item = Reply>) -> Double {
        self.runtime.block_on(Double::start(replies)).unwrap()
    }

    fn run(&self, more: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut arguments: Vec<OsString> = Vec::new();
        let paths = [
            ("--train", "train.jsonl"),
            ("--runs-dir", "runs"),
            ("--data-dir", "server"),
            ("--model-file", "model.json"),
        ];
        for (flag, name) in paths.into_iter().filter(|(flag, _)| !more.contains(flag)) {
            arguments.extend([OsString::from(flag), self.path(name).into()]);
        }
        arguments.extend(["--poll-seconds", "0.05", "--retries", "0"].map(OsString::from));
        arguments.extend(more.iter().map(OsString::from));
        self.tool(arguments, environment)
    }

    fn tool(&self, arguments: Vec<OsString>, environment: &[(&str, &str)]) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = &mut Terminal::plain(&mut out, &mut err);
        let exit = run_finetuning::run(
            arguments,
            &Environment::from_pairs(environment.iter().copied()),
            terminal,
        );
        let folder = self.folder.path().to_str().unwrap();
        let [out, err] =
            [out, err].map(|bytes| String::from_utf8(bytes).unwrap().replace(folder, "~"));
        Ran { exit: exit as u8, out, err }
    }

    fn at(&self, double: &Double, more: &[&str]) -> Ran {
        let base =
            ["--base-url", double.base_url.as_str(), "--base-model", "base", "--epochs", "2"];
        self.run(&[&base, more].concat(), &[("OPENAI_API_KEY", "sk-planted")])
    }

    /// The runs' files, in the order of their names.
    fn runs(&self) -> Vec<Value> {
        let entries = fs::read_dir(self.path("runs")).into_iter().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let read = |folder: PathBuf| fs::read(folder.join("run.json")).ok();
        folders
            .into_iter()
            .filter_map(read)
            .map(|run| serde_json::from_slice(&run).unwrap())
            .collect()
    }

    fn open_runs(&self) -> usize {
        self.runs()
            .iter()
            .filter(|run| run["stage"] == "begun" || run["stage"] == "created")
            .count()
    }
}

/// How a run ended and what it printed.
#[derive(Debug)]
struct Ran {
    exit: u8,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn ended(&self, exit: u8, says: &[&str]) {
        assert_eq!(self.exit, exit, "{self:?}");
        for text in says {
            assert!(self.err.contains(text), "no `{text}` in {}", self.err);
        }
        assert!(!self.err.contains("sk-planted") && !self.err.contains("Question"), "{}", self.err);
    }
}

fn list(items: &[Value]) -> Reply {
    Reply::json(200, &json!({"object": "list", "data": items, "has_more": false}))
}

fn file(id: &str) -> Reply {
    Reply::json(200, &json!({"id": id, "object": "file", "status": "processed"}))
}

fn job(status: &str) -> Value {
    json!({"id": "ftjob-1", "object": "fine_tuning.job", "model": "base", "status": status, "training_file": "file-1", "error": {},
        "fine_tuned_model": if status == "succeeded" { json!("ft:base:org:med-cot-v1:1") } else { Value::Null },
        "trained_tokens": 600, "created_at": 10, "finished_at": 40})
}

/// What is answered until the job is asked for.
fn begin() -> Vec<Reply> {
    vec![model(None), list(&[]), file("file-1"), file("file-1"), list(&[]), list(&[])]
}

fn model(shutdown_date: Option<&str>) -> Reply {
    Reply::json(200, &json!({"id": "base", "object": "model", "shutdown_date": shutdown_date}))
}

fn metrics(step: u64, full_valid_loss: Option<f64>) -> Value {
    json!({"id": format!("e{step}"), "created_at": step, "level": "info", "type": "metrics", "message": format!("Step {step}/4"),
        "data": {"step": step, "total_steps": 4, "train_loss": 2.0, "full_valid_loss": full_valid_loss}})
}

#[test]
fn a_job_at_a_service_is_followed_to_its_model_and_saved() {
    let bench = Bench::new();
    let mut replies = begin();
    replies.extend([
        Reply::json(200, &job("queued")),
        Reply::json(200, &job("running")),
        list(&[metrics(0, Some(3.0))]),
    ]);
    replies.extend([
        Reply::json(200, &job("succeeded")),
        list(&[metrics(4, Some(1.5)), metrics(0, Some(3.0))]),
    ]);
    let double = bench.double(replies);
    let ran = bench.at(&double, &[]);
    ran.ended(
        0,
        &[
            "12 examples to train on, 0 to measure on; template headed",
            "job ftjob-1 created",
            "Step 4/4",
            "validation loss 3.0000 before, 1.5000 after",
            "600 tokens trained in 30 s (20 tokens/s)",
        ],
    );
    assert_eq!(ran.out, "ft:base:org:med-cot-v1:1\n");
    assert_eq!(
        fs::read_to_string(bench.path("fine_tuned_model_id.txt")).unwrap(),
        "ft:base:org:med-cot-v1:1"
    );
    let saved = SavedModel::load(&bench.path("model.json")).unwrap();
    assert_eq!((saved.system_prompt.as_str(), saved.template), (SYSTEM_PROMPT, Template::Headed));
    assert_eq!(saved.base_url.as_deref(), Some(double.base_url.as_str()));
    assert_eq!((saved.base_model.as_str(), saved.files["train.jsonl"].len()), ("base", 64));
    let request: Value = serde_json::from_str(&double.asked()[6].body).unwrap();
    assert_eq!((&request["suffix"], &request["model"]), (&json!("med-cot-v1"), &json!("base")));
    assert_eq!(request["method"]["supervised"]["hyperparameters"], json!({"n_epochs": 2}));
    assert_eq!(bench.open_runs(), 0);
}

#[test]
fn a_closed_door_is_explained_with_the_ways_that_remain() {
    let bench = Bench::new();
    let mut replies = begin();
    replies.push(Reply::refusal(403, "training_not_available"));
    let ran = bench.at(&bench.double(replies), &[]);
    ran.ended(
        4,
        &[
            "since 2026-05-07",
            "from 2027-01-06",
            "the service answered 403",
            "--provider local",
            "file-1",
        ],
    );
    assert!(ran.out.is_empty() && !bench.path("fine_tuned_model_id.txt").exists());
    assert_eq!(bench.open_runs(), 0);
}

#[test]
fn a_service_that_breaks_refuses_or_is_not_there_ends_with_4() {
    let bench = Bench::new();
    bench
        .at(&bench.double([model(None), Reply::refusal(500, "server_error")]), &[])
        .ended(4, &["cannot upload ~/train.jsonl", "500"]);
    bench
        .at(&bench.double([model(None), list(&[]), Reply::refusal(401, "invalid_api_key")]), &[])
        .ended(4, &["OPENAI_API_KEY"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/v1");
    bench
        .run(&["--base-url", &url], &[])
        .ended(4, &["no connection to 127.0.0.1", "hint: is the service's address right"]);
}

#[test]
fn a_failed_or_cancelled_job_ends_with_5_and_leaves_the_old_id_alone() {
    let bench = Bench::new();
    fs::write(bench.path("fine_tuned_model_id.txt"), "ft:old").unwrap();
    for (mut replies, status, says) in [
        (begin(), "failed", "the job ftjob-1 failed: too few (invalid_n_examples)"),
        (begin(), "cancelled", "was cancelled"),
    ] {
        let mut end = job(status);
        end["error"] = json!({"code": "invalid_n_examples", "message": "too few"});
        replies.extend([Reply::json(200, &job("queued")), Reply::json(200, &end), list(&[])]);
        let ran = bench.at(&bench.double(replies), &[]);
        ran.ended(
            5,
            &[says, "note: ~/fine_tuned_model_id.txt is an earlier run's and was left as it is"],
        );
        assert_eq!(bench.open_runs(), 0);
    }
    assert_eq!(fs::read_to_string(bench.path("fine_tuned_model_id.txt")).unwrap(), "ft:old");
    assert!(!bench.path("model.json").exists());
}

#[test]
fn a_job_whose_answer_was_lost_is_found_by_the_next_run_and_not_bought_twice() {
    let bench = Bench::new();
    let mut replies = begin();
    replies.extend([Reply::nothing(), Reply::refusal(500, "x")]);
    // The second run: the file is known by its id, and the job by what is in the record.
    let double = bench.double(replies);
    let first = bench.at(&double, &[]);
    first.ended(
        4,
        &["whether the job was created is not known", "the same command looks for the job again"],
    );
    assert_eq!(bench.open_runs(), 1);
    let asked = double.asked();
    let request: Value = serde_json::from_str(&asked[6].body).unwrap();
    let mut ours = job("running");
    ours["metadata"] = request["metadata"].clone();
    double.queue([
        file("file-1"),
        file("file-1"),
        list(&[ours]),
        Reply::json(200, &job("succeeded")),
        list(&[]),
    ]);
    bench.at(&double, &[]).ended(0, &["job ftjob-1 was begun before"]);
    let posts = double.lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 2, "one upload and one job: {:?}", double.lines());
}

#[test]
fn a_job_that_an_earlier_run_noted_is_followed_without_uploading_again() {
    let bench = Bench::new();
    let mut replies = begin();
    replies.extend([Reply::json(200, &job("queued")), Reply::refusal(401, "revoked")]);
    let double = bench.double(replies);
    bench
        .at(&double, &[])
        .ended(4, &["lost sight of the job ftjob-1", "the same command follows it again"]);
    double.queue([
        Reply::json(200, &job("running")),
        Reply::json(200, &job("succeeded")),
        list(&[]),
    ]);
    bench.at(&double, &[]).ended(0, &["job ftjob-1 was begun before (running): following it"]);
    assert_eq!(double.lines().len(), 12);
}

#[test]
fn bad_files_end_with_3_and_nothing_is_sent() {
    let bench = Bench::new();
    let double = bench.double([]);
    let missing = bench.path("none.jsonl");
    bench
        .at(&double, &["--train", missing.to_str().unwrap()])
        .ended(3, &["~/none.jsonl", "hint: prepare-data writes it"]);
    for (text, says) in [
        ("", "holds no data"),
        ("{\"messages\":[]}\n", "line 1: missing_messages_list"),
        ("\n{\"Question\":\"q\"}\n", "line 2: missing_messages_list"),
        ("[{\"messages\":[]}]\n", "a JSON array; services want one example a line"),
        ("messages\n", "no JSON lines"),
        (
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\" \"}]}\n",
            "line 1: missing_content in message 0",
        ),
    ] {
        fs::write(bench.path("bad.jsonl"), text).unwrap();
        let bad = bench.path("bad.jsonl");
        bench.at(&double, &["--train", bad.to_str().unwrap()]).ended(3, &["~/bad.jsonl", says]);
        bench.at(&double, &["--valid", bad.to_str().unwrap()]).ended(3, &["~/bad.jsonl"]);
    }
    bench.write("few.jsonl", 3);
    let few = bench.path("few.jsonl");
    let far =
        ["--base-url", "https://service.invalid/v1", "--yes", "--train", few.to_str().unwrap()];
    bench
        .run(&far, &[("OPENAI_API_KEY", "sk-planted")])
        .ended(3, &["3 examples, and at least 10 are wanted"]);
    assert!(double.lines().is_empty());
}

#[test]
fn spending_money_is_asked_about_first_and_a_shut_down_model_refused() {
    let bench = Bench::new();
    let key = [("OPENAI_API_KEY", "sk-planted")];
    let ran = bench.run(&["--base-url", "https://service.invalid/v1"], &key);
    ran.ended(
        2,
        &["the records will be sent to service.invalid", "USD", "hint: --yes agrees to it"],
    );
    let ran = bench.run(&["--base-model", "gpt-3.5-turbo-0125"], &key);
    ran.ended(4, &["OpenAI no longer trains gpt-3.5-turbo-0125", "2026-10-23", "--provider local"]);
    bench.run(&["--provider", "openai"], &[]).ended(2, &["no key for api.openai.com"]);
    assert_eq!(bench.open_runs(), 0);
}

#[test]
fn wrong_arguments_end_with_2() {
    let bench = Bench::new();
    for wrong in [
        ["--suffix", "a b"],
        ["--epochs", "0"],
        ["--seed", "3000000000"],
        ["--learning-rate-multiplier", "0"],
        ["--provider", "mine"],
    ] {
        bench.run(&wrong, &[]).ended(2, &[wrong[1]]);
    }
    bench
        .run(&["--provider", "local", "--base-model", "no-such-model"], &[])
        .ended(2, &["no-such-model"]);
}

#[test]
fn the_tiny_model_is_trained_on_this_machine_and_answers_as_saved() {
    let bench = Bench::new();
    bench.write_rows("valid.jsonl", 100..105);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    let valid = bench.path("valid.jsonl");
    let arguments = [
        "--base-model",
        golden.to_str().unwrap(),
        "--valid",
        valid.to_str().unwrap(),
        "--epochs",
        "2",
        "--batch-size",
        "4",
        "--learning-rate-multiplier",
        "4",
        "--seed",
        "7",
    ];
    let ran = bench.run(&arguments, &[]);
    ran.ended(
        0,
        &[
            "on this machine (OPENAI_API_KEY is not set)",
            "12 examples to train on, 5 to measure on",
            "validation loss",
            "tokens/s",
        ],
    );
    let id = fs::read_to_string(bench.path("fine_tuned_model_id.txt")).unwrap();
    assert_eq!(ran.out, format!("{id}\n"));
    assert!(id.starts_with("ft:tiny-llama:local:med-cot-v1:"), "{id}");
    let saved = SavedModel::load(&bench.path("model.json")).unwrap();
    assert_eq!((saved.data_dir.clone(), saved.files.len()), (Some(bench.path("server")), 2));
    assert!(
        saved.base_model_path.as_ref().is_some_and(|path| path.is_dir()) && saved.is_as_trained()
    );
    let losses: Vec<f64> = ran
        .err
        .lines()
        .find(|line| line.starts_with("validation loss"))
        .unwrap()
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(losses[1] < losses[0], "{losses:?}");
    let again = bench.run(&arguments, &[]);
    again.ended(0, &[&format!("note: the same was trained before, as {id}")]);
    // The run knows the path that the model's id does not hold.
    bench.write("train.jsonl", 20);
    let few = bench.run(&["--continue-from", &id], &[]);
    few.ended(3, &["train.continued.jsonl: 8 examples, and at least 10 are wanted"]);
    bench.write("train.jsonl", 22);
    let further = bench.run(&["--continue-from", &id, "--epochs", "1"], &[]);
    further.ended(0, &[&format!("10 examples are new to {id}")]);
    assert!(further.out.starts_with("ft:tiny-llama:local:med-cot-v1:") && further.out.trim() != id);
}

#[test]
fn pairs_of_answers_are_learnt_from_on_this_machine() {
    let bench = Bench::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    let answer = |text: String| json!([{"role": "assistant", "content": text}]);
    let pair = |index: usize| {
        json!({"input": {"messages": [{"role": "user", "content": format!("Question {index}?")}]},
            "preferred_output": answer(format!("Rest {index} days.")), "non_preferred_output": answer(format!("Run {index} miles."))})
    };
    let write = |name: &str, pairs: std::ops::Range<usize>| {
        let lines: Vec<String> = pairs.map(|index| pair(index).to_string() + "\n").collect();
        fs::write(bench.path(name), lines.concat()).unwrap();
    };
    write("train.jsonl", 0..12);
    write("valid.jsonl", 100..104);
    let valid = bench.path("valid.jsonl");
    let arguments = [
        "--base-model",
        golden.to_str().unwrap(),
        "--valid",
        valid.to_str().unwrap(),
        "--method",
        "dpo",
        "--beta",
        "0.5",
        "--epochs",
        "2",
        "--batch-size",
        "4",
    ];
    let ran = bench.run(&arguments, &[]);
    ran.ended(0, &["12 examples to train on, 4 to measure on", "validation loss"]);
    assert!(ran.out.starts_with("ft:tiny-llama:local:med-cot-v1:"), "{}", ran.out);
}
