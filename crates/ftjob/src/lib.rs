//! Upload, create, follow and resume a fine-tuning job.
//!
//! [`Client`] does the five steps that a job takes: [`Client::upload`] (a file that the service has already is used
//! again), [`Client::wait_for_file`], [`Client::create`] (never sent blindly twice: after an unclear answer the job is
//! looked for by the run's key and adopted), [`Client::follow`] (every event once, oldest first, through interruptions)
//! and [`Finished::of`], which turns the job that came to its end into a model or an error.
//!
//! ```no_run
//! # async fn run(transport: transport::Client) -> Result<(), ftjob::Error> {
//! use ftjob::{Client, Finished, JobSpec, LocalFile, Recipe, RunKey, Timing, Update};
//!
//! let client = Client::new(transport, Timing::default());
//! let file = LocalFile::read("medical_train.jsonl".as_ref()).await?;
//! let id = client.upload(&file).await?;
//! client.wait_for_file(&id).await?;
//! let recipe = Recipe::new("smollm2-135m-instruct");
//! let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
//! let created = client.create(&JobSpec::new(recipe, id), &key).await?;
//! let job = client.follow(&created.job.id, &mut |update| {
//!     if let Update::Event(event) = update { println!("{}", event.message) }
//! }).await?;
//! println!("{}", Finished::of(&job)?.model);
//! # Ok(())
//! # }
//! ```

mod error;
mod key;
mod spec;
mod local_file;
mod journal;
mod client;
mod pages;
mod upload;
mod parts;
mod create;
mod chronicle;
mod follow;
mod finished;

pub use client::{Client, Timing};
pub use create::Created;
pub use error::Error;
pub use finished::Finished;
pub use follow::Update;
pub use journal::{Journal, Step, Unrecorded};
pub use key::RunKey;
pub use local_file::LocalFile;
pub use parts::{PartialUpload, WHOLE_BYTES};
pub use spec::{JobSpec, Method, Recipe};
pub use upload::Uploaded;
