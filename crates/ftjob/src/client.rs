use std::time::Duration;

use transport::{Progress, Repeat, Route};
use wire::{Checkpoint, Deleted, Dialect, Event, FileId, FileObject, Job, JobId, Model};

use crate::chronicle::Chronicle;
use crate::error::Error;
use crate::pages;
use crate::parts::PART_BYTES;

/// How often to look and how long to wait.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use ftjob::Timing;
///
/// let for_tests = Timing { poll: Duration::from_millis(50), looks: Vec::new(), ..Timing::default() };
/// assert_eq!(for_tests.patience, Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone)]
pub struct Timing {
    /// Between two looks at a job of which there is news.
    pub poll: Duration,
    /// The longest time between two looks, which is come to by and by where there is none.
    pub longest_poll: Duration,
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
            longest_poll: Duration::from_secs(60),
            file_poll: Duration::from_secs(2),
            file_deadline: Duration::from_secs(30 * 60),
            looks: [1, 2, 4, 8].map(Duration::from_secs).to_vec(),
            patience: Duration::from_secs(60 * 60),
        }
    }
}

/// A client of a fine-tuning service.
///
/// # Examples
///
/// A job from its file to what it left:
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use ftjob::{JobSpec, Recipe, RunKey};
/// use wire::JobStatus;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// let id = client.upload(file).await?;
/// assert!(client.still_has(file, &id).await?);
/// let recipe = Recipe { epochs: Some(2), ..Recipe::new("tiny-llama") };
/// let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
/// let created = client.create(&JobSpec::new(recipe, id.clone()), &key).await?;
/// let job = client.follow(&created.job.id, &mut |_| {}).await?;
///
/// assert_eq!(client.job(&job.id).await?.status, JobStatus::Succeeded);
/// let events = client.events(&job.id).await?;
/// assert!(events.iter().any(|event| event.message == "Fine-tuning job started"));
/// assert_eq!(client.checkpoints(&job.id).await?.len(), 2, "one an epoch");
/// assert!(!client.content(&job.result_files[0], 1 << 20).await?.is_empty());
/// let model = job.fine_tuned_model.ok_or("no model")?;
/// assert_eq!(client.model(&model).await?.id, model);
/// assert!(client.delete_file(&id).await?.deleted);
/// assert_eq!(client.file(&id).await?, None);
/// # Ok(())
/// # }
/// ```
///
/// One that rests, goes on and is given up:
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use std::time::Duration;
///
/// use ftjob::{Error, Finished, JobSpec, Recipe, RunKey};
/// use wire::JobStatus;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// # let recipe = Recipe { epochs: Some(50), batch_size: Some(1), ..Recipe::new("tiny-llama") };
/// # let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
/// # let spec = JobSpec::new(recipe, client.upload(file).await?);
/// let job = client.create(&spec, &key).await?.job.id;
/// client.pause(&job).await?; // a running one rests behind its step
/// while client.job(&job).await?.status != JobStatus::Paused {
///     tokio::time::sleep(Duration::from_millis(20)).await;
/// }
/// client.resume(&job).await?;
/// client.cancel(&job).await?;
/// let end = client.follow(&job, &mut |_| {}).await?;
/// assert!(matches!(Finished::of(&end), Err(Error::Cancelled { .. })));
/// # Ok(())
/// # }
/// ```
///
/// A file too large for one request ([`WHOLE_BYTES`](crate::WHOLE_BYTES)) goes in parts:
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use transport::Progress;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// let sent = Arc::new(AtomicU64::new(0));
/// let told = Arc::clone(&sent);
/// let progress = Progress::new(move |bytes| told.store(bytes, Relaxed));
/// let client = client.clone().with_part_bytes(file.bytes.div_ceil(3)).with_progress(progress);
/// let mut arrived = Vec::new();
/// let mut keep = |partial: &ftjob::PartialUpload| {
///     arrived.push(partial.parts.len());
///     Ok(())
/// };
/// let uploaded = client.upload_in_parts(file, None, &mut keep).await?;
/// assert!(client.still_has(file, &uploaded.id).await?);
/// assert_eq!((arrived, sent.load(Relaxed)), (vec![0, 1, 2, 3], file.bytes));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: transport::Client,
    pub(crate) timing: Timing,
    pub(crate) dialect: Dialect,
    pub(crate) part_bytes: u64,
    pub(crate) progress: Option<Progress>,
}

impl Client {
    /// A client that asks through `transport` with this `timing`.
    pub fn new(transport: transport::Client, timing: Timing) -> Self {
        let dialect = Dialect::default();
        Self { transport, timing, dialect, part_bytes: PART_BYTES, progress: None }
    }

