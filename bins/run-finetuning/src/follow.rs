//! Following a run or a job that was begun before.

use std::time::Instant;

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, Terminal};
use connect::Service;
use ftjob::{Client, Method, Recipe};
use wire::JobId;

use crate::arguments::Train;
use crate::config::Target;
use crate::display::Display;
use crate::examples::{Examples, Reading};
use crate::explain;
use crate::job::Run;
use crate::ledger::{Entry, Ledger, Subject};
use crate::runs::{Meant, meant};
use crate::service::{self, Found};
use crate::session::{Done, Stop, end, watched};
use crate::words::Words;

/// Follows what `which` names to its end and saves its model.
pub(crate) fn follow(
    which: &str,
    arguments: &Train,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let common = &arguments.common;
    let meant = meant(&common.runs_dir, Some(which))?;
    let target = meant.target(common, environment)?;
    let found = service::find(&target.place, terminal)?;
    let ledger = match &meant {
        Meant::Run(folder, _) => Ledger::reopen(&common.runs_dir, folder)?,
        Meant::Job(id) => adopted(id, &target, &found, arguments)?,
    };
    let Some(id) = ledger.entry.job_id.clone() else {
        let error = anyhow!("{} has no job yet", ledger.name());
        return Err(
            Failure::new(Exit::Usage, error).hint("the command that began it goes on with it")
        );
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let words = runtime.block_on(words(&ledger.entry, terminal));
    let watch = target.watch(arguments.poll_seconds, arguments.deadline, common.json);
    runtime.block_on(async {
        let service = Service::start(found.place(), target.settings.clone()).await?;
        let client = Client::new(service.client(), watch.timing.clone())
            .with_dialect(target.profile.dialect.clone());
        let display = Display::new(ledger.events()?, words.as_ref(), common.json);
        let mut run = Run {
            target: &target,
            runs_dir: &common.runs_dir,
            in_parts: false,
            client,
            ledger,
            words: words.as_ref(),
            display,
            begun: Instant::now(),
        };
        let way = watched(
            watch.deadline,
            async |terminal: &mut Terminal<'_>| {
                let job = run.client.job(&id).await;
                let job = job.map_err(|error| explain::failure(error, run.words))?;
                writeln!(terminal.err, "following the job {id} ({})", job.status)?;
                end(&mut run, &job, terminal).await
            },
            terminal,
        )
        .await;
        run.display.end();
        if matches!(way, Err(Stop::Interrupted | Stop::Deadline)) && target.is_local() {
            writeln!(terminal.err, "stopping the embedded server")?;
        }
        let done = Done::of(run, String::new(), way, &target);
        service.stop().await?;
        let mut done = done?;
        done.save(&target, &arguments.model_file)?;
        done.tell(&arguments.model_file, common.json, terminal)?;
        Ok(done.end()?)
    })
}

/// A run for a job that none of this folder began.
fn adopted(
    id: &JobId,
    target: &Target,
    found: &Found,
    arguments: &Train,
) -> anyhow::Result<Ledger> {
    let service = found.name();
    let subject = Subject {
        what: Recipe::new("job").fingerprint(&[&service, id.as_str()]),
        service,
        provider: target.profile.name.clone(),
        overrides: target.overrides.clone(),
        base_model: arguments.base_model.clone().unwrap_or_default(),
        base_model_named: arguments.base_model.clone(),
        data_dir: arguments.common.data_dir.clone(),
        files: Vec::new(),
        preferences: false,
        sweep: None,
        continued_from: None,
        origin: None,
    };
    let mut ledger = Ledger::open(&arguments.common.runs_dir, subject, jiff::Timestamp::now())?;
    ledger.entry.job_id = Some(id.clone());
    ledger.note(crate::ledger::Stage::Created)?;
    Ok(ledger)
}

/// The words of the run's files, where they are still there as they were.
pub(crate) async fn words(entry: &Entry, terminal: &Terminal<'_>) -> Option<Words> {
    if entry.files.is_empty() {
        return None;
    }
    let method =
        if entry.preferences { Method::Preferences { beta: None } } else { Method::Supervised };
    let mut words = Words::for_bytes(entry.files.iter().map(|file| file.bytes).sum());
    for file in &entry.files {
        let reading = Reading { counter: None, method };
        let read = Examples::read(&file.path, reading, &mut words, terminal).await.ok()?;
        if read.file.sha256 != file.sha256 {
            return None;
        }
    }
    Some(words)
}
