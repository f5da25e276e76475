//! How fast the engine trains: one `AdamW` step on one sequence, loss on its second half, rank 16 on all projections.
//!
//! `cargo run --package medtune-benches --bin engine-training -- MODEL [TOKENS ..]`; threads by `RAYON_NUM_THREADS`.
//! The engine is optimised in every profile, so the development profile measures the same code as the release.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use engine::{Example, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};

/// Steps measured after a first that is not.
const STEPS: usize = 6;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("the base model's path is missing")?;
    let mut lengths =
        arguments.map(|tokens| Ok(tokens.parse()?)).collect::<Result<Vec<usize>>>()?;
    if lengths.is_empty() {
        lengths = vec![256, 512, 1024];
    }
    let start = Instant::now();
    let model = Arc::new(Model::load(Path::new(&path), &LoadOptions::default())?);
    let mut out = std::io::stdout();
    let (isa, seconds) = (model.isa().name(), start.elapsed().as_secs_f64());
    writeln!(out, "{isa}, loaded in {seconds:.1} s, {} MB", peak_megabytes()?)?;
    for tokens in lengths {
        writeln!(out, "{}", measure(&model, tokens)?)?;
    }
    Ok(())
}

fn measure(model: &Arc<Model>, tokens: usize) -> Result<String> {
    let vocabulary = model.config().vocab;
    let example = Example {
        tokens: (0..tokens)
            .map(|place| u32::try_from((place * 7919 + 13) % vocabulary))
            .collect::<Result<_, _>>()?,
        weights: (0..tokens).map(|place| if place < tokens / 2 { 0.0 } else { 1.0 }).collect(),
    };
    let options = TrainOptions { epochs: STEPS + 1, batch_size: 1, ..TrainOptions::default() };
    let lora = LoraConfig::default();
    let mut trainer = Trainer::new(Arc::clone(model), &lora, options, vec![example], Vec::new())?;
    trainer.step()?;
    let (mut best, mut all) = (f64::MAX, Vec::new());
    let cpu = cpu_seconds()?;
    while let Some(report) = trainer.step()? {
        best = best.min(report.seconds);
        all.push(report.seconds);
    }
    let cpu = (cpu_seconds()? - cpu) / all.len() as f64;
    all.sort_by(f64::total_cmp);
    let (tokens_f, median) = (tokens as f64, all[all.len() / 2]);
    Ok(format!(
        "T {tokens}: {:.0} best, {:.0} median tokens/s; {:.0} tokens/CPU-s; peak {} MB",
        tokens_f / best,
        tokens_f / median,
        tokens_f / cpu,
        peak_megabytes()?
    ))
}

/// User and system time of this process, from Linux's `/proc` (in its ticks of 10 ms).
fn cpu_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit(") ").next().context("no process state")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// The greatest memory held so far, from Linux's `/proc`.
fn peak_megabytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with("VmHWM")).context("no peak")?;
    let kilobytes = line.split_whitespace().nth(1).context("no peak")?.parse::<u64>()?;
    Ok(kilobytes / 1024)
}
