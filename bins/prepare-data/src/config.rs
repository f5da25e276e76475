//! The command line, checked and resolved.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt};
use dataset::Fraction;
use template::{SYSTEM_PROMPT, Template};

use crate::arguments::Arguments;

/// Everything that decides what the tool does.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) input: PathBuf,
    pub(crate) train_output: PathBuf,
    pub(crate) valid_output: PathBuf,
    pub(crate) valid_fraction: Fraction,
    pub(crate) seed: u64,
    pub(crate) template: Template,
    pub(crate) system_prompt: String,
    pub(crate) base_model: String,
    pub(crate) report: Option<PathBuf>,
    pub(crate) json: bool,
}

impl Config {
    pub(crate) fn resolve(arguments: Arguments) -> Result<Self, Failure> {
        let config = Self {
            system_prompt: system_prompt(arguments.system_prompt).or_exit(Exit::Usage)?,
            input: arguments.input,
            train_output: arguments.train_output,
            valid_output: arguments.valid_output,
            valid_fraction: arguments.valid_fraction,
            seed: arguments.seed,
            template: arguments.template,
            base_model: arguments.base_model,
            report: arguments.report,
            json: arguments.json,
        };
        config.check_paths().or_exit(Exit::Usage)?;
        Ok(config)
    }

    /// No file may be written over another one of this run.
    fn check_paths(&self) -> anyhow::Result<()> {
        let mut paths = vec![
            ("--input", &self.input),
            ("--train-output", &self.train_output),
            ("--valid-output", &self.valid_output),
        ];
        paths.extend(self.report.as_ref().map(|path| ("--report", path)));
        for (index, (flag, path)) in paths.iter().enumerate() {
            let same = |other: &&(&str, &PathBuf)| resolved(other.1) == resolved(path);
            if let Some((other, _)) = paths[..index].iter().find(same) {
                return Err(anyhow!("{other} and {flag} are the same file: {}", path.display()));
            }
        }
        Ok(())
    }
}

fn system_prompt(argument: Option<String>) -> anyhow::Result<String> {
    let Some(text) = argument else {
        return Ok(SYSTEM_PROMPT.to_owned());
    };
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text);
    };
    let mut text = fs::read_to_string(path).with_context(|| format!("--system-prompt: {path}"))?;
    // Editors end a file with a newline that is not meant.
    if text.ends_with('\n') {
        text.pop();
        text.truncate(text.trim_end_matches('\r').len());
    }
    Ok(text)
}

/// The path without links and dots, also where the file is not there yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.join(path.file_name().unwrap_or(OsStr::new("")))
}
