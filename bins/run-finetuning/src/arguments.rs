//! The command line, as typed.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Fine-tune a model on prepared files and save its id.
///
/// On this machine (no key needed) or at a service that speaks OpenAI's dialect. Running the same command again on the
/// same files finds the job that it began, also after a crash, and never starts a second one beside it.
#[derive(Debug, Parser)]
#[command(name = "run-finetuning", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Where to train: on this machine, at a service, or (auto) at a service if there is a key for it.
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    pub(crate) provider: Choice,
    /// The model to start from, on this machine also a path [default: smollm2-135m-instruct on this machine,
    /// gpt-4.1-mini-2025-04-14 at a service].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) base_model: Option<String>,
    /// A word in the new model's id: up to 64 letters, digits, - and _; empty for none.
    #[arg(long, value_name = "WORD", default_value = "med-cot-v1", value_parser = suffix)]
    pub(crate) suffix: String,
    /// Passes over the training file [default: the service's choice].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub(crate) epochs: Option<u32>,
    /// Examples a step [default: the service's choice].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) batch_size: Option<u32>,
    /// A factor on the service's own learning rate [default: the service's choice].
    #[arg(long, value_name = "NUMBER", value_parser = positive)]
    pub(crate) learning_rate_multiplier: Option<f64>,
    /// What the order of the examples is drawn from [default: the service's choice].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=2_147_483_647))]
    pub(crate) seed: Option<i64>,
    /// The examples to train on.
    #[arg(long, value_name = "FILE", default_value = "medical_train.jsonl")]
    pub(crate) train: PathBuf,
    /// The examples to measure on [default: `medical_valid.jsonl`, if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) valid: Option<PathBuf>,
    /// Seconds between two looks at the job [default: 1 on this machine, 20 at a service].
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) poll_seconds: Option<f64>,
    /// How often a request that had no answer, or one that says to come back, is repeated.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) retries: u32,
    /// Prices, limits and shutdown dates of models as TOML, in place of the bundled table.
    #[arg(long, value_name = "FILE")]
    pub(crate) price_table: Option<PathBuf>,
    /// Do not ask before spending money.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The service's address with its `/v1` [default: `OPENAI_BASE_URL` or OpenAI's].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The embedded server's data [default: `MEDTUNE_DATA_DIR` or .medtune/server].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where it is noted which job belongs to which files.
    #[arg(long, value_name = "DIR", default_value = ".medtune/runs")]
    pub(crate) runs_dir: PathBuf,
    /// Where the model is saved; its bare id goes to `fine_tuned_model_id.txt` beside it.
    #[arg(long, value_name = "FILE", default_value = inference::SavedModel::FILE)]
    pub(crate) model_file: PathBuf,
    /// Log more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Where to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// At a service if there is a key or an address for it, else on this machine.
    Auto,
    /// On this machine.
    Local,
    /// At a service that speaks OpenAI's dialect.
    Openai,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed or interrupted, 2 usage, 3 files missing or bad, 4 the service \
refused or did not answer, 5 the job itself failed or was cancelled.";

/// The characters that every service takes; `OpenAI` does not say which it does.
fn suffix(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if text.len() <= 64 && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err("not up to 64 letters, digits, - and _".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("not a number above 0".to_owned()),
    }
}
