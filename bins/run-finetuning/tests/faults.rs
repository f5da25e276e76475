//! Runs between a proxy that breaks the conversation and `kill -9` at any moment, by a seed: whatever happens, one job is
//! bought, each content is uploaded once, every event is kept once and in order, and the id is right or absent.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

#[path = "faults/http.rs"]
mod http;
#[path = "faults/proxy.rs"]
mod proxy;
#[path = "faults/seeded.rs"]
mod seeded;
#[path = "faults/service.rs"]
#[expect(dead_code, reason = "what other tests ask of the double is not needed here")]
mod service;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proxy::Proxy;
use seeded::Seeded;
use serde_json::{Value, json};
use service::{EVENTS, Quirks, Service};

/// Of a hundred requests, how many meet a fault.
const SHARE: u64 = 20;
/// After so many tries the proxy breaks nothing any more and nobody kills the client.
const TRIES: u64 = 12;
const PLANTED: &str = "Mrs Okafor from Plantville coughs since her parrot died";
const KEY: &str = "sk-planted-0123456789";
const HEADER: &str = "gateway-planted-token";

fn write(folder: &Path, name: &str, from: usize, rows: usize) {
    let row = |index: usize| json!({"messages": [{"role": "user", "content": format!("{PLANTED}, {index} days ago. What now?")}, {"role": "assistant", "content": format!("Rest {index}.")}]});
    let rows: Vec<String> =
        (from..from + rows).map(|index| row(index).to_string() + "\n").collect();
    fs::write(folder.join(name), rows.concat()).unwrap();
}

fn command(folder: &Path, base_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_run-finetuning"));
    // All waiting is as fast as the polls, so a killed request has 15 polls to arrive before a second job is asked for:
    // 0.15 s instead of 15, which a busy machine still keeps.
    command
        .args([
            "--base-url",
            base_url,
            "--base-model",
            "base",
            "--poll-seconds",
            "0.01",
            "--retries",
            "1",
            "--retry-seconds",
            "0.01",
            "-vv",
        ])
        .current_dir(folder)
        .env_clear()
        .env("OPENAI_API_KEY", KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Everything that was printed, and how often the client was started and killed.
#[derive(Debug, Default)]
struct Story {
    printed: String,
    starts: u64,
    kills: u64,
}

/// Runs the command until it succeeds.
fn until_done(
    command: &mut dyn FnMut() -> Command,
    proxy: &Proxy,
    chance: &mut Seeded,
    story: &mut Story,
) -> Output {
    loop {
        story.starts += 1;
        assert!(story.starts < TRIES + 3, "it does not come to its end: {}", story.printed);
        if story.starts > TRIES {
            proxy.heal();
        }
        let mut command = command();
        let folder = command.get_current_dir().unwrap().to_owned();
        let mut child = command.spawn().unwrap();
        if story.starts <= TRIES && chance.below(3) > 0 {
            std::thread::sleep(Duration::from_micros(chance.below(120_000)));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                story.kills += 1;
            }
        }
        let output = child.wait_with_output().unwrap();
        story.printed += &String::from_utf8_lossy(&output.stderr);
        let id = fs::read_to_string(folder.join("fine_tuned_model_id.txt")).ok();
        let right = id.as_deref().is_none_or(|id| id == "ft:base:org:med-cot-v1:ftjob-1");
        assert!(right, "{id:?} after: {}", story.printed);
        match output.status.code() {
            Some(0) => return output,
            // It was done when it was killed; the same command again would train once more, on purpose.
            None if !output.stdout.is_empty() => return output,
            Some(4) | None => {}
            other => panic!("ended with {other:?}: {}", story.printed),
        }
    }
}

/// The run's folder, which is the only one.
fn run_folder(folder: &Path) -> std::path::PathBuf {
    let runs =
        fs::read_dir(folder.join(".medtune/runs")).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> = runs.filter(|path| path.join("run.json").exists()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0)
}

fn one(seed: u64, runtime: &tokio::runtime::Runtime) -> Story {
    let mut chance = Seeded::new(seed);
    let quirks = Quirks {
        keeps_metadata: chance.below(4) > 0,
        filters: chance.below(2) > 0,
        pace: 1 + usize::try_from(chance.below(9)).unwrap(),
    };
    let (service, proxy) = runtime.block_on(async {
        let service = Service::start(quirks).await.unwrap();
        let proxy = Proxy::start(service.address, seed ^ 0x5EED, SHARE).await.unwrap();
        (service, proxy)
    });
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "medical_train.jsonl", 0, 12);
    write(folder.path(), "medical_valid.jsonl", 100, 5);
    let mut story = Story::default();
    let base_url = format!("http://{}/v1", proxy.address);
    let mut command = || command(folder.path(), &base_url);
    let output = until_done(&mut command, &proxy, &mut chance, &mut story);

    let held = service.held();
    assert_eq!(held.jobs.len(), 1, "seed {seed}: {}", story.printed);
    let mut contents: BTreeMap<&[u8], u32> = BTreeMap::new();
    for (_, content) in held.files.values() {
        *contents.entry(content).or_default() += 1;
    }
    assert!(
        contents.len() == 2 && contents.values().all(|count| *count == 1),
        "seed {seed}: {:?} {}",
        contents.values(),
        story.printed
    );
    let events = fs::read_to_string(run_folder(folder.path()).join("events.jsonl")).unwrap();
    let ids: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    let all: Vec<String> = (0..EVENTS).map(|index| format!("e{index}")).collect();
    assert_eq!(ids, all, "seed {seed}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "ft:base:org:med-cot-v1:ftjob-1\n",
        "seed {seed}"
    );
    let id = fs::read_to_string(folder.path().join("fine_tuned_model_id.txt")).unwrap();
    assert_eq!(id, "ft:base:org:med-cot-v1:ftjob-1");
    story
}

