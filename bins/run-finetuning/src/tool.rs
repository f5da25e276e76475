//! The run from arguments to exit code.

use std::ffi::OsString;
use std::path::Path;

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, ResultExt as _, Terminal};
use serde_json::json;

use crate::arguments::Arguments;
use crate::config::{Config, Place, Target};
use crate::continued;
use crate::display::json_line;
use crate::ledger::{Entry, Ledger, SentFile, Subject};
use crate::origin::origin;
use crate::preflight::{self, Files};
use crate::service::{self, Found};
use crate::session::{Session, Task};
use crate::sweep::{self, Score};
use crate::{follow, price, runs, save};

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
    match resolve_and_run(arguments, environment, terminal) {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn resolve_and_run(
    arguments: Arguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let Arguments { command, train: arguments } = arguments;
    cli::trace(environment, arguments.common.verbose);
    let environment = environment.clone().with_dotenv(Path::new(".")).or_exit(Exit::Usage)?;
    if let Some(command) = command {
        return runs::command(command, &environment, terminal);
    }
    if let Some(which) = &arguments.follow {
        return follow::follow(which, &arguments, &environment, terminal);
    }
    let config = Config::resolve(arguments, &environment)?;
    let trained = train(&config, terminal);
    let stale = save::id_file(&config.model_file);
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
    let (target, model) = (&config.target, config.recipe.model.as_str());
    if config.detach && target.is_local() {
        let error = anyhow!("--detach: the embedded engine trains inside this command");
        let hint =
            "Ctrl-C pauses it, and the same command goes on; `serve` trains in the background";
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    price::check_model(target, model, &config.caution)?;
    let recipes = sweep::grid(&config.recipe, &config.sweep);
    if recipes.len() > sweep::MOST {
        let error =
            anyhow!("--sweep: {} combinations, and {} are the most", recipes.len(), sweep::MOST);
        return Err(Failure::new(Exit::Usage, error));
    }
    recipes.iter().try_for_each(|recipe| preflight::check_settings(&target.profile, recipe))?;
    let train = match &config.continue_from {
        Some(model) => {
            let train = (config.train.as_path(), config.recipe.method);
            continued::rest(&config.runs_dir, model, train, terminal)?
        }
        None => config.train.clone(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let counter = price::counter(target, model, &config.caution.prices);
    let files = runtime.block_on(Files::read(config, &train, counter.as_ref(), terminal))?;
    let found = service::find(&target.place, terminal)?;
    let mut tasks = tasks(config, &files, &found, &recipes)?;
    let looks_up = agree(config, &files, &mut tasks, terminal)?;
    describe(&files, &tasks, terminal)?;
    tell_time(&files, &tasks, &found, terminal)?;
    runtime.block_on(async {
        let session = Session::start(config, &files, found).await?;
        let done = Box::pin(session.all(tasks, looks_up, terminal)).await;
        if done.is_err() && target.is_local() {
            // Training stops after the step under way and leaves what is needed to go on.
            writeln!(terminal.err, "stopping the embedded server")?;
        }
        session.stop().await?;
        done.and_then(|done| conclude(config, done, terminal))
    })
}

fn announce(config: &Config, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    let Target { place, why, profile, .. } = &config.target;
    let model = &config.recipe.model;
    match place {
        Place::Local { .. } => writeln!(terminal.err, "training {model} on this machine ({why})"),
        Place::Service(endpoint) => {
            let (name, address) = (&profile.name, endpoint.base_url());
            writeln!(terminal.err, "training {model} at {address} (provider {name}: {why})")?;
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

/// A task for each recipe, with its run opened or prepared.
fn tasks(
    config: &Config,
    files: &Files,
    found: &Found,
    recipes: &[ftjob::Recipe],
) -> anyhow::Result<Vec<Task>> {
    let mark = found.mark();
    let mut contents = vec![mark.as_str()];
    contents.extend(files.all().iter().map(|examples| examples.file.sha256.as_str()));
    let whats: Vec<String> = recipes.iter().map(|recipe| recipe.fingerprint(&contents)).collect();
    let all: Vec<&str> = whats.iter().map(String::as_str).collect();
    let sweep = (whats.len() > 1).then(|| ftjob::Recipe::new("sweep").fingerprint(&all));
    let subject = subject(config, files, found, sweep.clone());
    let mut tasks = Vec::new();
    for (recipe, what) in recipes.iter().zip(whats) {
        let subject = Subject { what, ..subject.clone() };
        let ledger = Ledger::open(&config.runs_dir, subject, jiff::Timestamp::now())?;
        // What this very sweep trained before it was interrupted is not trained again.
        let is_of_sweep = |earlier: &Entry| sweep.is_some() && earlier.sweep == sweep;
        let earlier = ledger.earlier.clone();
        let done = earlier.filter(|earlier| !ledger.is_resumed() && is_of_sweep(earlier));
        tasks.push(Task { recipe: recipe.clone(), done, ledger });
    }
    Ok(tasks)
}

fn subject(config: &Config, files: &Files, found: &Found, sweep: Option<String>) -> Subject {
    let sent = |examples: &&crate::examples::Examples| SentFile {
        path: examples.file.path.clone(),
        sha256: examples.file.sha256.clone(),
        bytes: examples.file.bytes,
        examples: examples.count,
        id: None,
        reused: false,
    };
    let (named, data_dir) = match &config.target.place {
        Place::Local { data_dir, base } => (Some(base.name().to_owned()), Some(data_dir.clone())),
        Place::Service(_) => (None, None),
    };
    Subject {
        what: String::new(),
        service: found.name(),
        provider: config.target.profile.name.clone(),
        overrides: config.target.overrides.clone(),
        base_model: config.recipe.model.clone(),
        base_model_named: named,
        data_dir,
        files: files.all().iter().map(sent).collect(),
        preferences: config.recipe.method != ftjob::Method::Supervised,
        sweep,
        continued_from: config.continue_from.clone(),
        origin: Some(origin(&files.train)),
    }
}

/// Plans what is new and asks for consent to it; whether there is anything new.
fn agree(
    config: &Config,
    files: &Files,
    tasks: &mut [Task],
    terminal: &mut Terminal<'_>,
) -> Result<bool, Failure> {
    let (target, model, prices) = (&config.target, &config.recipe.model, &config.caution.prices);
    let mut plans = Vec::new();
    for task in tasks.iter_mut().filter(|task| task.is_new()) {
        let earlier = task.ledger.earlier.as_ref().and_then(|earlier| earlier.model.as_deref());
        if let Some(earlier) = earlier {
            let earlier = crate::display::one_line(earlier);
            writeln!(
                terminal.err,
                "note: the same was trained before, as {earlier}; training it again"
            )?;
        }
        task.ledger.entry.planned = price::plan(&task.recipe, &files.train, prices);
        plans.push(task.ledger.entry.planned.clone());
    }
    if plans.is_empty() {
        return Ok(false);
    }
    let (text, usd) = price::estimate(model, &plans, prices);
    let input = &mut std::io::stdin().lock();
    price::consent((target, model), &config.caution, (&text, usd), input, terminal)?;
    Ok(true)
}

/// How long what is new will take on this machine; a measurement that fails is no reason not to train.
fn tell_time(
    files: &Files,
    tasks: &[Task],
    found: &Found,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<()> {
    let Found::Local { base, .. } = found else { return Ok(()) };
    let new = tasks.iter().filter(|task| task.is_new());
    let default = tokens::default_epochs(files.train.count);
    let epochs: u32 = new.map(|task| task.recipe.epochs.unwrap_or(default)).sum();
    if epochs == 0 {
        return Ok(());
    }
    let method = tasks.first().map(|task| task.recipe.method).unwrap_or_default();
    match crate::time::estimate(&base.path, (&files.train, method), epochs) {
        Ok(told) => writeln!(terminal.err, "{told}"),
        Err(error) => writeln!(terminal.err, "how long it takes is not known ({error:#})"),
    }
}

fn describe(files: &Files, tasks: &[Task], terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    let valid = files.valid.as_ref().map_or(0, |valid| valid.count);
    let origin = tasks.first().and_then(|task| task.ledger.entry.origin.as_ref());
    let template =
        origin.map(|origin| format!("; template {} (from {})", origin.template, origin.from));
    let (train, template) = (files.train.count, template.unwrap_or_default());
    writeln!(terminal.err, "{train} examples to train on, {valid} to measure on{template}")
}

/// Saves the model, of a sweep the best one, and prints its id on standard output.
fn conclude(
    config: &Config,
    mut done: Vec<crate::session::Done>,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    if config.detach {
        for done in done {
            if config.watch.json {
                json_line(
                    &json!({"type": "job", "run": done.name, "job": done.entry.job_id}),
                    terminal,
                );
            } else if let Some(id) = &done.entry.job_id {
                writeln!(terminal.out, "{id}")?;
            }
            writeln!(
                terminal.err,
                "the job goes on by itself; `run-finetuning --follow {}` follows it",
                done.name
            )?;
        }
        return Ok(());
    }
    let best = if done.len() > 1 {
        tell_sweep(&done, terminal)?;
        let scores: Vec<Score> = done.iter().map(crate::session::Done::score).collect();
        sweep::best(&scores).ok_or_else(|| {
            let error = anyhow!("no run of the sweep has a validation loss, so none is the best");
            Failure::new(Exit::JobFailed, error).hint("--valid names a file to measure on")
        })?
    } else {
        0
    };
    let mut best = done.swap_remove(best);
    best.save(&config.target, &config.model_file)?;
    best.tell(&config.model_file, config.watch.json, terminal)?;
    best.end()?;
    Ok(())
}

fn tell_sweep(done: &[crate::session::Done], terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    for done in done {
        let loss =
            done.entry.valid_loss.map_or_else(|| "none".to_owned(), |loss| format!("{loss:.4}"));
        let tokens = done.entry.trained_tokens.unwrap_or_default();
        writeln!(
            terminal.err,
            "{}: {}: validation loss {loss}, {tokens} tokens",
            done.name, done.settings
        )?;
    }
    Ok(())
}
