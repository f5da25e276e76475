//! The process around [`export::run`].

fn main() -> std::process::ExitCode {
    cli::with_process(export::run)
}
