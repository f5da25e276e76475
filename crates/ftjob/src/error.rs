use std::path::PathBuf;

use wire::{FileId, JobId};

/// Why a step of a job was not done, or why the job made no model.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use ftjob::{Error, LocalFile};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = LocalFile::read(Path::new("no/such/file.jsonl")).await.unwrap_err();
/// assert!(matches!(error, Error::Read { .. }));
/// assert_eq!(error.to_string(), "cannot read no/such/file.jsonl");
/// assert!(error.transport().is_none(), "the service has no part in it");
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file to upload cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is about to be done could not be noted, so it was not done.
    #[error("the run's record cannot be written")]
    Record(#[source] std::io::Error),
    /// The service did not take a file.
    #[error("cannot upload {}", .path.display())]
    Upload {
        /// The file.
        path: PathBuf,
        /// Why.
        source: transport::Error,
    },
    /// The service took a file and then found that it cannot use it.
    #[error("the service cannot use the file {file}{}", after_colon(.details.as_deref()))]
    FileRefused {
        /// The file.
        file: FileId,
        /// What the service says.
        details: Option<String>,
    },
    /// The service did not finish looking at a file in time.
    #[error("the file {file} was not ready after {seconds} s")]
    FileSlow {
        /// The file.
        file: FileId,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The service did not make the job: none is running.
    #[error("the job was not created")]
    Create(#[source] transport::Error),
    /// Whether the service has made the job is not known, and it cannot be looked for.
    #[error("whether the job was created is not known")]
    Unclear(#[source] transport::Error),
    /// A question about files, jobs or checkpoints was not answered.
    #[error("the service did not answer")]
    Service(#[source] transport::Error),
    /// The job could not be followed to its end; it goes on at the service.
    #[error("lost sight of the job {job}")]
    Lost {
        /// The job.
        job: JobId,
        /// Why.
        source: transport::Error,
    },
    /// The job failed.
    #[error("the job {job} failed{}", after_colon(.reason.as_deref()))]
    Failed {
        /// The job.
        job: JobId,
        /// The service's code, such as `invalid_training_file`.
        code: Option<String>,
        /// What the service says.
        reason: Option<String>,
    },
    /// The job was cancelled.
    #[error("the job {job} was cancelled")]
    Cancelled {
        /// The job.
        job: JobId,
    },
    /// The job succeeded and names no model.
    #[error("the job {job} succeeded without naming a model")]
    NoModel {
        /// The job.
        job: JobId,
    },
    /// The job has not come to its end.
    #[error("the job {job} has not come to its end (it is {status})")]
    Unfinished {
        /// The job.
        job: JobId,
        /// Where it stands.
        status: wire::JobStatus,
    },
}

impl Error {
    /// What went wrong between here and the service, if that is what it is.
    pub fn transport(&self) -> Option<&transport::Error> {
        match self {
            Self::Upload { source, .. }
            | Self::Lost { source, .. }
            | Self::Create(source)
            | Self::Unclear(source)
            | Self::Service(source) => Some(source),
            _ => None,
        }
    }
}

fn after_colon(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map(|text| format!(": {text}")).unwrap_or_default()
}
