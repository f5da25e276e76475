//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser};
use connect::ModelArguments;

/// Ask the fine-tuned model a question; its reasoning and its final response are printed apart.
///
/// The model is the one that run-finetuning saved, asked with the system prompt and template of its training. Without a
/// question a conversation begins; --many asks a whole file. For research only: not for diagnosis, treatment or any other
/// clinical use.
#[derive(Debug, Parser)]
#[command(name = "ask", version, after_help = AFTER)]
pub(crate) struct Arguments {
    /// The question, or - to read it from standard input; without one a conversation begins on a terminal.
    pub(crate) question: Option<String>,
    /// Read the question from this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "many"])]
    pub(crate) file: Option<PathBuf>,
    /// Ask the base model the same, and show both answers side by side.
    #[arg(long, conflicts_with = "many")]
    pub(crate) compare: bool,
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// How freely to draw, 0 to 2.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.5, value_parser = connect::temperature)]
    pub(crate) temperature: f64,
    /// The most tokens to answer with.
    #[arg(long, value_name = "TOKENS", default_value_t = 1500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_tokens: u64,
    /// Makes the draws repeatable.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<i64>,
    /// Another system prompt, or @FILE that holds it; empty for none [default: that of the training].
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) system_prompt: Option<String>,
    /// How the answer is split [default: as in the training].
    #[arg(long, value_name = "headed|plain|think|@FILE")]
    pub(crate) template: Option<String>,
    /// How long to wait for a saved model that the service does not know yet.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait_seconds: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the answer when it is whole, not while it arrives.
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Log more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(flatten)]
    pub(crate) many: ManyArguments,
}

/// The arguments that ask many questions.
#[derive(Args, Debug)]
#[command(next_help_heading = "Many questions")]
pub(crate) struct ManyArguments {
    /// Ask the questions of this file, one a line: a text, or an object with `question` or chat `messages`, and any `id`.
    #[arg(long, value_name = "FILE", requires = "output", conflicts_with_all = ["question", "json", "no_stream"])]
    pub(crate) many: Option<PathBuf>,
    /// With --many: the answers, one a line in the questions' order; what is answered there already is not asked again.
    #[arg(long, value_name = "FILE", requires = "many")]
    pub(crate) output: Option<PathBuf>,
    /// With --many: the most questions open at once; fewer where the service's limits say so [default: 64, here 8].
    #[arg(long, value_name = "COUNT", requires = "many", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) at_once: Option<u16>,
    /// With --many: ask by the service's batch API, which takes up to a day and costs less.
    #[arg(long, requires = "many", conflicts_with = "at_once")]
    pub(crate) batch_api: bool,
    /// With --many: prices of one's own [default: the bundled table].
    #[arg(long, value_name = "FILE", requires = "many")]
    pub(crate) price_table: Option<PathBuf>,
}

const AFTER: &str = "\
Examples:
  ask \"What are the first steps in sudden chest pain?\"
  ask                                    a conversation; /help lists what can be typed
  ask --compare \"Why do hands tremble?\"  the base model beside the tuned one
  ask --many questions.jsonl --output answers.jsonl

Exit codes: 0 done, 1 failed, 2 usage, 3 no saved model or a bad one, 4 the service refused, \
did not answer or broke off.";
