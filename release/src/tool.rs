//! The program `manuals`: every page and every completion into one folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Command, Parser};
use cli::{Environment, Exit, Failure, Terminal};

use crate::{completion, manual};

/// Write the manual pages and shell completions of all tools.
///
/// They go where `man`, bash and fish look for them: `manuals ~/.local` installs them for one user. For zsh the folder
/// share/zsh/site-functions must be in `fpath`; for PowerShell a profile must load share/powershell/*.ps1.
#[derive(Debug, Parser)]
#[command(name = "manuals", version)]
struct Arguments {
    /// The prefix to install to, such as ~/.local; folders are made under its share.
    #[arg(value_name = "PREFIX")]
    prefix: PathBuf,
    /// The day that the pages bear, as year-month-day.
    #[arg(long, value_name = "DATE", default_value = "")]
    date: String,
}

/// Runs the program with `args` (without its name) and returns how it ended.
pub fn run(args: Vec<OsString>, _: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let listed =
        write(&arguments.prefix, &arguments.date).map_err(Failure::from).and_then(|files| {
            for file in files {
                writeln!(terminal.out, "{}", file.display())?;
            }
            Ok(())
        });
    match listed {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

/// The definitions of all tools' command lines, by name.
pub fn tools() -> Vec<Command> {
    vec![
        ask::command(),
        evaluate::command(),
        export::command(),
        demo::command(),
        prepare_data::command(),
        run_finetuning::command(),
        serve::command(),
    ]
}

/// Writes every page, dated `date`, and every completion below `prefix`, and returns the files' paths.
///
/// # Errors
///
/// When a folder cannot be made or a file cannot be written.
pub fn write(prefix: &Path, date: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = manual::overview();
    for tool in tools() {
        files.extend(manual::pages(&tool, date)?);
        files.extend(completion::scripts(&tool));
    }
    files
        .into_iter()
        .map(|(name, content)| put(&prefix.join("share").join(name), &content))
        .collect()
}

fn put(path: &Path, content: &[u8]) -> anyhow::Result<PathBuf> {
    let named = || path.display().to_string();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(path, content).with_context(named)?;
    Ok(path.to_owned())
}
