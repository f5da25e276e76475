//! The run from arguments to exit code.

use std::ffi::OsString;
use std::path::Path;

use cli::{Environment, Exit, Failure, ResultExt, Terminal};

use crate::arguments::{Arguments, Command};
use crate::{compare_command, rules_command, run_command, score_command};

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
    match carry_out(&arguments, environment, terminal) {
        Ok(exit) => exit,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn carry_out(
    arguments: &Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let environment = environment.clone().with_dotenv(Path::new(".")).or_exit(Exit::Usage)?;
    match &arguments.command {
        Command::Run(arguments) => run_command::run(arguments, &environment, terminal),
        Command::Score(arguments) => score_command::run(arguments, terminal),
        Command::Compare(arguments) => compare_command::run(arguments, &environment, terminal),
        Command::Rules(arguments) => rules_command::run(arguments, terminal),
    }
}
