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
    /// The base model: a known name, a GGUF or safetensors file, or a folder
    #[arg(long, default_value = "smollm2-135m-instruct", value_name = "NAME|PATH")]
    pub(crate) base_model: String,
    /// Let pages of this origin ask from a browser, a scheme and a host; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Log requests; twice for more
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}
