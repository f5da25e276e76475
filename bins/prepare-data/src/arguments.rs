//! The command line, as typed.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Parser;
use dataset::Fraction;

use crate::against::AgainstArguments;
use crate::check::CheckArguments;
use crate::download::DownloadArguments;
use crate::overlong::Overlong;
use crate::phi::Phi;

/// Turn medical reasoning records into training and validation files for fine-tuning.
///
/// Every record of the input ends up in the training file, in the validation file, or is left out and reported. The
/// files appear whole or not at all.
#[derive(Debug, Parser)]
#[command(name = "prepare-data", version, after_help = AFTER, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Records as a JSON array, JSON lines, CSV or Parquet, also compressed (.gz, .zst); `-` is standard input
    /// [default: `medical_o1_sft_mix.json`].
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) download: DownloadArguments,
    /// The question's field [default: Question, or a known name like it].
    #[arg(long, value_name = "NAME")]
    pub(crate) question_field: Option<String>,
    /// The reasoning's field [default: `Complex_CoT`, or a known name like it].
    #[arg(long, value_name = "NAME")]
    pub(crate) reasoning_field: Option<String>,
    /// The response's field [default: Response, or a known name like it].
    #[arg(long, value_name = "NAME")]
    pub(crate) response_field: Option<String>,
    /// Where the training examples go.
    #[arg(long, value_name = "FILE", default_value = "medical_train.jsonl")]
    pub(crate) train_output: PathBuf,
    /// Where the validation examples go; with at most 10 examples there are none and an old file is removed.
    #[arg(long, value_name = "FILE", default_value = "medical_valid.jsonl")]
    pub(crate) valid_output: PathBuf,
    /// Where it is written what became of every record [default: `medical_dataset.manifest.json` beside the training
    /// file].
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// List the records that are left out here, as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Also write the report to this file: as one page for a browser where its name ends in .html, else as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Vec<PathBuf>,
    /// The share of examples for validation, at least 5 of them; 0 for none.
    #[arg(long, value_name = "SHARE", default_value_t = Fraction::TENTH)]
    pub(crate) valid_fraction: Fraction,
    /// Decides which examples validate and in what order all are written.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// How the sides are chosen: `shuffle` gives exact shares, `stable` never moves a record when others are added.
    #[arg(long, value_enum, default_value_t = Splitting::Shuffle, value_name = "shuffle|stable")]
    pub(crate) split: Splitting,
    /// Questions that have this share of three-word runs in common stay on one side; 1 for equal questions only.
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = share)]
    pub(crate) near_threshold: f64,
    #[command(flatten)]
    pub(crate) against: AgainstArguments,
    /// What to do about identifiers of patients: say where they stand, put their kind in their place, or write nothing.
    ///
    /// Text in which none is found is not thereby de-identified: names, ages and stories are not looked for.
    #[arg(long, value_enum, default_value_t = Phi::Report, value_name = "report|redact|fail", hide_possible_values = true)]
    pub(crate) phi: Phi,
    /// The most tokens of an example [default: what the base model is trained on].
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<NonZero<usize>>,
    /// What to do about longer ones: leave them out, write nothing, or shorten their reasoning (never the response).
    #[arg(long, value_enum, default_value_t = Overlong::Reject, value_name = "reject|fail|trim-reasoning", hide_possible_values = true)]
    pub(crate) overlong: Overlong,
    /// How reasoning and response are joined: under headings or in tags that an answer is split by again, as they are,
    /// or as a Jinja file says (a path with `@` before it or `.jinja` at its end).
    ///
    /// A file may use the variables question, reasoning and response.
    #[arg(long, default_value = "headed", value_name = "headed|plain|think|@FILE")]
    pub(crate) template: String,
    /// The system message of every example, or @FILE that holds it; empty for none [default: the original project's].
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) system_prompt: Option<String>,
    /// The model to be tuned; its encoding counts the tokens, its price or speed makes the estimate.
    #[arg(long, value_name = "MODEL", default_value = "smollm2-135m-instruct")]
    pub(crate) base_model: String,
    /// Prices, limits and shutdown dates of models as TOML, in place of the bundled table.
    #[arg(long, value_name = "FILE")]
    pub(crate) price_table: Option<PathBuf>,
    /// How many threads judge and count [default: one for each core]; the files are the same with any number.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
    /// Stop at the first record that would be left out, and write nothing.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Read and count, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the report as JSON instead of the summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Log more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What else the tool does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(CheckArguments),
}

/// How the sides are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Splitting {
    /// By a seeded shuffle, with exact shares.
    Shuffle,
    /// By each record's own hash, so that a growing dataset never moves one.
    Stable,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let valid = share > 0.0 && share <= 1.0;
    valid.then_some(share).ok_or_else(|| "expected a number above 0 and up to 1".to_owned())
}

const AFTER: &str = "\
Examples:
  prepare-data                           medical_o1_sft_mix.json of this folder
  prepare-data --download                fetches that file first
  prepare-data --input records.csv --phi redact --report report.html
  prepare-data check medical_train.jsonl

Exit codes: 0 done, 1 failed (such as a full disk), 2 usage, 3 input missing or bad, 4 the hub cannot be used.";
