//! One job's training: from its files to a model that can be asked.
//!
//! Everything that a step tells goes into the database in one transaction, and only while the job still runs there: a
//! cancelled job finds that out after its current step. Steps that are done again after a restart are told once.

mod keep;
mod launched;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{ChatMessage, Example, LoraConfig, Model, StepReport, TrainOptions, Trainer};
use wire::{Job, JobError, JobStatus, Metrics};

use crate::check::read_files;
use crate::hyperparameters::Plan;
use crate::origin::{self, Found, Origin};
use crate::runner::{fail, server_error};
use crate::state::State;
use crate::store::{self, StoreError, jobs};
use crate::story::{self, Chapter};
use crate::tokenised::{examples, tokens};
use crate::validation::Validation;
use crate::{Error, Training, id};
use keep::Keeper;

/// Why a training stops before its end.
enum Halt {
    /// The job was cancelled; nothing is left to do.
    Cancelled,
    /// The server stops, or the job pauses; it goes on later.
    Left,
    /// The job is at fault, or the engine over it.
    Failed(Box<JobError>),
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Halt {
    fn from(error: std::io::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Box<JobError>> for Halt {
    fn from(error: Box<JobError>) -> Self {
        Self::Failed(error)
    }
}

impl From<engine::Error> for Halt {
    fn from(error: engine::Error) -> Self {
        tracing::error!(%error, "a training failed");
        let message = match &error {
            engine::Error::Diverged { step } => format!(
                "Training diverged at step {step}: the loss is not a number; a smaller learning_rate_multiplier may help"
            ),
            error => format!("Training failed: {error}"),
        };
        Self::Failed(Box::new(server_error(message)))
    }
}

/// Trains `job` to its end, or until it is cancelled or the server stops.
pub(crate) fn train(state: &State, job: &Job) -> store::Result<()> {
    let trained = Prepared::new(state, job).and_then(|prepared| match &state.trainer {
        Training::Embedded => Session::begin(prepared)?.run(),
        Training::Launched(launch) => launched::run(&prepared, launch),
    });
    match trained {
        Ok(()) | Err(Halt::Cancelled) => {}
        Err(Halt::Left) => return pause(state, job),
        Err(Halt::Failed(error)) => fail(state, job, &error)?,
        Err(Halt::Store(error)) => {
            tracing::error!(job = %job.id, %error, "a job failed");
            fail(state, job, &server_error("The server could not store what the job made"))?;
        }
    }
    // A state that is left behind is removed at the next start.
    let _ = std::fs::remove_dir_all(state.folder.training().join(job.id.as_str()));
    Ok(())
}

/// Lets a job rest that is about to pause; its training state stays.
pub(crate) fn pause(state: &State, job: &Job) -> store::Result<()> {
    let now = state.clock.now();
    state.store.change(|connection| {
        if jobs::status(connection, job.id.as_str())? != Some(JobStatus::Pausing) {
            return Ok(());
        }
        let paused = jobs::change(connection, job.id.as_str(), |job| {
            job.status = JobStatus::Paused;
            job.estimated_finish = None;
        })?;
        paused.map_or(Ok(()), |job| story::tell(connection, &job, now, &Chapter::Paused))
    })
}

/// A job that is taken, its files read and its choices made.
struct Prepared<'a> {
    keeper: Keeper<'a>,
    /// Whether a server was at it before this one.
    restarted: bool,
    model: Arc<Model>,
    plan: Plan,
    options: TrainOptions,
    train: Part,
    valid: Part,
    /// The tokens that all epochs together train on.
    trained_tokens: u64,
}

/// A file of the job, as it reads and as it is trained on.
struct Part {
    conversations: Vec<Vec<ChatMessage>>,
    examples: Vec<Example>,
}

impl<'a> Prepared<'a> {
    fn new(state: &'a State, job: &Job) -> Result<Self, Halt> {
        let restarted = job.status == JobStatus::Running;
        let job = start(state, job)?;
        let origin = origin(state, &job)?;
        let model = state.shelf.model(&origin.base).map_err(|error| load_error(&error))?;
        let (train, valid) = read_files(state, &job)?;
        let plan = Plan::new(&job.hyperparameters, train.conversations.len());
        let options = options(&plan, &job, &model);
        let tokenised =
            |rows: &[Vec<ChatMessage>], kind| examples(&model, rows, options.max_tokens, kind);
        let train_examples = tokenised(&train.conversations, "training")?;
        let valid = valid.map_or_else(Vec::new, |valid| valid.conversations);
        let valid_examples = tokenised(&valid, "validation")?;
        let cut = train_examples.cut + valid_examples.cut;
        if cut > 0 {
            let cut = Chapter::Cut { examples: cut, tokens: options.max_tokens };
            change(state, &job, &cut, |_| {})?;
        }
        let suffix = job.user_provided_suffix.as_deref();
        let model_id = id::tuned_model(&origin.base, suffix, job.id.as_str());
        Ok(Self {
            keeper: Keeper { state, job, origin, model_id },
            restarted,
            model,
            plan,
            trained_tokens: tokens(&train_examples.examples) * plan.epochs as u64,
            options,
            train: Part { conversations: train.conversations, examples: train_examples.examples },
            valid: Part { conversations: valid, examples: valid_examples.examples },
        })
    }
}

struct Session<'a> {
    keeper: Keeper<'a>,
    trainer: Trainer,
    validation: Validation,
    trained_tokens: u64,
    began: Instant,
    began_at_step: usize,
    saved: Instant,
}

impl<'a> Session<'a> {
    fn begin(prepared: Prepared<'a>) -> Result<Self, Halt> {
        let Prepared { keeper, restarted, model, plan, options, train, valid, trained_tokens } =
            prepared;
        let begin = Begin { keeper: &keeper, model: &model, options: &options };
        let (trainer, step) = begin.trainer(train.examples)?;
        if restarted || step > 0 {
            change(keeper.state, &keeper.job, &Chapter::Resumed { step, restarted }, |_| {})?;
        }
        let validation =
            Validation::new(model, valid.examples, plan.batch_size, trainer.total_steps());
        let now = Instant::now();
        Ok(Self {
            keeper,
            trainer,
            validation,
            trained_tokens,
            began: now,
            began_at_step: step,
            saved: now,
        })
    }

