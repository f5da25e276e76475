//! One job's training: from its files to a model that can be asked.
//!
//! Everything that a step tells goes into the database in one transaction, and only while the job still runs there: a
//! cancelled job finds that out after its current step. Steps that are done again after a restart are told once.

mod keep;
mod begin;
mod session;
mod launched;

use std::sync::Arc;

use engine::{Model, PreferenceOptions, TrainOptions};
use wire::{Job, JobError, JobStatus};

use crate::check::read_files;
use crate::hyperparameters::Plan;
use crate::origin::{self, Found, Origin};
use crate::rows::Content;
use crate::runner::{fail, server_error};
use crate::state::State;
use crate::store::{self, StoreError, jobs};
use crate::story::{self, Chapter};
use crate::tokenised::{Sequences, tokenise};
use crate::{Error, Training, id, room};
use keep::Keeper;
use session::Session;

/// What the engine's learning rate is multiplied with where preferences are learnt.
///
/// They need less: TRL's recipes for LoRA have about 2e-4 for examples and 2e-5 for preferences.
const PREFERENCE_RATE: f32 = 0.1;

/// Why a training stops before its end.
enum Halt {
    /// The job was cancelled; nothing is left to do.
    Cancelled,
    /// The server stops, or the job pauses; it goes on later.
    Left,
    /// The disk is full; the job goes on when somebody has made room and resumes it.
    NoRoom,
    /// The job is at fault, or the engine over it.
    Failed(Box<JobError>),
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        if room::is_used_up(&error) { Self::NoRoom } else { Self::Store(error) }
    }
}

impl From<std::io::Error> for Halt {
    fn from(error: std::io::Error) -> Self {
        StoreError::from(error).into()
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
        if room::is_used_up(&error) {
            return Self::NoRoom;
        }
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
        Err(Halt::NoRoom) => return run_out(state, job),
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

/// Lets a job rest that is about to pause, or that the server's stopping interrupts; its training state stays.
pub(crate) fn pause(state: &State, job: &Job) -> store::Result<()> {
    let (now, id) = (state.clock.now(), job.id.as_str());
    state.store.change(|connection| {
        let (paused, chapter) = match jobs::status(connection, id)? {
            Some(JobStatus::Pausing) => {
                let paused = jobs::change(connection, id, |job| {
                    job.status = JobStatus::Paused;
                    job.estimated_finish = None;
                })?;
                (paused, Chapter::Paused)
            }
            Some(JobStatus::Running) if state.is_stopping() => {
                (jobs::rest(connection, id)?, Chapter::Rested)
            }
            _ => return Ok(()),
        };
        paused.map_or(Ok(()), |job| story::tell(connection, &job, now, &chapter))
    })
}

/// Lets a job rest that found no room for what it makes; its training state stays.
fn run_out(state: &State, job: &Job) -> store::Result<()> {
    tracing::error!(job = %job.id, "the disk is full, and the job pauses");
    let now = state.clock.now();
    state.store.change(|connection| {
        let paused = jobs::change(connection, job.id.as_str(), |job| {
            job.status = JobStatus::Paused;
            job.estimated_finish = None;
        })?;
        paused.map_or(Ok(()), |job| story::tell(connection, &job, now, &Chapter::NoRoom))
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
    preference: PreferenceOptions,
    train: Part,
    valid: Option<Part>,
    /// The tokens that all epochs together train on.
    trained_tokens: u64,
}

/// A file of the job, as it reads and as it is trained on.
struct Part {
    content: Content,
    sequences: Sequences,
}

impl<'a> Prepared<'a> {
    fn new(state: &'a State, job: &Job) -> Result<Self, Halt> {
        let restarted = job.status == JobStatus::Running;
        let job = start(state, job)?;
        let origin = origin(state, &job)?;
        let model = state.shelf.model(&origin.base).map_err(|error| load_error(&error))?;
        let (train, valid) = read_files(state, &job)?;
        let plan = Plan::new(&job, train.content.len());
        let options = options(&plan, &job, &model);
        let tokenised = tokenise(&model, &train.content, options.max_tokens, "training")?;
        let mut cut = tokenised.cut;
        let train = Part { content: train.content, sequences: tokenised.sequences };
        let valid = valid.map(|valid| {
            let tokenised = tokenise(&model, &valid.content, options.max_tokens, "validation")?;
            cut += tokenised.cut;
            Ok::<_, Halt>(Part { content: valid.content, sequences: tokenised.sequences })
        });
        let valid = valid.transpose()?;
        if cut > 0 {
            let cut = Chapter::Cut { examples: cut, tokens: options.max_tokens };
            change(state, &job, &cut, |_| {})?;
        }
        let suffix = job.user_provided_suffix.as_deref();
        let model_id = id::tuned_model(&origin.base, suffix, job.id.as_str());
        let trained_tokens = train.sequences.tokens() * plan.epochs as u64;
        let keeper = Keeper { state, job, origin, model_id };
        let preference = preference(&keeper, &plan, &model)?;
        Ok(Self {
            keeper,
            restarted,
            model,
            plan,
            options,
            preference,
            train,
            valid,
            trained_tokens,
        })
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
    let rate = if plan.beta.is_some() { PREFERENCE_RATE } else { 1.0 };
    TrainOptions {
        epochs: plan.epochs,
        batch_size: plan.batch_size,
        learning_rate: usual.learning_rate * rate * factor,
        max_tokens: usual.max_tokens.min(model.config().max_positions),
        seed: job.seed.unwrap_or_default().cast_unsigned(),
        ..usual
    }
}

/// How preferences are learnt, where they are: held to the model that the job starts from.
fn preference(
    keeper: &Keeper<'_>,
    plan: &Plan,
    model: &Arc<Model>,
) -> Result<PreferenceOptions, Halt> {
    let Some(beta) = plan.beta else { return Ok(PreferenceOptions::default()) };
    #[expect(clippy::cast_possible_truncation, reason = "a strength needs no more than f32 holds")]
    let beta = beta as f32;
    Ok(PreferenceOptions { beta, reference: keeper.first_adapter(model)? })
}
