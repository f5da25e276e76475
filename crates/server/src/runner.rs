//! The threads that work on jobs: one checks files, one trains, each one job at a time.
//!
//! The database is the only queue. A job is taken in the order in which it was created, and its status says what is to
//! be done next, so that after a restart the threads find everything where it was left. A job over a base model that
//! this server was not started with waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use wire::{Job, JobError, JobStatus};

use crate::error::with_causes;
use crate::origin::{self, Found};
use crate::state::State;
use crate::store::{self, jobs};
use crate::story::{self, Chapter};
use crate::{Error, check, training};

/// How long a thread rests when the database failed, so as not to spin.
const REST_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Starts the threads; they end when the server stops.
pub(crate) fn start(state: &Arc<State>) -> Result<Vec<JoinHandle<()>>, Error> {
    forget_finished(state);
    take_up(state)?;
    let checks = spawn(state, "check", &[JobStatus::ValidatingFiles], check::check)?;
    let trains = spawn(state, "train", &[JobStatus::Running, JobStatus::Queued], training::train)?;
    Ok(vec![checks, trains])
}

fn spawn(
    state: &Arc<State>,
    name: &str,
    statuses: &'static [JobStatus],
    work: fn(&State, &Job) -> store::Result<()>,
) -> Result<JoinHandle<()>, Error> {
    let state = Arc::clone(state);
    let worker = move || {
        while let Some(job) = state.wait_for_news(|| next(&state, statuses)) {
            let done = catch_unwind(AssertUnwindSafe(|| work(&state, &job)));
            let done = done.unwrap_or_else(|_| {
                // The panic's own message is on standard error; it may not repeat what it worked on.
                fail(
                    &state,
                    &job,
                    &server_error("The server had an error while working on the job"),
                )
            });
            if let Err(error) = done {
                let error = with_causes(&error);
                tracing::error!(job = %job.id, error, "a job could not be worked on; it is tried again");
                thread::sleep(REST_AFTER_ERROR);
            }
        }
    };
    let spawned = thread::Builder::new().name(format!("jobs-{name}")).spawn(worker);
    spawned.map_err(|source| Error::Thread { source })
}

fn next(state: &State, statuses: &[JobStatus]) -> Option<Job> {
    let found = state.store.change(|connection| {
        jobs::next(connection, statuses, |job| can_run(state, connection, job))
    });
    found.unwrap_or_else(|error| {
        tracing::error!(%error, "the jobs cannot be read");
        None
    })
}

/// Whether the model that `job` starts from is here. One that was deleted counts too, so that the job is failed.
fn can_run(state: &State, connection: &Connection, job: &Job) -> bool {
    let found = origin::find(connection, &state.shelf, &job.model);
    matches!(found, Ok(Found::Origin(_) | Found::Gone))
}

/// Ends `job` with `error`, unless it has come to its end otherwise.
pub(crate) fn fail(state: &State, job: &Job, error: &JobError) -> store::Result<()> {
    let now = state.clock.now();
    state.store.change(|connection| {
        let failed = jobs::change(connection, job.id.as_str(), |job| {
            job.status = JobStatus::Failed;
            job.error = Some(error.clone());
            job.finished_at = Some(now);
            job.estimated_finish = None;
        })?;
        match failed {
            Some(job) => story::tell(connection, &job, now, &Chapter::Failed(error)),
            None => Ok(()),
        }
    })
}

/// An error of the server's own making.
pub(crate) fn server_error(message: impl Into<String>) -> JobError {
    JobError {
        code: Some("server_error".to_owned()),
        message: Some(message.into()),
        ..JobError::default()
    }
}

/// Lets those jobs rest that were about to pause when the server ended, and those go on that its stopping paused.
fn take_up(state: &State) -> Result<(), Error> {
    let take_up = || {
        for job in state.store.change(jobs::unfinished)? {
            training::pause(state, &job)?;
        }
        state.store.change(|connection| {
            for job in jobs::going_on(connection)? {
                if can_run(state, connection, &job) {
                    let id = job.id.as_str();
                    jobs::change(connection, id, |job| job.status = JobStatus::Running)?;
                }
            }
            Ok(())
        })
    };
    take_up().map_err(|source| Error::Database { path: state.folder.database(), source })
}

/// Removes training states of jobs that came to their end just before the server did.
fn forget_finished(state: &State) {
    let Ok(folders) = std::fs::read_dir(state.folder.training()) else { return };
    for folder in folders.flatten() {
        let id = folder.file_name().to_string_lossy().into_owned();
        let job = state.store.change(|connection| jobs::find(connection, &id));
        if matches!(job, Ok(None)) || matches!(&job, Ok(Some(job)) if job.status.is_terminal()) {
            // What cannot be removed now is tried again at the next start.
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}