    fn run(mut self) -> Result<(), Halt> {
        if self.began_at_step == 0 && !self.validation.is_empty() {
            let mut before = Metrics { step: Some(0), ..self.metrics() };
            self.measure_all(&mut before)?;
            self.tell(&Chapter::Before(&before))?;
        }
        loop {
            if self.keeper.state.is_stopping() || self.keeper.job.status == JobStatus::Pausing {
                self.save()?;
                return Err(Halt::Left);
            }
            let begun = Instant::now();
            let Some(report) = self.trainer.step()? else { break };
            self.keeper.state.metrics.step(report.tokens, report.seconds);
            self.record(&report)?;
            self.keeper.state.queue.wait_until_idle(begun.elapsed());
        }
        self.keeper.finish(self.trained_tokens, &|folder| self.write(folder))
    }

    /// Writes down what a step brought, and at an epoch's end the model as it stands.
    fn record(&mut self, report: &StepReport) -> Result<(), Halt> {
        let mut metrics = Metrics {
            step: Some(report.step as u64),
            train_loss: Some(report.loss),
            train_mean_token_accuracy: Some(report.token_accuracy),
            ..self.metrics()
        };
        let part = self.validation.part(self.trainer.adapter(), report.step, report.epoch_ended)?;
        if let Some(part) = part {
            metrics.valid_loss = Some(part.loss);
            metrics.valid_mean_token_accuracy = Some(part.token_accuracy);
        }
        if report.epoch_ended && !self.validation.is_empty() {
            self.measure_all(&mut metrics)?;
        }
        let finish = self.estimated_finish(report.step);
        self.keeper.job =
            change(self.keeper.state, &self.keeper.job, &Chapter::Step(&metrics), |job| {
                job.estimated_finish = finish;
            })?;
        if report.epoch_ended {
            self.keeper.checkpoint(report.step, &metrics, &|folder| self.write(folder))?;
        }
        let every = Duration::from_secs(self.keeper.state.limits.checkpoint_seconds);
        if report.epoch_ended || self.saved.elapsed() >= every {
            self.save()?;
        }
        Ok(())
    }

    fn metrics(&self) -> Metrics {
        Metrics { total_steps: Some(self.trainer.total_steps() as u64), ..Metrics::default() }
    }

    /// Measures the whole validation file, looking out for an end of the job or the server.
    fn measure_all(&self, metrics: &mut Metrics) -> Result<(), Halt> {
        let state = self.keeper.state;
        let (id, mut halt) = (self.keeper.job.id.as_str(), None);
        let whole = self.validation.all(self.trainer.adapter(), &mut || {
            let status = state.store.change(|connection| jobs::status(connection, id));
            halt = match status {
                Err(error) => Some(Halt::Store(error)),
                Ok(Some(JobStatus::Running)) if !state.is_stopping() => None,
                Ok(Some(JobStatus::Running | JobStatus::Pausing)) => Some(Halt::Left),
                Ok(_) => Some(Halt::Cancelled),
            };
            halt.is_none()
        })?;
        match (whole, halt) {
            (Some(whole), _) => {
                metrics.full_valid_loss = Some(whole.loss);
                metrics.full_valid_mean_token_accuracy = Some(whole.token_accuracy);
                Ok(())
            }
            (None, halt) => Err(halt.unwrap_or(Halt::Left)),
        }
    }

