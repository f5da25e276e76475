//! The program `demo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::with_process(demo::run)
}
