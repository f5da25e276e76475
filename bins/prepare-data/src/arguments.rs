//! The command line, as typed.

use std::path::PathBuf;

use clap::Parser;
use dataset::Fraction;
use template::Template;

/// Turn medical reasoning records into training and validation files for fine-tuning.
///
/// Every record of the input ends up in the training file, in the validation file, or is left out and reported. The
/// files appear whole or not at all.
#[derive(Debug, Parser)]
#[command(name = "prepare-data", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// A JSON array of records with the fields `Question`, `Complex_CoT` and `Response`.
    #[arg(long, value_name = "FILE", default_value = "medical_o1_sft_mix.json")]
    pub(crate) input: PathBuf,
    /// Where the training examples go.
    #[arg(long, value_name = "FILE", default_value = "medical_train.jsonl")]
    pub(crate) train_output: PathBuf,
    /// Where the validation examples go; with at most 10 examples there are none and an old file is removed.
    #[arg(long, value_name = "FILE", default_value = "medical_valid.jsonl")]
    pub(crate) valid_output: PathBuf,
    /// The share of examples for validation, at least 5 of them; 0 for none.
    #[arg(long, value_name = "SHARE", default_value_t = Fraction::TENTH)]
    pub(crate) valid_fraction: Fraction,
    /// Decides which examples validate and in what order all are written.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// How reasoning and response are joined: under headings that an answer is split by again, or as they are.
    #[arg(long, default_value_t = Template::default(), value_name = "headed|plain")]
    pub(crate) template: Template,
    /// The system message of every example, or @FILE that holds it; empty for none [default: the original project's].
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) system_prompt: Option<String>,
    /// The model to be tuned; its encoding counts the tokens, its price or speed makes the estimate.
    #[arg(long, value_name = "MODEL", default_value = "smollm2-135m-instruct")]
    pub(crate) base_model: String,
    /// Also write the report as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Print the report as JSON instead of the summary.
    #[arg(long)]
    pub(crate) json: bool,
    /// Log more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed (such as a full disk), 2 usage, 3 input missing or bad.";
