//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

/// Ask the fine-tuned model a question; its reasoning and its final response are printed apart.
///
/// The model is the one that run-finetuning saved, asked with the system prompt and template of its training. Without a
/// question a conversation begins; --many asks a whole file. For research only: not for diagnosis, treatment or any other
/// clinical use.
#[derive(Debug, Parser)]
#[command(name = "ask", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The question, or - to read it from standard input; without one a conversation begins on a terminal.
    pub(crate) question: Option<String>,
    /// Read the question from this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "many"])]
    pub(crate) file: Option<PathBuf>,
    /// Ask the base model the same, and show both answers side by side.
    #[arg(long, conflicts_with = "many")]
    pub(crate) compare: bool,
    /// What run-finetuning saved; where it is missing, `fine_tuned_model_id.txt` beside it.
    #[arg(long, value_name = "FILE", default_value = inference::SavedModel::FILE)]
    pub(crate) model_file: PathBuf,
    /// Ask this model instead of the saved one.
    #[arg(long, value_name = "ID")]
    pub(crate) model: Option<String>,
    /// Where the model is: at a service, on this machine, or (auto) where it was trained.
    #[arg(long, value_enum, default_value_t = Place::Auto)]
    pub(crate) provider: Place,
    /// The service's address with its `/v1` [default: `OPENAI_BASE_URL` or OpenAI's].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The embedded server's data [default: that of the training, `MEDTUNE_DATA_DIR` or .medtune/server].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The base model on this machine, a name or a path [default: that of the training].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) base_model: Option<String>,
    /// How freely to draw, 0 to 2.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.5, value_parser = temperature)]
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

/// Where the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// Where it was trained.
    Auto,
    /// On this machine.
    Local,
    /// At a service that speaks OpenAI's dialect.
    Openai,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 no saved model or a bad one, 4 the service refused, \
did not answer or broke off.";

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=2.0).contains(&number) => Ok(number),
        _ => Err("not a number from 0 to 2".to_owned()),
    }
}
