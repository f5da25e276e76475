//! The check of a job's files, before it may queue.

use std::io::{self, BufReader};

use wire::{FileId, Job, JobError, JobStatus};

use crate::blob;
use crate::hyperparameters::{self, Plan};
use crate::rows::{self, Kind, Noticed, Rows, RowsError};
use crate::runner::fail;
use crate::state::State;
use crate::store::{self, files, jobs};
use crate::story::{self, Chapter};

/// The fewest examples that a job is run for, as at the hosted service.
const FEWEST_EXAMPLES: usize = 10;

/// Reads the job's files and moves it to the queue, or ends it with what is wrong with them.
pub(crate) fn check(state: &State, job: &Job) -> store::Result<()> {
    let now = state.clock.now();
    state.store.change(|connection| story::tell(connection, job, now, &Chapter::Validating))?;
    let (train, valid) = match read_files(state, job) {
        Ok(files) => files,
        Err(error) => return fail(state, job, &error),
    };
    let plan = Plan::new(job, train.content.len());
    let other = valid.map_or_else(Noticed::default, |valid| valid.noticed);
    let validated = Chapter::Validated {
        examples: train.content.len(),
        named_messages: train.noticed.named_messages + other.named_messages,
        equal_pairs: train.noticed.equal_pairs + other.equal_pairs,
    };
    state.store.change(|connection| {
        let queued = jobs::change(connection, job.id.as_str(), |job| {
            // One that was paused meanwhile stays so.
            if job.status == JobStatus::ValidatingFiles {
                job.status = JobStatus::Queued;
            }
            let method = plan.method();
            job.hyperparameters = hyperparameters::shown(&method);
            job.method = Some(method);
        })?;
        match queued {
            Some(job) => story::tell(connection, &job, state.clock.now(), &validated),
            None => Ok(()),
        }
    })?;
    state.tell();
    Ok(())
}

/// The rows to train on and to measure on.
pub(crate) fn read_files(state: &State, job: &Job) -> Result<(Rows, Option<Rows>), Box<JobError>> {
    let train = read_file(state, job, "training")?;
    let examples = train.content.len();
    if examples < FEWEST_EXAMPLES {
        let message = format!(
            "Training file has {examples} example(s), but must have at least {FEWEST_EXAMPLES} examples"
        );
        return Err(error("invalid_n_examples", "training_file", message));
    }
    if job.validation_file.is_none() {
        return Ok((train, None));
    }
    let valid = read_file(state, job, "validation")?;
    if valid.content.len() == 0 {
        let message = "Validation file has no example, but must have at least 1".to_owned();
        return Err(error("invalid_n_examples", "validation_file", message));
    }
    Ok((train, Some(valid)))
}

fn read_file(state: &State, job: &Job, kind: &'static str) -> Result<Rows, Box<JobError>> {
    let (code, param, file) = match kind {
        "training" => ("invalid_training_file", "training_file", job.training_file.as_ref()),
        _ => ("invalid_validation_file", "validation_file", job.validation_file.as_ref()),
    };
    let preferences = hyperparameters::learns_preferences(job);
    let wanted = if preferences { Kind::Preferences } else { Kind::Conversations };
    let rows = open(state, file).map_err(|_| RowsError::Read).and_then(|(bytes, content)| {
        let most = state.limits.training_bytes;
        if bytes > most { Err(RowsError::Large { most }) } else { rows::read(content, wanted) }
    });
    rows.map_err(|fault| match fault {
        RowsError::Large { most } => {
            let message = format!(
                "The job failed because the {kind} file has more than the {most} bytes that this server trains on"
            );
            error(code, param, message)
        }
        RowsError::Read => {
            error(code, param, format!("The job failed because the {kind} file cannot be read"))
        }
        RowsError::Bad { line, fault, more } => {
            let more = match more {
                0 => String::new(),
                more => format!(" ({more} more lines are bad)"),
            };
            let message = format!(
                "The job failed due to an invalid {kind} file. Invalid file format. Line {line}: {fault}{more}"
            );
            error(code, param, message)
        }
    })
}

fn open(state: &State, file: Option<&FileId>) -> io::Result<(u64, BufReader<std::fs::File>)> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let id = file.ok_or_else(missing)?;
    let stored = state.store.change(|connection| files::find(connection, id.as_str()));
    let stored = stored.map_err(io::Error::other)?.ok_or_else(missing)?;
    let content = blob::open(&state.folder, &stored.sha256)?;
    Ok((content.metadata()?.len(), BufReader::new(content)))
}

fn error(code: &str, param: &str, message: String) -> Box<JobError> {
    Box::new(JobError {
        code: Some(code.to_owned()),
        message: Some(message),
        param: Some(param.to_owned()),
        ..JobError::default()
    })
}
