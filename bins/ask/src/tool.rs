//! The run from arguments to exit code.

use std::ffi::OsString;
use std::path::Path;

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use connect::Service;
use inference::Assistant;
use transport::{Client, Settings};

use crate::arguments::Arguments;
use crate::config::{Config, Task};
use crate::question::Asking;
use crate::{compare, conversation, lines, many, refusal};

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
    match resolve_and_ask(&arguments, environment, terminal) {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn resolve_and_ask(
    arguments: &Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let environment = environment.clone().with_dotenv(Path::new(".")).or_exit(Exit::Usage)?;
    let is_talk = terminal.in_is_terminal && terminal.out_is_terminal && !arguments.json;
    let (config, source) = Config::resolve(arguments, &environment, is_talk)?;
    let place = source.find(&config.saved, terminal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let service = Service::start(place, Settings::default()).await?;
        let asked = ask(&config, service.client(), &environment, terminal).await;
        let stopped = service.stop().await;
        asked.and(stopped)
    })
}

async fn ask(
    config: &Config,
    client: Client,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let mut assistant = Assistant::from_saved(client, &config.saved).map_err(refusal::refused)?;
    assistant.sampling = config.sampling.clone();
    writeln!(terminal.err, "{}", cli::NOT_CLINICAL)?;
    let asking = Asking {
        base: Assistant { model: config.saved.base_model.clone(), ..assistant.clone() },
        assistant,
        patience: config.patience,
        json: config.json,
        stream: config.stream,
        colours: environment.get("NO_COLOR").is_none(),
    };
    let asked = async {
        match &config.task {
            Task::Question(question) if config.compare => {
                compare::ask(&asking, question, terminal).await
            }
            Task::Question(question) => asking.ask(question, terminal).await,
            Task::Conversation => {
                let mut lines = lines::Editor::new()?;
                return conversation::hold(asking, config.compare, &mut lines, terminal).await;
            }
            Task::Many(many) => return many::ask(many, asking.patient(), terminal).await,
        }
    };
    // A conversation and many questions have their own ways to stop.
    if !matches!(config.task, Task::Question(_)) {
        return asked.await;
    }
    tokio::select! {
        asked = asked => asked,
        () = cli::interrupted() => {
            writeln!(terminal.out)?;
            Err(Failure::new(Exit::Failed, anyhow!("interrupted")))
        }
    }
}