    fn estimated_finish(&self, step: usize) -> Option<i64> {
        let done = step.checked_sub(self.began_at_step).filter(|done| *done > 0)?;
        let left = self.trainer.total_steps().saturating_sub(step);
        let seconds = self.began.elapsed().as_secs() * left as u64 / done as u64;
        Some(self.keeper.state.clock.now() + i64::try_from(seconds).unwrap_or_default())
    }

    fn tell(&self, chapter: &Chapter<'_>) -> Result<(), Halt> {
        change(self.keeper.state, &self.keeper.job, chapter, |_| {}).map(drop)
    }

    fn write(&self, folder: &Path) -> Result<(), Halt> {
        Ok(self.trainer.adapter().save(folder)?)
    }
}

/// Changes the job in the database and tells of it, unless it was cancelled meanwhile.
fn change(
    state: &State,
    job: &Job,
    chapter: &Chapter<'_>,
    work: impl FnOnce(&mut Job),
) -> Result<Job, Halt> {
    let now = state.clock.now();
    let changed = state.store.change(|connection| {
        let changed = jobs::change(connection, job.id.as_str(), work)?;
        if let Some(job) = &changed {
            story::tell(connection, job, now, chapter)?;
        }
        Ok(changed)
    })?;
    changed.ok_or(Halt::Cancelled)
}

/// Takes the job, unless it was paused or cancelled before it could start.
fn start(state: &State, job: &Job) -> Result<Job, Halt> {
    let now = state.clock.now();
    let started = state.store.change(|connection| {
        let started = jobs::start(connection, job.id.as_str())?;
        if let Some(job) = &started {
            story::tell(connection, job, now, &Chapter::Started)?;
        }
        Ok(started)
    })?;
    started.ok_or(Halt::Left)
}

fn origin(state: &State, job: &Job) -> Result<Origin, Halt> {
    let find = |connection: &_| origin::find(connection, &state.shelf, &job.model);
    match state.store.change(find)? {
        Found::Origin(origin) => Ok(origin),
        Found::Gone | Found::Unknown | Found::Elsewhere => Err(Halt::Failed(Box::new(JobError {
            code: Some("model_not_found".to_owned()),
            message: Some("The model that the job starts from does not exist any more".to_owned()),
            param: Some("model".to_owned()),
            ..JobError::default()
        }))),
    }
}

fn load_error(error: &Error) -> Halt {
    tracing::error!(%error, "a model cannot be loaded");
    Halt::Failed(Box::new(server_error("The model that the job starts from cannot be loaded")))
}

fn options(plan: &Plan, job: &Job, model: &Model) -> TrainOptions {
    let usual = TrainOptions::default();
    #[expect(clippy::cast_possible_truncation, reason = "a factor needs no more than f32 holds")]
    let factor = plan.learning_rate_multiplier as f32;
    TrainOptions {
        epochs: plan.epochs,
        batch_size: plan.batch_size,
        learning_rate: usual.learning_rate * factor,
        max_tokens: usual.max_tokens.min(model.config().max_positions),
        seed: job.seed.unwrap_or_default().cast_unsigned(),
        ..usual
    }
}

/// What a training begins with.
struct Begin<'a> {
    keeper: &'a Keeper<'a>,
    model: &'a Arc<Model>,
    options: &'a TrainOptions,
}

impl Begin<'_> {
    /// The trainer as the last training state left it, or at its beginning; and the steps it has done.
    fn trainer(&self, train: Vec<Example>) -> Result<(Trainer, usize), Halt> {
        let Keeper { state, job, .. } = self.keeper;
        let states = keep::saved_states(&state.folder.training().join(job.id.as_str()));
        if let Some((_, folder)) = states.first() {
            let (model, options) = (Arc::clone(self.model), self.options.clone());
            match Trainer::resume(folder, model, options, train.clone(), Vec::new()) {
                Ok(trainer) => {
                    let step = trainer.steps_done();
                    return Ok((trainer, step));
                }
                // As after a new release with other defaults: better from the beginning than not at all.
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, "a training state is of no use");
                }
            }
        }
        Ok((self.fresh(train)?, 0))
    }

    fn fresh(&self, train: Vec<Example>) -> Result<Trainer, Halt> {
        let (model, options) = (Arc::clone(self.model), self.options.clone());
        let trainer = match &self.keeper.origin.tuned {
            None => Trainer::new(model, &LoraConfig::default(), options, train, Vec::new())?,
            Some(tuned) => {
                let folder = self.keeper.state.folder.adapters();
                let adapter = self.keeper.state.shelf.adapter(tuned, &folder, self.model);
                let adapter = adapter.map_err(|error| load_error(&error))?;
                Trainer::with_adapter(model, (*adapter).clone(), options, train, Vec::new())?
            }
        };
        Ok(trainer)
    }
}
