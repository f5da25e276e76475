//! The tasks of one command, one after the other at one service.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use cli::{Exit, Failure, Terminal};
use connect::Service;
use ftjob::{Client, Finished, LocalFile, Method, Recipe};

use crate::config::{Config, Place, Target};
use crate::display::{Display, json_line};
use crate::job::Run;
use crate::ledger::{Entry, Ledger, Stage};
use crate::preflight::{Files, look_up_model};
use crate::service::Found;
use crate::sweep::Score;
use crate::{continued, ended, save};

/// A recipe to train, with its run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) recipe: Recipe,
    pub(crate) ledger: Ledger,
    /// The run of the same sweep that trained it before.
    pub(crate) done: Option<Entry>,
}

impl Task {
    /// Whether nothing was begun of it yet.
    pub(crate) fn is_new(&self) -> bool {
        self.done.is_none() && !self.ledger.is_resumed()
    }
}

/// A task that was done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) name: String,
    pub(crate) settings: String,
    pub(crate) entry: Entry,
    /// What the job left; none where it was not followed or was done before.
    pub(crate) finished: Option<Finished>,
    pub(crate) json: Option<serde_json::Value>,
    ledger: Option<Ledger>,
}

/// A service that is ready, and what is done there.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    config: &'a Config,
    files: &'a Files,
    service: Service,
    client: Client,
}

/// How following a job came to its end.
#[derive(Debug)]
pub(crate) enum Way {
    /// The job did.
    Finished(Box<Finished>),
    /// It was left to itself.
    Detached,
}

