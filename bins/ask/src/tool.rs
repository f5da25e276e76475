//! The run from arguments to exit code.

use std::ffi::OsString;
use std::path::Path;

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use connect::Service;
use inference::{Answer, Assistant, Event, Finish};
use transport::{Client, Settings};

use crate::arguments::Arguments;
use crate::config::Config;
use crate::display::Display;
use crate::record::Record;
use crate::service;

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
    let config = Config::resolve(arguments, &environment)?;
    let place = service::find(&config, &environment, terminal)?;
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
    let mut assistant = Assistant::from_saved(client, &config.saved).map_err(service::refused)?;
    assistant.sampling = config.sampling.clone();
    writeln!(terminal.err, "{}", cli::NOT_CLINICAL)?;
    let colours = environment.get("NO_COLOR").is_none();
    let mut answer = answer(&assistant, config, colours, terminal).await;
    if answer.as_ref().is_err_and(is_unknown) && !config.patience.bound.is_zero() {
        let seconds = config.patience.bound.as_secs();
        writeln!(terminal.err, "the model is not ready yet: waiting for it, at most {seconds} s")?;
        assistant.patience = config.patience;
        answer = self::answer(&assistant, config, colours, terminal).await;
    }
    let answer = answer.map_err(Unanswered::into_failure)?;
    if answer.finish == Finish::Cut {
        let error = anyhow!("the stream of the answer ended before the answer did");
        return Err(Failure::new(Exit::Service, error).hint("ask again; what arrived is shown"));
    }
    Ok(())
}

/// Why there is no answer: the model, or what it is printed to.
#[derive(Debug)]
enum Unanswered {
    Asking(inference::Error),
    Printing(anyhow::Error),
}

impl Unanswered {
    fn into_failure(self) -> Failure {
        match self {
            Self::Asking(error) => service::refused(error),
            Self::Printing(error) => error.into(),
        }
    }
}

impl From<inference::Error> for Unanswered {
    fn from(error: inference::Error) -> Self {
        Self::Asking(error)
    }
}

impl From<std::io::Error> for Unanswered {
    fn from(error: std::io::Error) -> Self {
        Self::Printing(error.into())
    }
}

fn is_unknown(unanswered: &Unanswered) -> bool {
    matches!(unanswered, Unanswered::Asking(error) if error.is_unknown_model())
}

/// Asks and prints the answer, while it arrives or when it is whole.
async fn answer(
    assistant: &Assistant,
    config: &Config,
    colours: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Answer, Unanswered> {
    let mut display = Display::new(terminal, colours);
    let answer = match (config.stream, config.json) {
        (true, false) => stream(assistant, config, &mut display, terminal).await?,
        (true, true) => assistant.ask_stream(&config.question).await?.whole().await?,
        (false, _) => assistant.ask(&config.question).await?,
    };
    if config.json {
        let record = serde_json::to_string_pretty(&Record::new(&config.question, &answer));
        let record = record.map_err(|error| Unanswered::Printing(error.into()))?;
        writeln!(terminal.out, "{record}")?;
    } else {
        if !config.stream {
            display.whole(&answer, terminal)?;
        }
        display.end(&answer, terminal)?;
    }
    Ok(answer)
}

async fn stream(
    assistant: &Assistant,
    config: &Config,
    display: &mut Display,
    terminal: &mut Terminal<'_>,
) -> Result<Answer, Unanswered> {
    let mut stream = assistant.ask_stream(&config.question).await?;
    loop {
        match stream.next().await {
            Ok(Some(Event::Done(answer))) => return Ok(*answer),
            Ok(Some(event)) => display.show(&event, terminal)?,
            Ok(None) => {
                return Err(Unanswered::Printing(anyhow!("the answer's events have no end")));
            }
            Err(error) => {
                display.break_off(terminal)?;
                return Err(error.into());
            }
        }
    }
}