/// Runs the seeds, and tells how often the client was started and killed.
#[expect(
    clippy::print_stdout,
    reason = "the figures are what whoever runs the thousand wants to see"
)]
fn all(seeds: std::ops::Range<u64>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let next = AtomicU64::new(seeds.start);
    let (starts, kills) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let story = one(seed, &runtime);
                    starts.fetch_add(story.starts, Ordering::Relaxed);
                    kills.fetch_add(story.kills, Ordering::Relaxed);
                }
            });
        }
    });
    let count = seeds.end - seeds.start;
    println!(
        "{count} runs: {} starts, {} killed; one job each",
        starts.into_inner(),
        kills.into_inner()
    );
}

#[test]
fn a_hundred_runs_through_faults_and_kills_buy_one_job_each() {
    all(0..100);
}

#[test]
#[ignore = "takes minutes; run it by name"]
fn takes_at_most_minutes_a_thousand_runs_in_four_parts_1() {
    all(1000..1250);
}

#[test]
#[ignore = "takes minutes; run it by name"]
fn takes_at_most_minutes_a_thousand_runs_in_four_parts_2() {
    all(1250..1500);
}

#[test]
#[ignore = "takes minutes; run it by name"]
fn takes_at_most_minutes_a_thousand_runs_in_four_parts_3() {
    all(1500..1750);
}

#[test]
#[ignore = "takes minutes; run it by name"]
fn takes_at_most_minutes_a_thousand_runs_in_four_parts_4() {
    all(1750..2000);
}

/// Everything that is said and kept while a service repeats a patient's words and the secrets in all its answers, at the
/// verbosity `log`, over faults by `seed` in `share` of a hundred requests.
fn said_and_kept(seed: u64, share: u64, log: &str) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let quirks = Quirks { keeps_metadata: true, filters: true, pace: 7 };
    let (service, proxy) = runtime.block_on(async {
        let service = Service::start(quirks).await.unwrap();
        let proxy = Proxy::start(service.address, seed, share).await.unwrap();
        (service, proxy)
    });
    service.held().echo = format!("line 3 \"{PLANTED}\" key {KEY} and {HEADER}");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "medical_train.jsonl", 0, 12);
    let at = |path: &str| {
        let mut command = command(folder.path(), &format!("http://{}/{path}", proxy.address));
        command.env("OPENAI_CUSTOM_HEADERS", format!("x-gateway: {HEADER}"));
        command.env("MEDTUNE_LOG", log).env("RUST_LOG", "trace");
        command
    };
    let mut story = Story::default();
    until_done(&mut || at("v1"), &proxy, &mut Seeded::new(seed), &mut story);
    let mut said = story.printed;
    let mut say = |command: &mut Command, more: &[&str]| {
        let output = command.args(more).output().unwrap();
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    };
    let plain = || {
        let mut plain = Command::new(env!("CARGO_BIN_EXE_run-finetuning"));
        plain.current_dir(folder.path()).env_clear().env("OPENAI_API_KEY", KEY);
        plain.env("OPENAI_CUSTOM_HEADERS", format!("x-gateway: {HEADER}"));
        plain.env("MEDTUNE_LOG", log).stdin(Stdio::null());
        plain
    };
    for act in [&["events"][..], &["events", "--json"], &["cancel"], &["show"], &["list", "--json"]]
    {
        say(&mut plain(), act);
    }
    // A service that refuses, and repeats words while it does.
    write(folder.path(), "medical_train.jsonl", 50, 12);
    say(&mut at("no-such-place"), &["--suffix", "other"]);
    say(&mut at("v1"), &["--suffix", "other", "--json"]);
    for file in files(&folder.path().join(".medtune")) {
        said += &String::from_utf8_lossy(&fs::read(file).unwrap());
    }
    said
}

#[test]
fn a_patients_words_and_the_secrets_are_in_nothing_that_is_said_or_kept() {
    // The target that prints whole answers is asked for by name: it stays silent.
    let loudest = "trace,async_openai=trace,async_openai::error=trace,reqwest=trace,hyper=trace";
    for (seed, share, log) in [(1, 0, loudest), (2, 30, loudest), (3, 30, "debug"), (4, 30, "info")]
    {
        let said = said_and_kept(seed, share, log);
        assert!(said.contains("ftjob-1") && said.contains("e3"), "{said}");
        for planted in ["Okafor", "Plantville", "parrot", KEY, HEADER] {
            let line = said.lines().find(|line| line.contains(planted));
            assert_eq!(line, None, "seed {seed}");
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
