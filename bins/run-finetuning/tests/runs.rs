//! Runs after they were begun: left alone and followed again, listed, stopped, swept, continued and cleaned up.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

#[path = "faults/http.rs"]
#[expect(dead_code, reason = "the proxy of other tests forwards whole messages")]
mod http;
#[path = "faults/service.rs"]
mod service;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use cli::{Environment, Terminal};
use serde_json::{Value, json};
use service::{EVENTS, Quirks, Service};
use tempfile::TempDir;

/// A working folder with examples in it, and a service that trains nothing.
struct Bench {
    folder: TempDir,
    service: Service,
    _runtime: tokio::runtime::Runtime,
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
    fn ended(&self, exit: u8, says: &[&str]) -> &Self {
        assert_eq!(self.exit, exit, "{self:?}");
        for text in says {
            assert!(self.err.contains(text) || self.out.contains(text), "no `{text}` in {self:?}");
        }
        self
    }
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let quirks = Quirks { keeps_metadata: true, filters: true, pace: 6 };
        let service = runtime.block_on(Service::start(quirks)).unwrap();
        let bench = Self { folder: tempfile::tempdir().unwrap(), service, _runtime: runtime };
        bench.write("train.jsonl", 0..12);
        bench
    }

    fn write(&self, name: &str, rows: std::ops::Range<usize>) {
        let row = |index: usize| json!({"messages": [{"role": "user", "content": format!("Question {index}?")}, {"role": "assistant", "content": format!("Answer {index}.")}]});
        let text: Vec<String> = rows.map(|index| row(index).to_string() + "\n").collect();
        fs::write(self.path(name), text.concat()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, arguments: &[&str]) -> Ran {
        let runs = self.path("runs");
        let runs = ["--runs-dir", runs.to_str().unwrap(), "--retries", "0"];
        let arguments: Vec<OsString> = arguments.iter().chain(&runs).map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let environment = Environment::from_pairs([("OPENAI_API_KEY", "sk-planted")]);
        let terminal = &mut Terminal::plain(&mut out, &mut err);
        let exit = run_finetuning::run(arguments, &environment, terminal) as u8;
        let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
        Ran { exit, out, err }
    }

    fn train(&self, more: &[&str]) -> Ran {
        let url = format!("http://{}/v1", self.service.address);
        let paths = ["train.jsonl", "model.json"].map(|name| self.path(name));
        let [train, model] = paths.each_ref().map(|path| path.to_str().unwrap());
        let base = [
            "--base-url",
            &url,
            "--base-model",
            "base",
            "--poll-seconds",
            "0.005",
            "--model-file",
            model,
        ];
        let train = if more.contains(&"--train") { vec![] } else { vec!["--train", train] };
        let names_model = |flag| more.contains(&flag);
        let base = if ["--continue-from", "--base-model"].into_iter().any(names_model) {
            [&base[..2], &base[4..]].concat()
        } else {
            base.to_vec()
        };
        self.tool(&[&base[..], &train, more].concat())
    }

    fn follow(&self, which: &[&str]) -> Ran {
        let model = self.path("model.json");
        let how = ["--poll-seconds", "0.005", "--model-file", model.to_str().unwrap(), "--follow"];
        self.tool(&[&how[..], which].concat())
    }

    fn run_folder(&self) -> PathBuf {
        let entries = fs::read_dir(self.path("runs")).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> =
            entries.filter(|path| path.join("run.json").exists()).collect();
        folders.sort();
        folders.pop().unwrap()
    }

    fn run_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.run_folder().join("run.json")).unwrap()).unwrap()
    }
}

