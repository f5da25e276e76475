//! Judges any server of the dialect: `cargo run -p medtune-tests --bin conformance -- URL [--model M] [--jobs]`,
//! and with `--client` what our own client does there.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use cli::{Environment, Exit, Failure, Terminal};
use medtune_tests::client::{self, Expect};
use medtune_tests::conformance::{self, Outcome, Target};

/// Ask a server of OpenAI's dialect for everything that it must do, and tell what it does not.
#[derive(Debug, Parser)]
#[command(name = "conformance")]
struct Arguments {
    /// The base URL, such as `http://127.0.0.1:8080/v1`; the key comes from `OPENAI_API_KEY`
    base_url: String,
    /// A model that can be fine-tuned and asked [default: the first that is listed]
    #[arg(long)]
    model: Option<String>,
    /// Run fine-tuning jobs too, which cost money at a paid service
    #[arg(long)]
    jobs: bool,
    /// Run the client's half: every call of this project's own client at the server
    #[arg(long, requires = "model")]
    client: bool,
    /// The server makes its answers up, as a mock does: judge requests and the shape of answers alone
    #[arg(long, requires = "client")]
    mock: bool,
}

fn main() -> ExitCode {
    cli::with_process(run)
}

fn run(args: Vec<OsString>, environment: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    match judge(arguments, environment, terminal) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn judge(
    arguments: Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let target = Target {
        base_url: arguments.base_url,
        key: environment.get("OPENAI_API_KEY").unwrap_or("any").to_owned(),
        model: arguments.model,
    };
    let mut told = Ok(());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut tell = |outcome: &Outcome| {
        if told.is_ok() {
            told = writeln!(terminal.out, "{outcome}");
        }
    };
    let outcomes = runtime.block_on(async {
        if arguments.client {
            let expect = if arguments.mock { Expect::Words } else { Expect::Deeds };
            client::run(&target, (arguments.jobs, expect), &mut tell).await
        } else {
            conformance::run(&target, arguments.jobs, &mut tell).await
        }
    })?;
    told?;
    Ok(outcomes.iter().all(|outcome| outcome.fault.is_none()))
}
