//! Starts the program with what the process was given.

fn main() -> std::process::ExitCode {
    cli::with_process(medtune_release::run)
}
