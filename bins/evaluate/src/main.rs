//! Starts the tool with what the process was given.

fn main() -> std::process::ExitCode {
    cli::with_process(evaluate::run)
}
