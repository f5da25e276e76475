//! The command line as it is typed.

use std::path::PathBuf;

use clap::Parser;

/// Serve the embedded model in the OpenAI dialect: files, fine-tuning jobs, models, chat completions.
#[derive(Debug, Parser)]
#[command(name = "serve", version)]
pub(crate) struct Arguments {
    /// Where to listen; another address than one of this machine demands a token; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub(crate) addr: String,
    /// The folder for files, jobs and models [default: `MEDTUNE_DATA_DIR`, else .medtune/server]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The key that clients must present [default: `MEDTUNE_TOKEN`, which other users of the machine cannot see]
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// The base model: a known name, a GGUF or safetensors file, a folder, or a name of the Hugging Face hub, as
    /// `owner/name` or `owner/name:FILE.gguf`
    #[arg(long, default_value = "smollm2-135m-instruct", value_name = "NAME|PATH")]
    pub(crate) base_model: String,
    /// Who trains: the engine in this process, or Hugging Face TRL as a program of its own
    #[arg(long, value_enum, default_value_t, value_name = "TRAINER")]
    pub(crate) trainer: Trainer,
    /// The command that starts TRL's processes, split at blanks; its Python needs torch, trl, peft and datasets
    #[arg(
        long,
        default_value = "torchrun --standalone --nproc_per_node 1",
        value_name = "COMMAND"
    )]
    pub(crate) launch: String,
    /// The base model as TRL loads it, where --base-model is no such folder: a folder or a name of the hub
    #[arg(long, value_name = "FOLDER|NAME")]
    pub(crate) trainer_model: Option<String>,
    /// Let pages of this origin ask from a browser, a scheme and a host; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Log requests; twice for more
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Trainer {
    #[default]
    Embedded,
    Trl,
}
