//! Counts tokens with this project's counter, with tiktoken-rs and with Python's tiktoken, in turns on the same text.
//!
//! `cargo bench -p medtune-benches --bench token_counting -- [--records FILE.json] [--megabytes N] [--rounds N]
//! [--python PROGRAM]`; `PROGRAM` is a Python that has `tiktoken`. Figures are wall time; other work on the machine
//! disturbs every tool alike, so look at the ratios, which are taken within a round.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, hint};

use anyhow::{Context, Result, bail, ensure};
use medtune_benches::prose;
use tiktoken_rs::CoreBPE;
use tokens::{Counter, Encoding};

struct Options {
    records: PathBuf,
    megabytes: usize,
    rounds: usize,
    python: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() -> Result<()> {
    let options = options()?;
    println!("first token: {}", first_token());
    let records = read_records(&options.records)?;
    let real: Vec<String> =
        std::iter::repeat_n(&records, 1 + options.megabytes * 1_000_000 / size(&records))
            .flatten()
            .cloned()
            .collect();
    let size_bytes = options.megabytes * 1_000_000;
    let corpora = [
        ("records, repeated", real),
        ("English, generated", prose::english(&records, size_bytes, 42)),
        ("Chinese, generated", prose::chinese(size_bytes, 42)),
    ];
    for (name, texts) in &corpora {
        println!("\n{name}: {:.1} MB in {} texts", size(texts) as f64 / 1e6, texts.len());
        for encoding in [Encoding::O200k, Encoding::Cl100k] {
            println!("  {encoding}: {}", compare(encoding, texts, &options)?);
        }
    }
    println!("\nhostile texts of 1 MB, o200k_base, ms of this counter and of tiktoken-rs:");
    for unit in ["a", "-", "=", "!", "the ", "🧬", "漢", "A漢", "\n "] {
        println!("  {unit:?}: {}", hostile(unit));
    }
    println!(
        "\npeak memory of the whole bench: {}",
        peak_memory().unwrap_or_else(|| "not known here".to_owned())
    );
    Ok(())
}

fn options() -> Result<Options> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let records = root.join("examples/data/medical_sample.json");
    let mut options = Options { records, megabytes: 24, rounds: 5, python: None };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(flag) = arguments.next() {
        let value = arguments.next().with_context(|| format!("`{flag}` needs a value"))?;
        match flag.as_str() {
            "--records" => options.records = value.into(),
            "--megabytes" => options.megabytes = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--python" => options.python = Some(value.into()),
            _ => bail!("`{flag}` is not known"),
        }
    }
    Ok(options)
}

fn read_records(path: &PathBuf) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let records: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&text)?;
    let fields = records.iter().flat_map(|record| record.values());
    Ok(fields.filter_map(|field| field.as_str().map(str::to_owned)).collect())
}

fn size(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

/// How long it takes from nothing to the first count.
fn first_token() -> String {
    let start = Instant::now();
    let ours = Counter::new(Encoding::O200k).count("a fever of 39 °C");
    let own = start.elapsed();
    let start = Instant::now();
    let theirs = definition(Encoding::O200k).count_ordinary("a fever of 39 °C");
    format!(
        "{:.3} ms, tiktoken-rs {:.0} ms (counts {ours} and {theirs})",
        ms(own),
        ms(start.elapsed())
    )
}

fn definition(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::Cl100k => tiktoken_rs::cl100k_base_singleton(),
        _ => tiktoken_rs::o200k_base_singleton(),
    }
}

/// Medians over the rounds, in each of which every tool counts all texts once.
fn compare(encoding: Encoding, texts: &[String], options: &Options) -> Result<String> {
    let bytes = size(texts) as f64;
    let file =
        std::env::temp_dir().join(format!("medtune-token-counting-{}.json", std::process::id()));
    if options.python.is_some() {
        fs::write(&file, serde_json::to_vec(texts)?)?;
    }
    let (mut own, mut rust_ratios, mut python_ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let counter = Counter::new(encoding);
        let (ours, time) = timed(|| texts.iter().map(|text| counter.count(text)).sum::<usize>());
        let (theirs, rust_time) =
            timed(|| texts.iter().map(|text| definition(encoding).count_ordinary(text)).sum());
        ensure!(ours == theirs, "{ours} tokens, but {theirs} by tiktoken-rs");
        own.push(bytes / 1e6 / time);
        rust_ratios.push(rust_time / time);
        if let Some(python) = &options.python {
            let (theirs, python_time) = by_python(python, &file, encoding)?;
            ensure!(ours == theirs, "{ours} tokens, but {theirs} by Python's tiktoken");
            python_ratios.push(python_time / time);
        }
    }
    fs::remove_file(&file)
        .or_else(|error| if options.python.is_some() { Err(error) } else { Ok(()) })?;
    let python = if python_ratios.is_empty() {
        String::new()
    } else {
        format!(", {:.1} x Python's tiktoken", median(&mut python_ratios))
    };
    Ok(format!(
        "{:.0} MB/s, {:.1} x tiktoken-rs{python}",
        median(&mut own),
        median(&mut rust_ratios)
    ))
}

fn by_python(python: &PathBuf, file: &PathBuf, encoding: Encoding) -> Result<(usize, f64)> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("token_counting.py");
    let output = Command::new(python).arg(script).arg(file).arg(encoding.name()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout)?;
    let (count, seconds) =
        printed.trim().split_once(' ').context("the script printed no two numbers")?;
    Ok((count.parse()?, seconds.parse()?))
}

fn hostile(unit: &str) -> String {
    let text = unit.repeat(1_000_000 / unit.len());
    let counter = Counter::new(Encoding::O200k);
    let (_, own) = timed(|| counter.count(&text));
    let (_, theirs) = timed(|| definition(Encoding::O200k).count_ordinary(&text));
    format!("{:.0} and {:.0}", own * 1e3, theirs * 1e3)
}

fn timed(count: impl FnOnce() -> usize) -> (usize, f64) {
    let start = Instant::now();
    let counted = hint::black_box(count());
    (counted, start.elapsed().as_secs_f64())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|size| size.trim().to_owned())
}
