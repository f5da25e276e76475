use std::time::Duration;

use transport::{Repeat, Route};
use wire::{Checkpoint, Deleted, FileId, Job, JobId, Model};

use crate::error::Error;
use crate::pages;

/// How often to look and how long to wait.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Between two looks at a job.
    pub poll: Duration,
    /// Between two looks at a file that is not ready.
    pub file_poll: Duration,
    /// The longest to wait until a file is ready.
    pub file_deadline: Duration,
    /// Before each look for a job whose creation had no clear answer; the service may show it late.
    pub looks: Vec<Duration>,
    /// How long a job may be out of sight before it is given up; what the transport waits comes on top.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(10),
            file_poll: Duration::from_secs(2),
            file_deadline: Duration::from_secs(30 * 60),
            looks: [1, 2, 4, 8].map(Duration::from_secs).to_vec(),
            patience: Duration::from_secs(60 * 60),
        }
    }
}

/// A client of a fine-tuning service.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: transport::Client,
    pub(crate) timing: Timing,
}

impl Client {
    /// A client that asks through `transport` with this `timing`.
    pub fn new(transport: transport::Client, timing: Timing) -> Self {
        Self { transport, timing }
    }

    /// The HTTP client below.
    pub fn transport(&self) -> &transport::Client {
        &self.transport
    }

    /// The job as it stands.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn job(&self, job: &JobId) -> Result<Job, Error> {
        self.look(job).await.map_err(Error::Service)
    }

    /// Asks the service to stop the job.
    ///
    /// # Errors
    ///
    /// [`Error::Service`], also where the job has come to its end already.
    pub async fn cancel(&self, job: &JobId) -> Result<Job, Error> {
        let route = route(["fine_tuning", "jobs", job.as_str(), "cancel"])?;
        self.transport.post_empty(&route, Repeat::Always).await.map_err(Error::Service)
    }

    /// The models that the job left at the ends of its epochs, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn checkpoints(&self, job: &JobId) -> Result<Vec<Checkpoint>, Error> {
        let route = route(["fine_tuning", "jobs", job.as_str(), "checkpoints"])?;
        let listed = pages::all(&self.transport, &route, 100, |checkpoint: &Checkpoint| {
            checkpoint.id.clone()
        })
        .await;
        let mut checkpoints = listed.map_err(Error::Service)?;
        checkpoints.sort_by_key(|checkpoint| checkpoint.step_number);
        Ok(checkpoints)
    }

    /// The model with this id, as the service knows it.
    ///
    /// # Errors
    ///
    /// [`Error::Service`], also where there is no such model.
    pub async fn model(&self, id: &str) -> Result<Model, Error> {
        self.transport.get(&route(["models", id])?).await.map_err(Error::Service)
    }

    /// Deletes an uploaded file.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn delete_file(&self, file: &FileId) -> Result<Deleted, Error> {
        self.transport.delete(&route(["files", file.as_str()])?).await.map_err(Error::Service)
    }

    pub(crate) async fn look(&self, job: &JobId) -> Result<Job, transport::Error> {
        let route = Route::new(["fine_tuning", "jobs", job.as_str()])?;
        self.transport.get(&route).await
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.transport.settings().sleeper.sleep(duration).await;
    }
}

pub(crate) fn route<const N: usize>(parts: [&str; N]) -> Result<Route, Error> {
    Route::new(parts).map_err(|error| Error::Service(error.into()))
}
