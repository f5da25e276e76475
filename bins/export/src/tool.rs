//! The run from arguments to exit code.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use cli::{Environment, Exit, Failure, ResultExt as _, Terminal};
use engine::export::{Export, Progress};
use engine::{Adapter, Error, Weights};
use serde::Serialize;

use crate::arguments::{Arguments, Format};
use crate::config::{Config, same_base};

/// The definition of the tool's command line, for manual pages and completions.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the tool with `args` (without the program's name) and returns how it ended.
pub fn run(args: Vec<OsString>, environment: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    cli::trace(environment, arguments.verbose);
    match export(&arguments, environment, terminal) {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn export(
    arguments: &Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let environment = environment.clone().with_dotenv(Path::new(".")).or_exit(Exit::Usage)?;
    let config = Config::resolve(arguments, &environment)?;
    let found = config.base.find(terminal)?;
    same_base(&config, &found)?;
    let weights = Weights::open(&found.path).map_err(bad_model)?;
    let adapter = Adapter::load_for(&config.adapter, weights.config()).map_err(bad_model)?;
    write(&config, &weights, &adapter, terminal)?;
    let files = files(&config.output)?;
    if config.json {
        let result = Written {
            version: 1,
            model: &config.model,
            base_model: &found.id,
            format: config.format.name(),
            weight_type: config.kind.name(),
            output: &config.output,
            bytes: files.iter().map(|file| file.bytes).sum(),
            files,
        };
        writeln!(terminal.out, "{}", serde_json::to_string(&result)?)?;
    } else {
        writeln!(terminal.out, "{}", config.output.display())?;
    }
    writeln!(terminal.err, "{}\n{}", use_of(&config, &found.path), cli::NOT_CLINICAL)?;
    Ok(())
}

fn write(
    config: &Config,
    weights: &Weights,
    adapter: &Adapter,
    terminal: &Terminal<'_>,
) -> Result<(), Failure> {
    let export = Export::new(weights, Some(adapter), &config.model);
    let (output, kind) = (&config.output, config.kind.tensor_type());
    let bar = cli::bytes_progress(terminal, 0);
    let mut shown = |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let written = match config.format {
        Format::Peft => export.peft(output, &config.base_name),
        Format::Safetensors => export.safetensors(output, kind, &mut shown),
        Format::GgufLora => export.gguf_lora(output, kind),
        Format::Gguf => export.gguf(output, kind, &mut shown),
    };
    bar.finish_and_clear();
    written.map_err(bad_model)
}

/// What is wrong with a model's files is bad data, what is wrong with the disk is not.
fn bad_model(error: Error) -> Failure {
    let exit = match &error {
        Error::File { source, .. } if source.kind() != std::io::ErrorKind::NotFound => Exit::Failed,
        _ => Exit::BadData,
    };
    Failure::new(exit, error)
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Written<'a> {
    version: u32,
    model: &'a str,
    base_model: &'a str,
    format: &'a str,
    #[serde(rename = "type")]
    weight_type: &'a str,
    output: &'a Path,
    bytes: u64,
    files: Vec<WrittenFile>,
}

#[derive(Debug, Serialize)]
struct WrittenFile {
    name: String,
    bytes: u64,
}

/// The files of the result, by name.
fn files(output: &Path) -> Result<Vec<WrittenFile>, Failure> {
    let describe = |path: &Path| -> anyhow::Result<WrittenFile> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::metadata(path).with_context(|| path.display().to_string())?.len();
        Ok(WrittenFile { name, bytes })
    };
    if !output.is_dir() {
        return Ok(vec![describe(output)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(output)? {
        files.push(describe(&entry?.path())?);
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// How the result is used.
fn use_of(config: &Config, base: &Path) -> String {
    let output = config.output.display();
    match config.format {
        Format::Peft => {
            let base = &config.base_name;
            format!(
                "use it: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(\"{base}\"), \"{output}\"), or\n     \
                 vllm serve {base} --enable-lora --lora-modules tuned={output}"
            )
        }
        Format::Safetensors => {
            format!(
                "use it: AutoModelForCausalLM.from_pretrained(\"{output}\"), or vllm serve {output}"
            )
        }
        Format::GgufLora => {
            let base = base.display();
            format!("use it: llama-cli --model {base} --lora {output} (the base as a GGUF file)")
        }
        Format::Gguf => format!("use it: llama-cli --model {output}"),
    }
}
