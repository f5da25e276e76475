use wire::{FileId, Job, JobId, JobStatus};

use crate::error::Error;

/// What a job left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The id of the model it made.
    pub model: String,
    /// The job.
    pub job: JobId,
    /// The tokens it trained on, all epochs together.
    pub trained_tokens: Option<u64>,
    /// How long it took from its creation to its end, in seconds.
    pub seconds: Option<u64>,
    /// The files it wrote, such as its metrics.
    pub result_files: Vec<FileId>,
}

impl Finished {
    /// What `job` left, if it came to a good end.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`], [`Error::Cancelled`], [`Error::NoModel`] or [`Error::Unfinished`].
    pub fn of(job: &Job) -> Result<Self, Error> {
        let id = job.id.clone();
        match &job.status {
            JobStatus::Succeeded => {}
            JobStatus::Failed => return Err(failed(job)),
            JobStatus::Cancelled => return Err(Error::Cancelled { job: id }),
            status => return Err(Error::Unfinished { job: id, status: status.clone() }),
        }
        let Some(model) = job.fine_tuned_model.clone().filter(|model| !model.trim().is_empty())
        else {
            return Err(Error::NoModel { job: id });
        };
        let seconds = job.finished_at.and_then(|end| u64::try_from(end - job.created_at).ok());
        Ok(Self {
            model,
            job: id,
            trained_tokens: job.trained_tokens,
            seconds,
            result_files: job.result_files.clone(),
        })
    }
}

fn failed(job: &Job) -> Error {
    let error = job.error.clone().unwrap_or_default();
    let code = error.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let reason = error.message.map(|message| format!("{}{code}", one_line(&message)));
    Error::Failed { job: job.id.clone(), code: error.code, reason }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}
