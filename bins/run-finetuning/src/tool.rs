//! The run from arguments to exit code.

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, ResultExt as _, Terminal};
use connect::Service;
use ftjob::{Client, Finished, LocalFile, Timing};
use tokens::PriceTable;
use transport::{Retry, Settings};

use crate::arguments::Arguments;
use crate::config::{Config, Place};
use crate::curve::Curve;
use crate::display::Display;
use crate::examples::Examples;
use crate::job::Run;
use crate::ledger::{Ledger, Stage};
use crate::origin::{Origin, origin};
use crate::service::{self, Found};
use crate::{interrupt, price, save};

/// The fewest examples that `OpenAI` trains on; a job with fewer fails there after the upload.
const FEWEST_EXAMPLES: usize = 10;

/// Runs the tool with `args` (without the program's name) and returns how it ended.
pub fn run(args: Vec<OsString>, environment: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    cli::trace(environment, arguments.verbose);
    match resolve_and_train(arguments, environment, terminal) {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn resolve_and_train(
    arguments: Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let environment = environment.clone().with_dotenv(Path::new(".")).or_exit(Exit::Usage)?;
    let config = Config::resolve(arguments, &environment)?;
    let trained = train(&config, terminal);
    let stale = save::id_file(&config);
    if trained.is_err() && stale.exists() {
        writeln!(
            terminal.err,
            "note: {} is an earlier run's and was left as it is",
            stale.display()
        )?;
    }
    trained
}

fn train(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    announce(config, terminal)?;
    let prices = &config.prices;
    price::check_model(config, prices)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let files = runtime.block_on(Files::read(config, prices))?;
    let found = service::find(&config.place, terminal)?;
    let ledger = files.ledger(config, &found)?;
    if !ledger.is_resumed() {
        if let Some(model) = ledger.earlier.as_ref().and_then(|earlier| earlier.model.as_deref()) {
            writeln!(
                terminal.err,
                "note: the same was trained before, as {model}; training it again"
            )?;
        }
        let estimate = price::estimate(config, &files.train, prices);
        price::consent(config, &estimate, &mut std::io::stdin().lock(), terminal)?;
    }
    runtime.block_on(train_at(config, &files, found, ledger, terminal))
}

fn announce(config: &Config, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    let (model, why) = (&config.recipe.model, &config.why);
    match &config.place {
        Place::Local { .. } => writeln!(terminal.err, "training {model} on this machine ({why})"),
        Place::Service(endpoint) => {
            writeln!(terminal.err, "training {model} at {} ({why})", endpoint.base_url())?;
            if endpoint.sends_key_in_clear() {
                writeln!(
                    terminal.err,
                    "warning: the address is http, so the key and the records can be read on the way"
                )?;
            }
            Ok(())
        }
    }
}

/// The checked files, and how the model is to be asked.
#[derive(Debug)]
struct Files {
    train: Examples,
    valid: Option<Examples>,
    origin: Origin,
}

impl Files {
    async fn read(config: &Config, prices: &PriceTable) -> Result<Self, Failure> {
        let counter = price::counter(config, prices);
        let missing = |error: anyhow::Error, path: &Path| {
            let failure = Failure::new(Exit::BadData, error);
            if path.exists() {
                failure
            } else {
                failure.hint("prepare-data writes it; --train and --valid name others")
            }
        };
        let train = Examples::read(&config.train, counter.as_ref()).await;
        let train = train.map_err(|error| missing(error, &config.train))?;
        let valid = match &config.valid {
            Some(path) => {
                Some(Examples::read(path, None).await.map_err(|error| missing(error, path))?)
            }
            None => None,
        };
        if let Place::Service(endpoint) = &config.place
            && !endpoint.is_loopback()
            && train.count < FEWEST_EXAMPLES
        {
            let error = anyhow!(
                "{}: {} examples, and services want {FEWEST_EXAMPLES}",
                config.train.display(),
                train.count
            );
            return Err(Failure::new(Exit::BadData, error));
        }
        let origin = origin(&train);
        Ok(Self { train, valid, origin })
    }

    fn all(&self) -> Vec<&Examples> {
        std::iter::once(&self.train).chain(&self.valid).collect()
    }

    fn ledger(&self, config: &Config, found: &Found) -> anyhow::Result<Ledger> {
        let mark = found.mark();
        let mut contents = vec![mark.as_str()];
        contents.extend(self.all().iter().map(|examples| examples.file.sha256.as_str()));
        let what = config.recipe.fingerprint(&contents);
        Ledger::open(&config.runs_dir, &what, &found.name(), &config.recipe.model)
    }
}

async fn train_at(
    config: &Config,
    files: &Files,
    found: Found,
    ledger: Ledger,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    describe(files, terminal)?;
    let service = Service::start(found.place(), settings(config)).await?;
    let client = Client::new(service.client(), Timing { poll: config.poll, ..Timing::default() });
    let mut run = Run { config, client, ledger, uploaded: Vec::new(), display: Display::default() };
    let all = files.all();
    let locals: Vec<&LocalFile> = all.iter().map(|examples| &examples.file).collect();
    let begun = Instant::now();
    let finished = tokio::select! {
        finished = run.finish(&locals, terminal) => Some(finished),
        () = interrupt::asked() => None,
    };
    run.display.end();
    let finished = match finished {
        Some(Ok(finished)) => {
            save::save(config, &finished, &files.origin, &all)?;
            run.ledger.note(Stage::Ended)?;
            Ok(finished)
        }
        Some(Err(failure)) => Err(failure),
        None => Err(interrupted(config, &run.ledger)),
    };
    if finished.is_err() && matches!(config.place, Place::Local { .. }) {
        // Training stops after the step under way and leaves what is needed to go on.
        writeln!(terminal.err, "stopping the embedded server")?;
    }
    service.stop().await?;
    tell(config, &finished?, &run.display.curve, begun.elapsed().as_secs_f64(), terminal)?;
    Ok(())
}

/// How requests are made: as the libraries do, with the user's number of tries.
fn settings(config: &Config) -> Settings {
    let retry = Retry { attempts: config.retries.saturating_add(1), ..Retry::default() };
    Settings { retry, ..Settings::default() }
}

fn describe(files: &Files, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    let valid = files.valid.as_ref().map_or(0, |valid| valid.count);
    let Origin { template, from, .. } = &files.origin;
    writeln!(
        terminal.err,
        "{} examples to train on, {valid} to measure on; template {template} (from {from})",
        files.train.count
    )
}

fn interrupted(config: &Config, ledger: &Ledger) -> Failure {
    let again = "the same command goes on with it";
    let (text, hint) = match (&ledger.entry.job_id, &config.place) {
        (Some(id), Place::Service(endpoint)) => (
            format!("interrupted; the job {id} goes on at {}", endpoint.host()),
            format!(
                "{again}; to stop it, cancel it there: POST {}/fine_tuning/jobs/{id}/cancel",
                endpoint.base_url()
            ),
        ),
        (Some(id), Place::Local { .. }) => (
            format!("interrupted; the job {id} pauses, because it runs inside this command"),
            format!("{again} from its last checkpoint"),
        ),
        (None, _) => ("interrupted before the job was known to exist".to_owned(), again.to_owned()),
    };
    Failure::new(Exit::Failed, anyhow!(text)).hint(hint)
}

/// The id on standard output, what was done on standard error.
fn tell(
    config: &Config,
    finished: &Finished,
    curve: &Curve,
    elapsed: f64,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<()> {
    if let Some(change) = curve.change() {
        writeln!(terminal.err, "{change}")?;
    }
    let seconds =
        finished.seconds.filter(|seconds| *seconds > 0).map_or(elapsed, |seconds| seconds as f64);
    match finished.trained_tokens {
        Some(tokens) => {
            let rate = tokens as f64 / seconds.max(0.001);
            writeln!(
                terminal.err,
                "{tokens} tokens trained in {seconds:.0} s ({rate:.0} tokens/s)"
            )?;
        }
        None => writeln!(terminal.err, "trained in {seconds:.0} s")?,
    }
    let (model_file, id_file) = (config.model_file.display(), save::id_file(config));
    writeln!(
        terminal.err,
        "saved to {} and {model_file}; ask \"your question\" asks it",
        id_file.display()
    )?;
    writeln!(terminal.err, "{}", cli::NOT_CLINICAL)?;
    writeln!(terminal.out, "{}", finished.model)?;
    terminal.out.flush()
}
