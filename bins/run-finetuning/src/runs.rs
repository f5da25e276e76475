//! The commands about runs that were begun before.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, Terminal};
use connect::Service;
use ftjob::Client;
use serde_json::json;
use wire::{Event, FileId, Job, JobId};

use crate::arguments::{Command, Common, Which};
use crate::config::Target;
use crate::display::{event_json, event_line, json_line, one_line};
use crate::ledger::{self, Entry, Stage};
use crate::price::asked;
use crate::service::{self, LOCAL};
use crate::words::Words;
use crate::{explain, follow};

/// What a person means by a name.
#[derive(Debug)]
pub(crate) enum Meant {
    /// A run of this folder.
    Run(PathBuf, Box<Entry>),
    /// A job that no run here began.
    Job(JobId),
}

/// Does what `command` says.
pub(crate) fn command(
    command: Command,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        Command::List(common) => list(&common, terminal),
        Command::Show(which) => at(&which, environment, terminal, Act::Show),
        Command::Cancel(which) => at(&which, environment, terminal, Act::Cancel),
        Command::Pause(which) => at(&which, environment, terminal, Act::Pause),
        Command::Resume(which) => at(&which, environment, terminal, Act::Resume),
        Command::Events(which) => at(&which, environment, terminal, Act::Events),
        Command::Clean(which) => clean(&which, environment, terminal),
    }
}