impl<'a> Session<'a> {
    pub(crate) async fn start(
        config: &'a Config,
        files: &'a Files,
        found: Found,
    ) -> Result<Self, Failure> {
        let target = &config.target;
        let service = Service::start(found.place(), target.settings.clone()).await?;
        let client = Client::new(service.client(), config.watch.timing.clone())
            .with_dialect(target.profile.dialect.clone());
        Ok(Self { config, files, service, client })
    }

    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.service.stop().await
    }

    /// Does every task; of a sweep one whose job fails does not keep the others from being done.
    pub(crate) async fn all(
        &self,
        tasks: Vec<Task>,
        looks_up: bool,
        terminal: &mut Terminal<'_>,
    ) -> Result<Vec<Done>, Failure> {
        let config = self.config;
        if looks_up {
            let model = (&config.target, config.recipe.model.as_str());
            look_up_model(&self.client, model, config.caution.today, terminal).await?;
        }
        let (mut all, count, mut failed) = (Vec::new(), tasks.len(), None);
        for (index, task) in tasks.into_iter().enumerate() {
            let settings = settings(&task.recipe);
            if count > 1 {
                writeln!(terminal.err, "sweep, {} of {count}: {settings}", index + 1)?;
            }
            match self.one(task, settings, terminal).await {
                Ok(done) => all.push(done),
                Err(failure) if count > 1 && failure.exit() == Exit::JobFailed => {
                    writeln!(terminal.err, "note: {:#}; going on with the sweep", failure.error())?;
                    failed = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        match failed {
            Some(failure) if all.is_empty() => Err(failure),
            _ => Ok(all),
        }
    }

    async fn one(
        &self,
        task: Task,
        settings: String,
        terminal: &mut Terminal<'_>,
    ) -> Result<Done, Failure> {
        let Task { recipe, ledger, done } = task;
        if let Some(entry) = done {
            writeln!(
                terminal.err,
                "was trained before, as {}",
                entry.model.as_deref().unwrap_or("?")
            )?;
            let name = ledger.name();
            return Ok(Done { name, settings, entry, finished: None, json: None, ledger: None });
        }
        let config = self.config;
        if !ledger.is_resumed() {
            continued::write_manifest(ledger.folder(), &self.files.train)?;
        }
        let words = Some(&self.files.words);
        let display = Display::new(ledger.events()?, words, config.watch.json);
        let mut run = Run {
            target: &config.target,
            runs_dir: &config.runs_dir,
            in_parts: config.in_parts,
            client: self.client.clone(),
            ledger,
            words,
            display,
            begun: Instant::now(),
        };
        let all = self.files.all();
        let locals: Vec<&LocalFile> = all.iter().map(|examples| &examples.file).collect();
        let way = watched(
            config.watch.deadline,
            async |terminal: &mut Terminal<'_>| {
                let job = run.job(&recipe, &locals, terminal).await?;
                if config.detach {
                    return Ok(Way::Detached);
                }
                end(&mut run, &job, terminal).await
            },
            terminal,
        )
        .await;
        run.display.end();
        Done::of(run, settings, way, &config.target)
    }
}

/// Follows `job` to its end and gathers what it left.
pub(crate) async fn end(
    run: &mut Run<'_>,
    job: &wire::Job,
    terminal: &mut Terminal<'_>,
) -> Result<Way, Failure> {
    let (job, finished) = run.follow(job, terminal).await?;
    ended::gather(run, &job, &finished, terminal).await?;
    Ok(Way::Finished(Box::new(finished)))
}

/// Does `work` until it is done, a person interrupts it or the time is over; the last two give `None` and why.
pub(crate) async fn watched<T>(
    deadline: Option<Duration>,
    work: impl AsyncFnOnce(&mut Terminal<'_>) -> Result<T, Failure>,
    terminal: &mut Terminal<'_>,
) -> Result<T, Stop> {
    let time_is_over = async {
        match deadline {
            Some(deadline) => tokio::time::sleep(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = work(terminal) => done.map_err(Stop::Failed),
        () = cli::interrupted() => Err(Stop::Interrupted),
        () = time_is_over => Err(Stop::Deadline),
    }
}

/// Why a job was not followed to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Failure),
    Interrupted,
    Deadline,
}

impl Stop {
    /// The failure that it ends the tool with; the job at a service goes on, whatever it is.
    pub(crate) fn failure(self, run: &str, entry: &Entry, target: &Target) -> Failure {
        let why = match self {
            Self::Failed(failure) => return failure,
            Self::Interrupted => "interrupted",
            Self::Deadline => "the deadline is over",
        };
        let follow = format!("`run-finetuning --follow {run}`");
        let (text, hint) = match (&entry.job_id, &target.place) {
            (Some(id), Place::Service(endpoint)) => (
                format!("{why}; the job {id} goes on at {}", endpoint.host()),
                format!(
                    "{follow} or the same command goes on with it; `run-finetuning cancel {run}` stops it"
                ),
            ),
            (Some(id), Place::Local { .. }) => (
                format!("{why}; the job {id} pauses, because it runs inside this command"),
                format!("{follow} or the same command goes on with it from its last checkpoint"),
            ),
            (None, _) => (
                format!("{why} before the job was known to exist"),
                "the same command goes on with it".to_owned(),
            ),
        };
        Failure::new(Exit::Failed, anyhow!(text)).hint(hint)
    }
}

impl Done {
    /// The run that came to an end, or why it did not.
    pub(crate) fn of(
        run: Run<'_>,
        settings: String,
        way: Result<Way, Stop>,
        target: &Target,
    ) -> Result<Self, Failure> {
        let name = run.ledger.name();
        let way = way.map_err(|stop| stop.failure(&name, &run.ledger.entry, target))?;
        let (finished, json) = match way {
            Way::Detached => (None, None),
            Way::Finished(finished) => {
                let json = ended::json(&run, &finished.job, &finished);
                (Some(*finished), Some(json))
            }
        };
        let entry = run.ledger.entry.clone();
        let mut done = Self { name, settings, entry, finished, json, ledger: Some(run.ledger) };
        if done.entry.sweep.is_some() {
            done.end()?;
        }
        Ok(done)
    }

    pub(crate) fn score(&self) -> Score {
        Score {
            valid_loss: self.entry.valid_loss,
            tokens: self.entry.trained_tokens.unwrap_or(u64::MAX),
        }
    }

    /// Notes that the run is over: behind the telling, so that whoever is not told is told by the same command again.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        match &mut self.ledger {
            Some(ledger) if self.finished.is_some() => ledger.note(Stage::Ended),
            _ => Ok(()),
        }
    }

    /// Saves the model; the run is over only when its end is noted, and until then a crash leaves it to be gone on with.
    pub(crate) fn save(&mut self, target: &Target, model_file: &Path) -> anyhow::Result<()> {
        let finished = self.finished.clone().or_else(|| self.earlier());
        let finished = finished.ok_or_else(|| anyhow!("the run {} left no model", self.name))?;
        save::save(target, model_file, &finished, &self.entry)?;
        self.finished = Some(finished);
        Ok(())
    }

    /// What a run that ended before left.
    fn earlier(&self) -> Option<Finished> {
        let Entry { model, job_id, trained_tokens, seconds, .. } = &self.entry;
        Some(Finished {
            model: model.clone()?,
            job: job_id.clone()?,
            trained_tokens: *trained_tokens,
            seconds: *seconds,
            result_files: Vec::new(),
        })
    }

    /// The id on standard output, where it was saved on standard error.
    pub(crate) fn tell(
        &self,
        model_file: &Path,
        json: bool,
        terminal: &mut Terminal<'_>,
    ) -> std::io::Result<()> {
        let Some(finished) = &self.finished else { return Ok(()) };
        let id_file = save::id_file(model_file);
        writeln!(
            terminal.err,
            "saved to {} and {}; ask \"your question\" asks it",
            id_file.display(),
            model_file.display()
        )?;
        writeln!(terminal.err, "{}", cli::NOT_CLINICAL)?;
        let short = serde_json::json!({"type": "model", "model": finished.model});
        if json {
            json_line(self.json.as_ref().unwrap_or(&short), terminal);
        } else {
            writeln!(terminal.out, "{}", finished.model)?;
        }
        terminal.out.flush()
    }
}

/// What a recipe of a sweep sets, in a few words.
fn settings(recipe: &Recipe) -> String {
    let beta = match recipe.method {
        Method::Preferences { beta } => beta,
        _ => None,
    };
    let set = [
        recipe.epochs.map(|value| format!("epochs={value}")),
        recipe.batch_size.map(|value| format!("batch-size={value}")),
        recipe.learning_rate_multiplier.map(|value| format!("learning-rate-multiplier={value}")),
        recipe.seed.map(|value| format!("seed={value}")),
        beta.map(|value| format!("beta={value}")),
    ];
    set.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
