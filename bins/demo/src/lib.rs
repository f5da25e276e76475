//! The main job on the bundled sample, end to end: prepare, fine-tune on this machine, ask.
//!
//! It calls the tools as a person would, one after the other, with every file in one folder.

mod arguments;
mod steps;

use std::ffi::OsString;

use cli::{Environment, Exit, Terminal};

use crate::arguments::Arguments;

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
    match steps::all(&arguments, environment, terminal) {
        Ok(exit) => exit,
        Err(failure) => cli::report(terminal, &failure),
    }
}
