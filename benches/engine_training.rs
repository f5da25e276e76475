//! How fast the engine trains: `AdamW` steps on one sequence or several as long, loss on the second half, rank 16 on all
//! projections.
//!
//! `cargo run --package medtune-benches --bin engine-training -- MODEL [--compute f32|bf16|auto] [--isa NAME] [--json]
//! [--keep-quantised] [--memory MB] [--batch N] [--shared N] [--steps N] [TOKENS ..]`; threads by `RAYON_NUM_THREADS`. With
//! `--json` one line a length. Sequences of a batch are alike in their first `--shared` tokens.
//! The engine is optimised in every profile, so the development profile measures the same code as the release.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use engine::{Compute, Example, Isa, LoadOptions, LoraConfig, Model, TrainOptions, Trainer, rate};

/// What is measured.
struct Config {
    model: PathBuf,
    options: LoadOptions,
    json: bool,
    steps: usize,
    /// Sequences in a step.
    batch: usize,
    /// Tokens that these begin with alike.
    shared: usize,
    /// Megabytes that training may hold.
    memory: Option<usize>,
    lengths: Vec<usize>,
}

/// What one length took.
struct Measured {
    /// Of a step.
    tokens: usize,
    /// Seconds of each step after the first, rising.
    seconds: Vec<f64>,
    /// CPU seconds of one step.
    cpu: f64,
    loss: f64,
    peak_megabytes: u64,
}

fn main() -> Result<()> {
    let config = Config::of(std::env::args().skip(1))?;
    let start = Instant::now();
    let model = Arc::new(Model::load(&config.model, &config.options)?);
    let mut out = std::io::stdout();
    let (isa, compute, seconds) =
        (model.isa().name(), model.compute(), start.elapsed().as_secs_f64());
    let peak = rate::peak_operations_per_second(model.isa(), compute);
    if !config.json {
        let (peak, held) = (peak / 1e9, peak_megabytes()?);
        writeln!(
            out,
            "{isa}, {compute}, peak {peak:.0} GFLOP/s, loaded in {seconds:.1} s, {held} MB"
        )?;
    }
    for tokens in &config.lengths {
        let measured = measure(&model, *tokens, &config)?;
        let operations =
            rate::operations_per_token(model.config(), &LoraConfig::default(), *tokens);
        if config.json {
            writeln!(out, "{}", measured.json(isa, compute, [operations, peak]))?;
        } else {
            writeln!(out, "{}", measured.line(operations))?;
        }
    }
    Ok(())
}

impl Config {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut config = Self {
            model: PathBuf::new(),
            options: LoadOptions::default(),
            json: false,
            steps: 6,
            batch: 1,
            shared: 0,
            memory: None,
            lengths: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} VALUE"));
            match argument.as_str() {
                "--json" => config.json = true,
                "--keep-quantised" => config.options.keep_quantised = true,
                "--memory" => config.memory = Some(value()?.parse()?),
                "--batch" => config.batch = value()?.parse()?,
                "--shared" => config.shared = value()?.parse()?,
                "--steps" => config.steps = value()?.parse()?,
                "--isa" => {
                    let name = value()?;
                    let isa = Isa::named(&name).with_context(|| format!("no {name} here"))?;
                    config.options.isa = Some(isa);
                }
                "--compute" => {
                    let name = value()?;
                    config.options.compute =
                        Compute::named(&name).with_context(|| format!("no type {name}"))?;
                }
                _ if config.model == Path::new("") => config.model = argument.into(),
                _ => config.lengths.push(argument.parse()?),
            }
        }
        if config.model == Path::new("") {
            bail!("the base model's path is missing");
        }
        if config.lengths.is_empty() {
            config.lengths = vec![256, 512, 1024];
        }
        Ok(config)
    }
}

fn measure(model: &Arc<Model>, tokens: usize, config: &Config) -> Result<Measured> {
    let vocabulary = model.config().vocab;
    let token = |place: usize, index: usize| {
        let other = if place < config.shared { 0 } else { 101 * index };
        u32::try_from((place * 7919 + 13 + other) % vocabulary)
    };
    let weights: Vec<_> =
        (0..tokens).map(|place| if place < tokens / 2 { 0.0 } else { 1.0 }).collect();
    let example = |index: usize| {
        let tokens = (0..tokens).map(|place| token(place, index)).collect::<Result<_, _>>()?;
        Ok(Example { tokens, weights: weights.clone() })
    };
    let (epochs, batch_size) = (config.steps + 1, config.batch);
    let options = TrainOptions { epochs, batch_size, ..TrainOptions::default() };
    let examples: Vec<_> = (0..batch_size).map(example).collect::<Result<_>>()?;
    let lora = LoraConfig::default();
    let mut trainer = Trainer::new(Arc::clone(model), &lora, options, examples, Vec::new())?;
    if let Some(megabytes) = config.memory {
        trainer.limit_memory(megabytes << 20);
    }
    let loss = trainer.step()?.context("no step")?.loss;
    let mut seconds = Vec::new();
    let cpu = cpu_seconds()?;
    while let Some(report) = trainer.step()? {
        seconds.push(report.seconds);
    }
    let cpu = (cpu_seconds()? - cpu) / seconds.len() as f64;
    seconds.sort_by(f64::total_cmp);
    let tokens = tokens * batch_size;
    Ok(Measured { tokens, seconds, cpu, loss, peak_megabytes: peak_megabytes()? })
}

impl Measured {
    /// Tokens a second of the best and of the median step, and by CPU time.
    fn rates(&self) -> [f64; 3] {
        let tokens = self.tokens as f64;
        let median = self.seconds[self.seconds.len() / 2];
        [tokens / self.seconds[0], tokens / median, tokens / self.cpu]
    }

    fn line(&self, operations: f64) -> String {
        let [best, median, cpu] = self.rates();
        format!(
            "T {}: {best:.0} best, {median:.0} median tokens/s; {cpu:.0} tokens/CPU-s; {:.0} GFLOP/s; peak {} MB",
            self.tokens,
            best * operations / 1e9,
            self.peak_megabytes
        )
    }

    fn json(&self, isa: &str, compute: Compute, [operations, peak]: [f64; 2]) -> serde_json::Value {
        let [best, median, cpu] = self.rates();
        serde_json::json!({
            "isa": isa,
            "compute": compute.name(),
            "tokens": self.tokens,
            "best": best,
            "median": median,
            "per_cpu_second": cpu,
            "share_of_peak": best * operations / peak,
            "peak_operations_per_second": peak,
            "loss": self.loss,
            "peak_megabytes": self.peak_megabytes,
        })
    }
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
