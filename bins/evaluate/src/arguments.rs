//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use connect::ModelArguments;
use evaluation::Condition;

/// Measure a model and say how sure the numbers are; compare two on the same questions.
///
/// For research only: not for diagnosis, treatment or any other clinical use. No number here says that a model is fit
/// for one.
#[derive(Debug, Parser)]
#[command(name = "evaluate", version, after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log more (-v, -vv).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask a model and measure its answers.
    Run(Box<RunArguments>),
    /// Mark recorded answers to multiple-choice problems, without asking any model; `evaluate rules` says how.
    Score(ScoreArguments),
    /// Compare two runs on the same questions: the folders that `evaluate run` left.
    Compare(CompareArguments),
    /// Tell how answers are read, what is measured, and the names that --fail-if knows.
    Rules(RulesArguments),
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Held-out chat JSONL [default: `medical_valid.jsonl`, where nothing else is to be measured].
    #[arg(long, value_name = "FILE")]
    pub(crate) holdout: Option<PathBuf>,
    /// Multiple-choice problems; a file's name without its ending names the set.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) choices: Vec<PathBuf>,
    /// Conversations with rubrics in HealthBench's shape; needs --judge.
    #[arg(long, value_name = "FILE", requires = "judge")]
    pub(crate) rubrics: Option<PathBuf>,
    /// Ask the small built-in set of safety questions too.
    #[arg(long)]
    pub(crate) safety: bool,
    /// By answers, by log-probabilities (losses, likelihoods of choices), or both where the service tells them.
    #[arg(long, value_enum, default_value_t = By::Both)]
    pub(crate) by: By,
    /// Measure at most so many items of each set, drawn by --seed.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    #[command(flatten)]
    pub(crate) asking: AskingArguments,
    #[command(flatten)]
    pub(crate) guard: GuardArguments,
    #[command(flatten)]
    pub(crate) judge: JudgeArguments,
    /// Draws samples, intervals and answers.
    #[arg(long, value_name = "NUMBER", default_value_t = 42)]
    pub(crate) seed: u32,
    /// The folder for answers and reports; a run that was interrupted goes on there [default: evaluation/MODEL].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) outcome: OutcomeArguments,
}

/// How it is asked.
#[derive(Debug, Args)]
pub(crate) struct AskingArguments {
    /// How freely answers are drawn, 0 to 2; 0 makes them repeatable.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, value_parser = connect::temperature)]
    pub(crate) temperature: f64,
    /// The most tokens of an answer.
    #[arg(long, value_name = "TOKENS", default_value_t = 1500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_tokens: u64,
    /// How many questions are open at the same time; fewer where the service asks for fewer.
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) parallel: u16,
}

/// Where the model was trained, for the search for leaks.
#[derive(Debug, Args)]
pub(crate) struct GuardArguments {
    /// The training file, searched for what is measured [default: `medical_train.jsonl` where it is].
    #[arg(long, value_name = "FILE")]
    pub(crate) train: Option<PathBuf>,
    /// prepare-data's manifest [default: `medical_dataset.manifest.json` where it is].
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Measure although items stand in the training data; every page of the report says so.
    #[arg(long)]
    pub(crate) allow_leak: bool,
    /// Measure although the model is asked otherwise than it was trained; every page of the report says so.
    #[arg(long)]
    pub(crate) allow_mismatch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JudgeArguments {
    /// Let this model judge free answers; given twice, the second shows how far judges agree.
    #[arg(long, value_name = "ID")]
    pub(crate) judge: Vec<String>,
    /// The judges' service [default: `OPENAI_BASE_URL` or OpenAI's]; given twice, the second judge's.
    #[arg(long, value_name = "URL", requires = "judge")]
    pub(crate) judge_base_url: Vec<String>,
    /// The most tokens of a verdict.
    #[arg(long, value_name = "TOKENS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) judge_max_tokens: u64,
}

#[derive(Debug, Args)]
pub(crate) struct OutcomeArguments {
    /// End with exit code 6 where this holds, such as "accuracy < 0.4"; may be given several times.
    #[arg(long, value_name = "CONDITION")]
    pub(crate) fail_if: Vec<Condition>,
    /// Print the report as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArguments {
    /// Recorded answers (JSON, JSON lines), or a folder with a file for each problem as MIRAGE has them.
    #[arg(long, value_name = "FILE|DIR", required = true)]
    pub(crate) predictions: PathBuf,
    /// The problems that they answer.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) choices: Vec<PathBuf>,
    /// Only this set of a file with several.
    #[arg(long, value_name = "NAME")]
    pub(crate) set: Option<String>,
    /// How answers are split into reasoning and response.
    #[arg(long, value_name = "headed|plain|think|@FILE", default_value = "headed")]
    pub(crate) template: String,
    #[command(flatten)]
    pub(crate) outcome: OutcomeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// The folder of the first run, its report.json, or the id of its model.
    pub(crate) base: PathBuf,
    /// The folder of the second run, its report.json, or the id of its model.
    pub(crate) tuned: PathBuf,
    #[command(flatten)]
    pub(crate) judge: JudgeArguments,
    /// Draws the intervals.
    #[arg(long, value_name = "NUMBER", default_value_t = 42)]
    pub(crate) seed: u32,
    /// How many questions to a judge are open at the same time; fewer where the service asks for fewer.
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) parallel: u16,
    /// The folder for the comparison [default: evaluation/comparison].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) outcome: OutcomeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RulesArguments {
    /// Print them as JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a run asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Answers in words.
    Generation,
    /// Log-probabilities.
    Likelihood,
    /// Both.
    Both,
}

impl By {
    pub(crate) fn generates(self) -> bool {
        self != Self::Likelihood
    }

    pub(crate) fn scores(self) -> bool {
        self != Self::Generation
    }
}

const AFTER: &str = "\
Examples:
  evaluate run                           the saved model on medical_valid.jsonl
  evaluate run --model smollm2-135m-instruct --out evaluation/base
  evaluate compare evaluation/base evaluation/tuned
  evaluate score --predictions answers.jsonl --choices problems.jsonl

Exit codes: 0 done, 1 failed, 2 usage, 3 bad data or a leak, 4 the service refused or did not \
answer, 6 a condition of --fail-if holds.

`evaluate rules` tells by which rules a choice is read out of an answer, and what is measured.";
