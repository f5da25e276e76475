//! The stages that records go through when they are prepared, each alone on one thread, in seconds of wall time.
//!
//! `cargo run --release -p medtune-benches --bin preparing-stages -- RECORDS.json [ROUNDS]`; `generate-records` makes the
//! records. The benchmark to look for is made of the bundled sample's questions.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use dataset::{Benchmark, Entry, Example, Likeness, Limits, Normal, Reader, Record, Repeats};
use serde_json::Value;
use template::{SYSTEM_PROMPT, Template};
use tokens::{Counter, Encoding};

/// A stage, and what it does with all records.
type Stage<'a> = (&'static str, Box<dyn Fn() + 'a>);

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("expected RECORDS.json [ROUNDS]")?;
    let rounds: usize = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let records = read(&path)?;
    let size: usize = records.iter().flat_map(texts).map(str::len).sum();
    println!("{} records, {:.1} MB of text", records.len(), size as f64 / 1e6);
    let benchmark = benchmark()?;
    let normals: Vec<Normal> = records.iter().map(Normal::of).collect();
    let examples: Vec<Example> = records
        .iter()
        .map(|record| Example::new(record, &Template::Headed, SYSTEM_PROMPT))
        .collect::<Result<_, _>>()?;
    let stages: Vec<Stage<'_>> = vec![
        ("read and parse", Box::new(|| drop(black_box(read(&path))))),
        ("count tokens", Box::new(|| count(&records))),
        ("normalise words", Box::new(|| each(&records, Normal::of))),
        ("bands and hashes", Box::new(|| each(&normals, Likeness::of))),
        ("find benchmark problems", Box::new(|| each(&normals, |texts| benchmark.find_in(texts)))),
        (
            "find identifiers",
            Box::new(|| each(&records, |record| texts(record).map(identifiers::scan))),
        ),
        ("SHA-256 of the texts", Box::new(|| each(&records, Record::content_hash))),
        ("write lines", Box::new(|| each(&examples, Example::to_line))),
        ("the whole check for repeats", Box::new(|| repeats(&records))),
    ];
    for (name, stage) in &stages {
        let mut times: Vec<f64> = (0..rounds.max(1)).map(|_| seconds(stage)).collect();
        times.sort_unstable_by(f64::total_cmp);
        println!("{name:28} {:.3} s, at best {:.3}", times[times.len() / 2], times[0]);
    }
    Ok(())
}

fn seconds(stage: impl Fn()) -> f64 {
    let start = Instant::now();
    stage();
    start.elapsed().as_secs_f64()
}

fn read(path: &str) -> Result<Vec<Record>> {
    let file = File::open(path).with_context(|| path.to_owned())?;
    let mut records = Vec::new();
    for entry in Reader::new(file, Limits::default()) {
        if let Entry::Record(record) = entry? {
            records.push(record);
        }
    }
    Ok(records)
}

fn texts(record: &Record) -> [&str; 3] {
    [&record.question, &record.reasoning, &record.response]
}

fn each<T, O>(items: &[T], work: impl Fn(&T) -> O) {
    for item in items {
        black_box(work(item));
    }
}

/// A counter begins without memory, as in a run.
fn count(records: &[Record]) {
    let counter = Counter::new(Encoding::O200k);
    each(records, |record| texts(record).map(|text| counter.count(text)));
}

fn repeats(records: &[Record]) {
    let mut repeats = Repeats::new_in(Path::new("."));
    let kept: Vec<&Record> =
        records.iter().filter(|record| matches!(repeats.add(record), Ok(None))).collect();
    let question = |number: usize| Ok(kept[number].question.clone());
    drop(black_box(repeats.groups(0.7, question)));
}

fn benchmark() -> Result<Benchmark> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/medical_sample.json");
    let records: Vec<Value> = serde_json::from_str(&fs::read_to_string(path)?)?;
    let mut benchmark = Benchmark::new();
    for question in records.iter().filter_map(|record| record["Question"].as_str()) {
        benchmark.add(question);
    }
    Ok(benchmark)
}
