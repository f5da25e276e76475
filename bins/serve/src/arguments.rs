//! The command line as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Serve the embedded model in the OpenAI dialect: files, fine-tuning jobs, models, chat completions.
///
/// Any OpenAI SDK works against it with its address as the base URL. It serves this machine alone unless --addr says
/// otherwise. For research only: not for diagnosis, treatment or any other clinical use.
#[derive(Debug, Parser)]
#[command(name = "serve", version, args_conflicts_with_subcommands = true, after_help = AFTER)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where to listen; another address than one of this machine demands a token; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub(crate) addr: String,
    /// The folder for files, jobs and models [default: `MEDTUNE_DATA_DIR`, else .medtune/server].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The key that clients must present [default: `MEDTUNE_TOKEN`, which other users of the machine cannot see].
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// The base model: a known name, a GGUF or safetensors file, a folder, or a name of the Hugging Face hub, as
    /// `owner/name` or `owner/name:FILE.gguf`.
    #[arg(long, default_value = "smollm2-135m-instruct", value_name = "NAME|PATH")]
    pub(crate) base_model: String,
    /// Who trains: the engine in this process, or Hugging Face TRL as a program of its own.
    #[arg(long, value_enum, default_value_t, value_name = "TRAINER")]
    pub(crate) trainer: Trainer,
    /// The command that starts TRL's processes, split at blanks; its Python needs torch, trl, peft and datasets.
    #[arg(
        long,
        default_value = "torchrun --standalone --nproc_per_node 1",
        value_name = "COMMAND"
    )]
    pub(crate) launch: String,
    /// The base model as TRL loads it, where --base-model is no such folder: a folder or a name of the hub.
    #[arg(long, value_name = "FOLDER|NAME")]
    pub(crate) trainer_model: Option<String>,
    /// Let pages of this origin ask from a browser, a scheme and a host; may be given several times.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Log requests; twice for more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What else the tool does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether a server answers, for supervisors and containers: ok and exit code 0, or exit code 4.
    Health(HealthArguments),
}

/// The server that is meant.
#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub(crate) addr: SocketAddr,
}

/// Who trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Trainer {
    /// The engine in this process.
    #[default]
    Embedded,
    /// Hugging Face TRL, as --launch says.
    Trl,
}

const AFTER: &str = "\
Examples:
  serve                                  on 127.0.0.1:8080, for this machine
  MEDTUNE_TOKEN=... serve --addr 0.0.0.0:8080

Exit codes: 0 stopped as asked, 1 failed, 2 usage, 4 the base model cannot be fetched, or health: \
no server answers.";
