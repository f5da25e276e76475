//! The process around [`serve::run`].

fn main() -> std::process::ExitCode {
    cli::with_process(serve::run)
}
