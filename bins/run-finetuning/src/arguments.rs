//! The command line, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::sweep::Axis;

/// Fine-tune a model on prepared files and save its id.
///
/// On this machine (no key needed) or at a service that speaks OpenAI's dialect. Running the same command again on the
/// same files goes on with the job that it began, also after a crash, and never starts a second one beside it.
#[derive(Debug, Parser)]
#[command(name = "run-finetuning", version, args_conflicts_with_subcommands = true, after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) train: Train,
}

/// What else can be done with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the runs of this folder, newest first.
    List(Common),
    /// Show what is known of a run, and how its job stands.
    Show(Which),
    /// Stop a run's job for good.
    Cancel(Which),
    /// Let a run's job at a service wait.
    Pause(Which),
    /// Go on with a paused job.
    Resume(Which),
    /// Show everything that happened in a run's job.
    Events(Which),
    /// Delete the files that ended runs left at their services.
    Clean(Which),
}

/// The run that is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// A run's name or its beginning, or a job's id [default: the newest run; for `clean` all that ended].
    #[arg(value_name = "RUN|JOB")]
    pub(crate) which: Option<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Where to train: `auto`, `local`, `openai`, `azure`, `nebius` or one of `medtune.toml`; auto is a service if there
    /// is a key for it, else this machine.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) provider: String,
    /// The service's address with its `/v1` [default: the provider's variable or its usual address].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// A field of the provider's profile, such as `dialect.hyperparameters=top-level`.
    #[arg(long = "override", value_name = "FIELD=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// The embedded server's data [default: `MEDTUNE_DATA_DIR` or .medtune/server].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = ".medtune/runs")]
    pub(crate) runs_dir: PathBuf,
    /// How often a request that had no answer, or one that says to come back, is repeated.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) retries: u32,
    /// How long to wait before the first repetition; the next waits are twice as long each, up to 8 seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, value_parser = positive)]
    pub(crate) retry_seconds: f64,
    /// Do not ask before spending money or deleting.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Log more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// From what a model learns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    #[default]
    Supervised,
    Dpo,
}

/// What to train, on what and how.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[expect(clippy::struct_field_names, reason = "fields are named as their flags")]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The model to start from, on this machine also a path or a name of the Hugging Face hub [default:
    /// smollm2-135m-instruct on this machine, the provider's at a service].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) base_model: Option<String>,
    /// Go on from a model that an earlier run made, with only those records that it was not trained on.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["base_model", "sweep"])]
    pub(crate) continue_from: Option<String>,
    /// What the records are: `supervised`, examples of good answers, or `dpo`, pairs of a better and a worse answer.
    #[arg(long, value_name = "METHOD", value_enum, default_value_t)]
    pub(crate) method: Method,
    /// How strongly `--method dpo` holds the model to the one it began as, above 0 and up to 2 [default: the service's
    /// choice].
    #[arg(long, value_name = "NUMBER", value_parser = beta)]
    pub(crate) beta: Option<f64>,
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
    /// Train every combination and keep the best by validation loss, such as `epochs=1,2,3`; also `batch-size`,
    /// `learning-rate-multiplier`, `seed` and, with `--method dpo`, `beta`.
    #[arg(long, value_name = "SETTING=VALUES")]
    pub(crate) sweep: Vec<Axis>,
    /// The examples to train on.
    #[arg(long, value_name = "FILE", default_value = "medical_train.jsonl")]
    pub(crate) train: PathBuf,
    /// The examples to measure on [default: `medical_valid.jsonl`, if it is there; none with `--method dpo`].
    #[arg(long, value_name = "FILE")]
    pub(crate) valid: Option<PathBuf>,
    /// Send records in which identifiers of patients were found to a service all the same.
    #[arg(long)]
    pub(crate) allow_identifiers: bool,
    /// Measure on examples that are trained on all the same.
    #[arg(long)]
    pub(crate) allow_overlap: bool,
    /// Prices, limits and shutdown dates of models as TOML, in place of the bundled table.
    #[arg(long, value_name = "FILE")]
    pub(crate) price_table: Option<PathBuf>,
    /// Spend at most this; a job whose cost is not known is not begun either.
    #[arg(long, value_name = "USD", value_parser = positive)]
    pub(crate) max_cost: Option<f64>,
    /// Upload in parts that can be resumed, also below 512 MB.
    #[arg(long)]
    pub(crate) in_parts: bool,
    /// Create the job and leave it to itself.
    #[arg(long, conflicts_with_all = ["follow", "sweep"])]
    pub(crate) detach: bool,
    /// Follow a run or job that was begun before [default: the newest run].
    #[arg(long, value_name = "RUN|JOB", num_args = 0..=1, default_missing_value = "")]
    pub(crate) follow: Option<String>,
    /// Stop following after this time, such as `90m` or `12h`; the job goes on at a service.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) deadline: Option<Duration>,
    /// Seconds between two looks at a job of which there is news [default: 1 on this machine, 20 at a service].
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) poll_seconds: Option<f64>,
    /// Where the model is saved; its bare id goes to `fine_tuned_model_id.txt` beside it.
    #[arg(long, value_name = "FILE", default_value = inference::SavedModel::FILE)]
    pub(crate) model_file: PathBuf,
}

const AFTER: &str = "\
Examples:
  run-finetuning                         on this machine, or at OpenAI where a key is set
  run-finetuning --provider local --epochs 2
  run-finetuning --detach                leaves the job to itself; --follow follows it again
  run-finetuning list

Exit codes: 0 done, 1 failed or interrupted, 2 usage, 3 files missing or bad, 4 the service \
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

fn beta(text: &str) -> Result<f64, String> {
    positive(text)
        .ok()
        .filter(|beta| *beta <= 2.0)
        .ok_or_else(|| "not a number above 0 and up to 2".to_owned())
}

/// A number and its unit: `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("no unit: write 90m, 12h or 2d".to_owned()),
    };
    Duration::try_from_secs_f64(positive(number)? * seconds).map_err(|_| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0.5h"), Ok(Duration::from_secs(1800)));
        for wrong in ["", "90", "h", "-1s", "1w", "1e300d", "5\u{fc}"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_arguments_hold_together() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
        let parsed = Arguments::try_parse_from(["run-finetuning", "show", "2026", "--json"]);
        assert!(matches!(parsed.map(|parsed| parsed.command), Ok(Some(Command::Show(_)))));
        let followed = Arguments::try_parse_from(["run-finetuning", "--follow"]).unwrap();
        assert_eq!(followed.train.follow.as_deref(), Some(""));
    }
}
