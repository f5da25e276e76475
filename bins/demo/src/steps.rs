//! The three steps, each a tool with its arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use cli::{Environment, Exit, Failure, Terminal};

use crate::arguments::Arguments;

/// Written for this project; see `examples/data/README.md`.
const SAMPLE: &[u8] = include_bytes!("../../../examples/data/medical_sample.json");

/// The sample question of the original project's README.
const QUESTION: &str = "A 60-year-old patient reports sudden onset of chest pain radiating to the left arm. What are \
the immediate concerns and differential diagnoses?";

/// Fixes the split, the order of training and the draws of the answer.
const SEED: &str = "42";

type Tool = fn(Vec<OsString>, &Environment, &mut Terminal<'_>) -> Exit;

/// Runs every step, up to the first that fails.
pub(crate) fn all(
    arguments: &Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let folder = Folder(&arguments.work_dir);
    std::fs::create_dir_all(folder.0).with_context(|| folder.0.display().to_string())?;
    let sample = folder.file("medical_sample.json");
    std::fs::write(&sample, SAMPLE).with_context(|| sample.display().to_string())?;
    let steps: [(&str, Tool, Vec<OsString>); 3] = [
        ("prepare-data", prepare_data::run, folder.prepare(arguments)),
        ("run-finetuning", run_finetuning::run, folder.train(arguments)),
        ("ask", ask::run, folder.ask(arguments)),
    ];
    let begun = Instant::now();
    for (index, (name, tool, args)) in steps.into_iter().enumerate() {
        writeln!(terminal.err, "\n[{}/3] {name}", index + 1)?;
        let exit = tool(args, environment, terminal);
        if exit != Exit::Done {
            return Ok(exit);
        }
    }
    writeln!(terminal.out)?;
    let seconds = begun.elapsed().as_secs();
    writeln!(
        terminal.err,
        "\nDone in {} min {} s; everything is in {}.",
        seconds / 60,
        seconds % 60,
        folder.0.display()
    )?;
    writeln!(
        terminal.err,
        "Ask it something else: ask --model-file {} \"...\"",
        folder.file(MODEL_FILE).display()
    )?;
    Ok(Exit::Done)
}

const TRAIN_FILE: &str = "medical_train.jsonl";
const VALID_FILE: &str = "medical_valid.jsonl";
const MODEL_FILE: &str = "fine_tuned_model.json";

struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn flag(&self, flag: &str, name: &str) -> [OsString; 2] {
        [flag.into(), self.file(name).into()]
    }

    fn prepare(&self, arguments: &Arguments) -> Vec<OsString> {
        let files = [
            self.flag("--input", "medical_sample.json"),
            self.flag("--train-output", TRAIN_FILE),
            self.flag("--valid-output", VALID_FILE),
        ];
        with(files, &["--seed", SEED, "--base-model", &arguments.base_model])
    }

    fn train(&self, arguments: &Arguments) -> Vec<OsString> {
        let files = [
            self.flag("--train", TRAIN_FILE),
            self.flag("--valid", VALID_FILE),
            self.flag("--data-dir", "server"),
            self.flag("--runs-dir", "runs"),
            self.flag("--model-file", MODEL_FILE),
        ];
        let epochs = arguments.epochs.to_string();
        let rest = [
            "--provider",
            "local",
            "--seed",
            SEED,
            "--epochs",
            &epochs,
            "--base-model",
            &arguments.base_model,
        ];
        with(files, &rest)
    }

    fn ask(&self, arguments: &Arguments) -> Vec<OsString> {
        let files = [self.flag("--model-file", MODEL_FILE), self.flag("--data-dir", "server")];
        with(files, &["--base-model", &arguments.base_model, "--seed", SEED, QUESTION])
    }
}

fn with<const N: usize>(files: [[OsString; 2]; N], rest: &[&str]) -> Vec<OsString> {
    files.into_iter().flatten().chain(rest.iter().map(OsString::from)).collect()
}