#[test]
fn a_job_is_left_to_itself_and_followed_later_to_its_model() {
    let bench = Bench::new();
    let ran = bench.train(&["--detach"]);
    ran.ended(0, &["the job goes on by itself", "run-finetuning --follow"]);
    assert_eq!(ran.out, "ftjob-1\n");
    let name = bench.run_folder().file_name().unwrap().to_str().unwrap().to_owned();
    bench.tool(&["list"]).ended(0, &[&name, "queued", "ftjob-1", "base at http://127.0.0.1"]);
    bench
        .tool(&["show", &name])
        .ended(0, &["file ", "(12 examples", "there as file-1", "job ftjob-1"]);
    let followed = bench.follow(&[&name[..12]]);
    followed.ended(
        0,
        &["following the job ftjob-1", "600 tokens trained in 30 s", "learning_curve.svg"],
    );
    assert_eq!(followed.out, "ft:base:org:med-cot-v1:ftjob-1\n");
    let id = fs::read_to_string(bench.path("fine_tuned_model_id.txt")).unwrap();
    assert_eq!(id, "ft:base:org:med-cot-v1:ftjob-1");
    assert!(fs::read_to_string(bench.path("model.json")).unwrap().contains("train.jsonl"));
    let curve = fs::read_to_string(bench.run_folder().join("learning_curve.csv")).unwrap();
    assert_eq!(curve.lines().count(), 1 + EVENTS / 2);
    assert!(
        fs::read_to_string(bench.run_folder().join("learning_curve.svg"))
            .unwrap()
            .starts_with("<svg")
    );
    bench.tool(&["list", "--json"]).ended(0, &[r#""stage":"ended""#, r#""model":"ft:base"#]);
    assert_eq!(bench.service.held().jobs.len(), 1);
}

#[test]
fn events_are_told_once_over_several_commands_and_shown_again_when_asked_for() {
    let bench = Bench::new();
    bench.train(&["--detach"]).ended(0, &[]);
    bench.tool(&["pause"]).ended(0, &[]);
    let over = bench.train(&["--deadline", "0.2s"]);
    over.ended(
        1,
        &[
            "the job is paused",
            "the deadline is over; the job ftjob-1 goes on at 127.0.0.1",
            "run-finetuning cancel",
        ],
    );
    bench.tool(&["resume"]).ended(0, &[]);
    let later = bench.train(&[]);
    later.ended(0, &["job ftjob-1 was begun before", "24 events were told before"]);
    let kept = fs::read_to_string(bench.run_folder().join("events.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), EVENTS);
    let shown = bench.tool(&["events"]);
    let steps: Vec<&str> = shown.out.lines().collect();
    assert_eq!((steps.len(), steps[0].trim()), (EVENTS, "Step 0"));
    let json = bench.tool(&["events", "ftjob-1", "--json"]);
    let last: Value = serde_json::from_str(json.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["id"], &last["data"]["step"]), (&json!("e23"), &json!(23)));
}

#[test]
fn with_json_standard_output_holds_one_object_a_line() {
    let bench = Bench::new();
    let ran = bench.train(&["--json"]);
    ran.ended(0, &[]);
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((count("event"), count("model")), (EVENTS, 1));
    assert_eq!(lines.last().unwrap()["model"], "ft:base:org:med-cot-v1:ftjob-1");
}

#[test]
fn a_job_of_no_run_can_be_followed_by_its_id() {
    let bench = Bench::new();
    bench.train(&["--detach"]).ended(0, &[]);
    fs::remove_dir_all(bench.path("runs")).unwrap();
    let url = format!("http://{}/v1", bench.service.address);
    bench.follow(&["ftjob-1", "--base-url", &url]).ended(0, &["ft:base:org:med-cot-v1:ftjob-1"]);
    bench.follow(&["ftjob-9", "--base-url", &url]).ended(4, &["404"]);
}

#[test]
fn what_is_meant_is_found_or_named_as_unknown() {
    let bench = Bench::new();
    bench.tool(&["show"]).ended(2, &["there are no runs in"]);
    bench.tool(&["list"]).ended(0, &["there are no runs in"]);
    bench.train(&["--detach"]).ended(0, &[]);
    bench.train(&["--detach", "--suffix", "other"]).ended(0, &[]);
    bench.tool(&["show", "20"]).ended(2, &["20 is the beginning of several runs"]);
    bench.tool(&["show", "no such run"]).ended(2, &["no run of that name"]);
}

#[test]
fn cancel_pause_and_resume_ask_the_service() {
    let bench = Bench::new();
    bench.train(&["--detach"]).ended(0, &[]);
    for (command, status) in [("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")] {
        bench.tool(&[command]).ended(0, &[&format!("the job ftjob-1 is {status}")]);
        assert_eq!(bench.run_json()["status"], status);
    }
    assert_eq!(bench.run_json()["stage"], "ended");
}

#[test]
fn files_of_runs_that_are_over_are_deleted_when_that_is_agreed_to() {
    let bench = Bench::new();
    bench.train(&["--detach"]).ended(0, &[]);
    bench.tool(&["clean", "--yes"]).ended(0, &["0 files deleted"]);
    bench.follow(&[]).ended(0, &[]);
    bench.tool(&["clean"]).ended(2, &["--yes agrees to it"]);
    bench.tool(&["clean", "--yes"]).ended(0, &["deleted file-1", "1 files deleted"]);
    assert!(bench.service.held().files.is_empty());
    // What is gone is uploaded anew, and what is there is not.
    bench.train(&["--suffix", "second"]).ended(0, &["uploading train.jsonl"]);
    bench.train(&["--suffix", "third"]).ended(0, &["train.jsonl is there already, as file-2"]);
    assert_eq!(bench.service.held().files.len(), 1);
}

#[test]
fn a_sweep_trains_every_combination_once_and_keeps_the_best() {
    let bench = Bench::new();
    let sweep = ["--sweep", "epochs=1,2", "--sweep", "learning-rate-multiplier=0.5,2"];
    let ran = bench.train(&sweep);
    ran.ended(
        0,
        &[
            "sweep, 4 of 4: epochs=2 learning-rate-multiplier=2",
            "epochs=1 learning-rate-multiplier=0.5: validation loss",
        ],
    );
    // The double's loss is least where most is trained at the smaller rate.
    assert_eq!(ran.out, "ft:base:org:med-cot-v1:ftjob-3\n");
    assert_eq!(bench.service.held().jobs.len(), 4);
    bench.train(&sweep).ended(0, &["was trained before, as ft:base:org:med-cot-v1:ftjob-3"]);
    let held = bench.service.held();
    assert_eq!((held.jobs.len(), held.files.len()), (4, 1));
    drop(held);
    bench
        .train(&["--sweep", "epochs=1,2,3,4,5,6,7", "--sweep", "seed=1,2,3,4,5"])
        .ended(2, &["35 combinations"]);
}

#[test]
fn pairs_of_answers_are_checked_and_trained_on_with_their_beta() {
    let bench = Bench::new();
    let answer = |text: String| json!([{"role": "assistant", "content": text}]);
    let pair = |index: usize| {
        json!({"input": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": format!("Question {index}?")}]},
            "preferred_output": answer(format!("Rest {index}.")), "non_preferred_output": answer(format!("Run {index}."))})
    };
    let write = |name: &str, pairs: &[Value]| {
        let lines: Vec<String> = pairs.iter().map(|pair| pair.to_string() + "\n").collect();
        fs::write(bench.path(name), lines.concat()).unwrap();
    };
    let mut pairs: Vec<Value> = (0..12).map(pair).collect();
    write("train.jsonl", &pairs);
    bench.train(&[]).ended(
        3,
        &["line 1: missing_messages_list; pairs of answers are trained on with --method dpo"],
    );
    let dpo = ["--method", "dpo", "--beta", "0.2", "--epochs", "2"];
    bench.train(&dpo).ended(0, &["12 examples to train on, 0 to measure on"]);
    let held = bench.service.held();
    let method = json!({"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 2, "beta": 0.2}}});
    assert_eq!(held.jobs[0].request()["method"], method);
    drop(held);
    let saved: Value =
        serde_json::from_slice(&fs::read(bench.path("model.json")).unwrap()).unwrap();
    assert_eq!(saved["system_prompt"], "Be brief.");

    bench
        .train(&["--method", "dpo", "--sweep", "beta=0.1,0.3"])
        .ended(0, &["sweep, 2 of 2: beta=0.3"]);
    assert_eq!(bench.service.held().jobs.len(), 3);
    bench.train(&["--sweep", "beta=0.1,0.3"]).ended(2, &["beta: only preference tuning has one"]);
    bench.train(&["--beta", "0.1"]).ended(2, &["only preference tuning has one"]);
    bench
        .train(&["--method", "dpo", "--beta", "3"])
        .ended(2, &["not a number above 0 and up to 2"]);

    pairs[6]["non_preferred_output"] = pairs[6]["preferred_output"].clone();
    write("train.jsonl", &pairs);
    bench.train(&["--method", "dpo"]).ended(3, &["line 7: same_outputs", "each line is a pair"]);
    bench.write("train.jsonl", 0..12);
    bench
        .train(&["--method", "dpo"])
        .ended(3, &["line 1: missing_input; examples of good answers"]);
}

#[test]
fn training_goes_on_from_a_model_with_the_records_that_are_new_to_it() {
    let bench = Bench::new();
    bench.train(&[]).ended(0, &[]);
    let model = "ft:base:org:med-cot-v1:ftjob-1";
    let checkpoint = format!("{model}:ckpt-step-8");
    for model in [model, &checkpoint] {
        bench.train(&["--continue-from", model]).ended(3, &["trained on all 12 examples already"]);
    }
    bench.write("train.jsonl", 0..30);
    let second = bench.train(&["--continue-from", model]);
    second.ended(0, &["18 examples are new", "18 examples to train on"]);
    assert_eq!(bench.service.held().jobs[1].model(), model);
    bench.write("train.jsonl", 5..40);
    bench
        .train(&["--continue-from", "ft:base:org:med-cot-v1:ftjob-2"])
        .ended(0, &["10 examples are new"]);
    bench.train(&["--continue-from", "ft:unknown"]).ended(2, &["no run in", "made ft:unknown"]);
}

#[test]
fn an_upload_in_parts_is_one_file_of_the_same_content() {
    let bench = Bench::new();
    bench.train(&["--in-parts"]).ended(0, &[]);
    let sent = fs::read(bench.path("train.jsonl")).unwrap();
    let held = bench.service.held();
    let contents: Vec<&Vec<u8>> = held.files.values().map(|(_, content)| content).collect();
    assert_eq!(contents, [&sent]);
}

#[test]
fn what_must_not_leave_this_machine_is_refused_before_anything_is_sent() {
    let bench = Bench::new();
    let away = |more: &[&str]| {
        let train = bench.path("train.jsonl");
        let base = [
            "--base-url",
            "https://service.invalid/v1",
            "--yes",
            "--train",
            train.to_str().unwrap(),
        ];
        bench.tool(&[&base[..], more].concat())
    };
    let text = fs::read_to_string(bench.path("train.jsonl")).unwrap();
    fs::write(bench.path("train.jsonl"), text.replace("Answer 3.", "Call (617) 555-0143."))
        .unwrap();
    let refused = away(&[]);
    refused.ended(
        3,
        &[
            "identifiers of patients (PHONE 1), first in lines 4",
            "--phi redact",
            "--allow-identifiers",
        ],
    );
    assert!(!refused.err.contains("555"));
    away(&["--allow-identifiers"]).ended(4, &["warning", "no connection"]);
    bench.train(&[]).ended(0, &["warning", "PHONE 1"]);
}

#[test]
fn measuring_on_what_is_trained_on_is_refused_and_costs_are_kept_to() {
    let bench = Bench::new();
    bench.write("valid.jsonl", 10..15);
    let valid = bench.path("valid.jsonl");
    let valid = ["--valid", valid.to_str().unwrap()];
    bench.train(&valid).ended(3, &["2 of 5 examples are trained on as well"]);
    bench.train(&[&valid[..], &["--allow-overlap"]].concat()).ended(0, &["warning"]);
    let train = bench.path("train.jsonl");
    let away =
        ["--base-url", "https://service.invalid/v1", "--yes", "--train", train.to_str().unwrap()];
    bench
        .tool(&[&away[..], &["--max-cost", "0.000001"]].concat())
        .ended(2, &["more than --max-cost", "USD per million"]);
    bench
        .tool(&[&away[..], &["--max-cost", "5", "--base-model", "m"]].concat())
        .ended(2, &["what it costs is not known for m"]);
}

#[test]
fn a_model_that_is_unknown_or_shut_down_is_told_of_before_anything_is_sent() {
    let bench = Bench::new();
    bench
        .train(&["--base-model", "unknown"])
        .ended(4, &["is there a model unknown at the service?"]);
    bench
        .train(&["--base-model", "gone-2020-01-01"])
        .ended(4, &["the service shut gone-2020-01-01 down on 2020-01-01", "--provider local"]);
    let held = bench.service.held();
    assert!(held.files.is_empty() && held.jobs.is_empty());
}

#[test]
fn providers_differ_as_their_profiles_say() {
    let bench = Bench::new();
    bench
        .train(&[
            "--epochs",
            "2",
            "--override",
            "dialect.hyperparameters=top-level",
            "--override",
            "dialect.job-fields.trainingType=standard",
            "--override",
            "dialect.byte-order-mark=true",
        ])
        .ended(0, &[]);
    let held = bench.service.held();
    let request = held.jobs[0].request();
    assert_eq!(
        (&request["hyperparameters"]["n_epochs"], &request["trainingType"]),
        (&json!(2), &json!("standard"))
    );
    assert!(request.get("method").is_none());
    assert!(held.files.values().all(|(_, content)| content.starts_with(b"\xEF\xBB\xBF{")));
}