/// The run or job that `which` names: by the beginning of its name, its job or its model; nothing is the newest run.
pub(crate) fn meant(root: &Path, which: Option<&str>) -> Result<Meant, Failure> {
    let runs = ledger::all(root)?;
    let which = which.unwrap_or_default();
    if which.is_empty() {
        let newest = runs.into_iter().next();
        return newest.map(|(folder, entry)| Meant::Run(folder, Box::new(entry))).ok_or_else(
            || Failure::new(Exit::Usage, anyhow!("there are no runs in {}", root.display())),
        );
    }
    let is_it = |(folder, entry): &(PathBuf, Entry)| {
        ledger::name(folder).starts_with(which)
            || entry.job_id.as_ref().is_some_and(|id| id.as_str() == which)
            || entry.model.as_deref() == Some(which)
    };
    let mut found: Vec<_> = runs.into_iter().filter(is_it).collect();
    let exact = found.iter().position(|(folder, _)| ledger::name(folder) == which);
    match (exact, found.len()) {
        (Some(index), _) => Ok(run(found.swap_remove(index))),
        (None, 1) => Ok(run(found.remove(0))),
        (None, 0) => which.parse().map(Meant::Job).map_err(|error| {
            Failure::new(
                Exit::Usage,
                anyhow!("{which}: no run of that name, and no job's id ({error})"),
            )
        }),
        (None, _) => {
            let names: Vec<String> = found.iter().map(|(folder, _)| ledger::name(folder)).collect();
            let error = anyhow!("{which} is the beginning of several runs: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, error))
        }
    }
}

fn run((folder, entry): (PathBuf, Entry)) -> Meant {
    Meant::Run(folder, Box::new(entry))
}

impl Meant {
    /// Where to go for it, which a run knows by itself.
    pub(crate) fn target(
        &self,
        common: &Common,
        environment: &Environment,
    ) -> Result<Target, Failure> {
        let Self::Run(_, entry) = self else { return Target::resolve(common, None, environment) };
        let is_local = entry.service == LOCAL;
        let provider = match entry.provider.as_str() {
            "" if is_local => LOCAL,
            "" => "openai",
            name => name,
        };
        let common = Common {
            provider: provider.to_owned(),
            base_url: (!is_local).then(|| entry.service.clone()),
            overrides: entry.overrides.clone(),
            data_dir: entry.data_dir.clone(),
            ..common.clone()
        };
        let named = entry.base_model_named.as_deref().unwrap_or(&entry.base_model);
        Target::resolve(&common, Some(named), environment)
    }

    fn job(&self) -> Result<JobId, Failure> {
        match self {
            Self::Job(id) => Ok(id.clone()),
            Self::Run(folder, entry) => entry.job_id.clone().ok_or_else(|| {
                let error =
                    anyhow!("{} has no job (it is {})", ledger::name(folder), entry.stage.as_str());
                Failure::new(Exit::Usage, error)
            }),
        }
    }
}

fn list(common: &Common, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let runs = ledger::all(&common.runs_dir)?;
    for (folder, entry) in &runs {
        if common.json {
            json_line(&entry_json(folder, entry), terminal);
            continue;
        }
        let status = entry.status.as_deref().unwrap_or(entry.stage.as_str());
        let what =
            entry.model.as_deref().or(entry.job_id.as_ref().map(JobId::as_str)).unwrap_or("-");
        let loss = entry.valid_loss.map(|loss| format!(" loss {loss:.4}")).unwrap_or_default();
        writeln!(
            terminal.out,
            "{}  {:<10}  {}  {} at {}{loss}",
            ledger::name(folder),
            one_line(status),
            one_line(what),
            one_line(&entry.base_model),
            one_line(&entry.service),
        )?;
    }
    if runs.is_empty() {
        writeln!(terminal.err, "there are no runs in {}", common.runs_dir.display())?;
    }
    Ok(())
}

fn entry_json(folder: &Path, entry: &Entry) -> serde_json::Value {
    json!({"type": "run", "run": ledger::name(folder), "stage": entry.stage, "status": entry.status, "job": entry.job_id,
        "model": entry.model, "base_model": entry.base_model, "service": entry.service, "provider": entry.provider,
        "begun_at": entry.begun_at, "files": entry.files, "planned": entry.planned, "trained_tokens": entry.trained_tokens,
        "seconds": entry.seconds, "valid_loss": entry.valid_loss, "best": entry.best, "sweep": entry.sweep,
        "continued_from": entry.continued_from})
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Show,
    Cancel,
    Pause,
    Resume,
    Events,
}

fn at(
    which: &Which,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
    act: Act,
) -> Result<(), Failure> {
    let common = &which.common;
    let meant = meant(&common.runs_dir, which.which.as_deref())?;
    if act == Act::Show
        && let Meant::Run(folder, entry) = &meant
    {
        show_entry(folder, entry, common.json, terminal)?;
        // Of a run that is over or has no job the service knows no more than the ledger does.
        if entry.job_id.is_none() || entry.stage == Stage::Ended {
            return Ok(());
        }
    }
    if let Meant::Run(folder, entry) = &meant
        && entry.service == LOCAL
        && act != Act::Cancel
    {
        return local(act, folder, terminal);
    }
    let job = meant.job()?;
    let target = meant.target(common, environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let found = service::find(&target.place, terminal)?;
    runtime.block_on(async {
        let service = Service::start(found.place(), target.settings.clone()).await?;
        let watch = target.watch(None, None, common.json);
        let client = Client::new(service.client(), watch.timing)
            .with_dialect(target.profile.dialect.clone());
        let told = ask(&client, &job, act).await;
        service.stop().await?;
        let words = match (&told, &meant) {
            (Err(_) | Ok(Told::Events(_)), Meant::Run(_, entry)) => {
                follow::words(entry, terminal).await
            }
            _ => None,
        };
        let told = told.map_err(|error| explain::failure(error, words.as_ref()))?;
        show_told(&told, words.as_ref(), common.json, terminal)?;
        if let (Told::Job(job), Meant::Run(folder, _)) = (&told, &meant) {
            note_status(&common.runs_dir, folder, job);
        }
        Ok(())
    })
}

/// A job of the embedded engine runs only while `run-finetuning` does.
fn local(act: Act, folder: &Path, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if act == Act::Events {
        for event in &ledger::Events::read(folder)?.told {
            writeln!(terminal.out, "{}", event_line(event, &event.message))?;
        }
        return Ok(());
    }
    let name = ledger::name(folder);
    let how = "the job runs only while run-finetuning does: Ctrl-C there pauses it";
    writeln!(terminal.err, "{how}, and `run-finetuning --follow {name}` goes on with it")?;
    Ok(())
}

/// Writes how the job stands where no other process does; one that follows the job writes it itself.
fn note_status(root: &Path, folder: &Path, job: &Job) {
    if let Ok(mut ledger) = ledger::Ledger::reopen(root, folder) {
        ledger.entry.status = Some(job.status.to_string());
        let stage = if job.status.is_terminal() && job.fine_tuned_model.is_none() {
            Stage::Ended
        } else {
            ledger.entry.stage
        };
        if let Err(error) = ledger.note(stage) {
            tracing::warn!(error = format!("{error:#}"), "the run's record was not written");
        }
    }
}

/// What a service tells of a job.
enum Told {
    Job(Box<Job>),
    Events(Vec<Event>),
}

async fn ask(client: &Client, id: &JobId, act: Act) -> Result<Told, ftjob::Error> {
    let job = match act {
        Act::Events => return Ok(Told::Events(client.events(id).await?)),
        Act::Show => client.job(id).await?,
        Act::Cancel => client.cancel(id).await?,
        Act::Pause => client.pause(id).await?,
        Act::Resume => client.resume(id).await?,
    };
    Ok(Told::Job(Box::new(job)))
}

/// Shows what was told without what it repeats of `words`.
fn show_told(
    told: &Told,
    words: Option<&Words>,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<()> {
    match told {
        Told::Events(events) => {
            for event in events {
                let said = one_line(&event.message);
                let said = words.map_or_else(|| said.clone(), |words| words.cleaned(&said));
                if json {
                    json_line(&event_json(event, &said), terminal);
                } else {
                    writeln!(terminal.out, "{}", event_line(event, &said))?;
                }
            }
            Ok(())
        }
        Told::Job(job) if json => {
            let (id, model) = (&job.id, &job.fine_tuned_model);
            let line = json!({"type": "status", "job": id, "status": job.status, "model": model});
            json_line(&line, terminal);
            Ok(())
        }
        Told::Job(job) => {
            writeln!(terminal.out, "the job {} is {}", job.id, one_line(job.status.as_str()))
        }
    }
}

fn show_entry(
    folder: &Path,
    entry: &Entry,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<()> {
    if json {
        json_line(&entry_json(folder, entry), terminal);
        return Ok(());
    }
    let out = &mut *terminal.out;
    writeln!(out, "run {} ({})", ledger::name(folder), entry.stage.as_str())?;
    writeln!(out, "base model {} at {}", one_line(&entry.base_model), one_line(&entry.service))?;
    for file in &entry.files {
        let id = file.id.as_ref().map(|id| format!(", there as {id}")).unwrap_or_default();
        writeln!(
            out,
            "file {} ({} examples, {} bytes){id}",
            file.path.display(),
            file.examples,
            file.bytes
        )?;
    }
    if let Some(planned) = &entry.planned {
        let usd = planned.usd.map(|usd| format!(", about {usd:.2} USD")).unwrap_or_default();
        writeln!(out, "planned {} tokens x {} epochs{usd}", planned.tokens, planned.epochs)?;
    }
    if let Some(job) = &entry.job_id {
        writeln!(out, "job {job}")?;
    }
    if let Some(model) = &entry.model {
        writeln!(out, "model {}", one_line(model))?;
    }
    if let Some(tokens) = entry.trained_tokens {
        writeln!(out, "{tokens} tokens trained")?;
    }
    if let Some(best) = &entry.best {
        writeln!(
            out,
            "best checkpoint {} (validation loss {:.4})",
            one_line(&best.model),
            best.valid_loss
        )?;
    }
    Ok(())
}

/// Deletes at their services the files of runs that are over, as far as no open run uses them.
fn clean(
    which: &Which,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let common = &which.common;
    let all = ledger::all(&common.runs_dir)?;
    let in_use: Vec<FileId> = all
        .iter()
        .filter(|(_, entry)| entry.stage.is_open())
        .flat_map(|(_, entry)| entry.files.iter().filter_map(|file| file.id.clone()))
        .collect();
    let chosen = match &which.which {
        Some(name) => match meant(&common.runs_dir, Some(name))? {
            Meant::Run(folder, entry) => vec![(folder, *entry)],
            Meant::Job(id) => {
                return Err(Failure::new(Exit::Usage, anyhow!("{id}: no run of this folder")));
            }
        },
        None => all,
    };
    let over = chosen.into_iter().filter(|(_, entry)| !entry.stage.is_open());
    let mut deleted = 0;
    for (folder, entry) in over {
        let left = |id: &FileId| !in_use.contains(id);
        let ids: Vec<FileId> =
            entry.files.iter().filter_map(|file| file.id.clone()).filter(left).collect();
        if ids.is_empty() {
            continue;
        }
        let names: Vec<&str> = ids.iter().map(FileId::as_str).collect();
        let question = format!("delete {} at {}?", names.join(", "), one_line(&entry.service));
        if !common.yes && !asked(&question, &mut std::io::stdin().lock(), terminal)? {
            if !terminal.in_is_terminal {
                let error = anyhow!("{question} nobody can be asked");
                return Err(Failure::new(Exit::Usage, error).hint("--yes agrees to it"));
            }
            continue;
        }
        deleted += ids.len();
        delete(common, &folder, entry, &ids, (environment, terminal))?;
    }
    writeln!(terminal.err, "{deleted} files deleted")?;
    Ok(())
}

fn delete(
    common: &Common,
    folder: &Path,
    entry: Entry,
    ids: &[FileId],
    (environment, terminal): (&Environment, &mut Terminal<'_>),
) -> Result<(), Failure> {
    let target = Meant::Run(folder.to_owned(), Box::new(entry)).target(common, environment)?;
    let found = service::find(&target.place, terminal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut ledger = ledger::Ledger::reopen(&common.runs_dir, folder)?;
    runtime.block_on(async {
        let service = Service::start(found.place(), target.settings.clone()).await?;
        let client = Client::new(service.client(), target.watch(None, None, false).timing);
        for id in ids {
            match client.delete_file(id).await {
                Err(error) if error.transport().and_then(transport::Error::status) != Some(404) => {
                    return Err(explain::failure(error, None));
                }
                _ => {}
            }
            ledger.entry.forget_file(id);
            ledger.note(ledger.entry.stage)?;
            writeln!(terminal.err, "deleted {id}")?;
        }
        service.stop().await
    })
}
