//! The tool: arguments in, a server until it is told to stop.

use std::ffi::OsString;

use anyhow::Context as _;
use cli::{Environment, Exit, Failure, ResultExt as _, Terminal};
use server::{BaseModel, Server};
use tokio::net::TcpListener;

use crate::arguments::{Arguments, Command};
use crate::config::Config;
use crate::health;

/// The definition of the tool's command line, for manual pages and completions.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Serves until Ctrl-C or SIGTERM, with `args` as typed behind the program's name.
///
/// Exit codes: 0 stopped as asked, 1 failed, 2 usage, 4 the base model cannot be fetched or no
/// server answers.
pub fn run(args: Vec<OsString>, environment: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    cli::trace(environment, arguments.verbose);
    let done = match &arguments.command {
        Some(Command::Health(arguments)) => health::check(arguments, terminal),
        None => serve(arguments, environment, terminal),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn serve(
    arguments: Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let config = Config::resolve(arguments, environment)?;
    let base = config.base_model.find(terminal)?;
    let mut options = server::Options::new(&config.data_dir, vec![base.clone()]);
    options.token.clone_from(&config.token);
    options.allowed_origins.clone_from(&config.allowed_origins);
    options.training.clone_from(&config.training);
    let server = Server::open(options).map_err(not_opened)?;
    server.load(&base.id)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(config.address)
            .await
            .with_context(|| format!("cannot listen on {}", config.address))
            .or_exit(Exit::Failed)
            .map_err(|failure| {
                failure
                    .hint("another program may listen there; --addr 127.0.0.1:0 takes a free port")
            })?;
        announce(&listener, &config, &base, terminal)?;
        server.serve(listener, cli::interrupted()).await?;
        Ok::<(), Failure>(())
    })?;
    writeln!(
        terminal.err,
        "stopped; a job that was running is paused and goes on at the next start"
    )?;
    Ok(())
}

fn not_opened(error: server::Error) -> Failure {
    let in_use = matches!(error, server::Error::InUse { .. });
    let failure = Failure::new(Exit::Failed, error);
    if in_use {
        return failure.hint("stop the other server, or give this one a --data-dir of its own");
    }
    failure
}

/// The URL, alone, on standard output; how to use it on standard error.
fn announce(
    listener: &TcpListener,
    config: &Config,
    base: &BaseModel,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let page = format!("http://{}/", listener.local_addr()?);
    let url = format!("{page}v1");
    let key = if config.token.is_some() { "the token it was started with" } else { "any text" };
    writeln!(terminal.out, "{url}")?;
    terminal.out.flush()?;
    writeln!(
        terminal.err,
        "serving {} with data in {}; Ctrl-C stops\n\
         open it in a browser: {page}\n\
         point an OpenAI SDK at it: OPENAI_BASE_URL={url} OPENAI_API_KEY={key}\n{}",
        base.id,
        config.data_dir.display(),
        cli::NOT_CLINICAL
    )?;
    Ok(())
}