    /// The same with uploads in parts of at most `bytes`, which are more than 3.
    #[must_use]
    pub fn with_part_bytes(self, bytes: u64) -> Self {
        Self { part_bytes: bytes.max(4), ..self }
    }

    /// The same with the bytes of uploads told to `progress` while they are sent.
    #[must_use]
    pub fn with_progress(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// The same for a service that differs from `OpenAI`'s as `dialect` says.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
    /// use ftjob::{JobSpec, Recipe, RunKey};
    /// use wire::Dialect;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tiny = tiny().await?;
    /// # let (client, file) = (&tiny.client, &tiny.file);
    /// # let recipe = Recipe { epochs: Some(1), ..Recipe::new("tiny-llama") };
    /// # let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
    /// # let spec = JobSpec::new(recipe, client.upload(file).await?);
    /// let dialect = Dialect { metadata: false, ..Dialect::default() }; // the service refuses them
    /// let client = client.clone().with_dialect(dialect);
    /// let created = client.create(&spec, &key).await?;
    /// assert!(created.job.metadata.is_none_or(|pairs| pairs.is_empty()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
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
        self.ask_for(job, "cancel").await
    }

    /// Asks the service to pause the job, so that it can go on later.
    ///
    /// # Errors
    ///
    /// [`Error::Service`], also where the service cannot pause jobs or this one does not run.
    pub async fn pause(&self, job: &JobId) -> Result<Job, Error> {
        self.ask_for(job, "pause").await
    }

    /// Asks the service to go on with a paused job.
    ///
    /// # Errors
    ///
    /// [`Error::Service`], also where the job is not paused.
    pub async fn resume(&self, job: &JobId) -> Result<Job, Error> {
        self.ask_for(job, "resume").await
    }

    async fn ask_for(&self, job: &JobId, what: &str) -> Result<Job, Error> {
        let route = route(["fine_tuning", "jobs", job.as_str(), what])?;
        let told = self.transport.post_empty(&route, Repeat::Always).await;
        self.understood(job, told.map_err(Error::Service)?).map_err(Error::Service)
    }

    /// Everything that happened in the job so far, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn events(&self, job: &JobId) -> Result<Vec<Event>, Error> {
        let route = route(["fine_tuning", "jobs", job.as_str(), "events"])?;
        let listed = pages::all(&self.transport, &route, 100, |event: &Event| event.id.clone());
        let listed = listed.await.map_err(Error::Service)?;
        Ok(self.news(&mut Chronicle::default(), listed))
    }

    /// The file as the service knows it; `None` where it has none of that id.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn file(&self, file: &FileId) -> Result<Option<FileObject>, Error> {
        let told = self.transport.get::<FileObject>(&route(["files", file.as_str()])?).await;
        match told {
            Ok(told) if told.id == *file => Ok(Some(told)),
            Ok(_) => Err(Error::Service(self.transport.stranger())),
            Err(error) if matches!(error.status(), Some(404 | 410)) => Ok(None),
            Err(error) => Err(Error::Service(error)),
        }
    }

    /// The content of a file, of at most `limit` bytes, such as a finished job's results.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn content(&self, file: &FileId, limit: u64) -> Result<Vec<u8>, Error> {
        let route = route(["files", file.as_str(), "content"])?;
        let content = self.transport.get_bytes(&route, limit).await.map_err(Error::Service)?;
        Ok(content.into())
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
        self.understood(job, self.transport.get(&route).await?)
    }

    /// `text` without the key, which some services repeat.
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.transport.endpoint().redact(text)
    }

    /// The events of `listed` that `chronicle` does not know, oldest first.
    pub(crate) fn news(&self, chronicle: &mut Chronicle, listed: Vec<Event>) -> Vec<Event> {
        let mut news = chronicle.news(listed);
        for event in &mut news {
            event.message = self.redacted(&event.message);
        }
        news
    }

    /// `told` in this program's words, if it is about `job` at all.
    fn understood(&self, job: &JobId, mut told: Job) -> Result<Job, transport::Error> {
        if told.id != *job {
            return Err(self.transport.stranger());
        }
        told.status = self.dialect.status(told.status);
        if let Some(error) = &mut told.error {
            error.message = error.message.as_deref().map(|message| self.redacted(message));
        }
        Ok(told)
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.transport.settings().sleeper.sleep(duration).await;
    }
}

pub(crate) fn route<const N: usize>(parts: [&str; N]) -> Result<Route, Error> {
    Route::new(parts).map_err(|error| Error::Service(error.into()))
}
