//! The command line, as typed.

use std::path::PathBuf;

use clap::Parser;

/// Run the main job on the bundled sample: prepare, fine-tune on this machine, ask.
///
/// No key and no questions; nothing leaves this machine. The base model is fetched once. For research only: a small
/// model tuned on a few dozen records shows the mechanics, not medicine.
#[derive(Debug, Parser)]
#[command(name = "medtune-demo", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The folder that everything is written to.
    #[arg(long, value_name = "DIR", default_value = "medtune-demo")]
    pub(crate) work_dir: PathBuf,
    /// The model to start from: a name or a path.
    #[arg(long, value_name = "NAME|PATH", default_value = "smollm2-135m-instruct")]
    pub(crate) base_model: String,
    /// Passes over the training file.
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    pub(crate) epochs: u32,
}

const EXIT_CODES: &str = "Exit codes: those of the step that failed; 0 when all is done.";
