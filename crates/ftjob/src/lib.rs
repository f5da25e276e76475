//! Upload, create, follow and resume a fine-tuning job.
//!
//! [`Client`] does the five steps that a job takes: [`Client::upload`] (a file that the service has already is used
//! again), [`Client::wait_for_file`], [`Client::create`] (never sent blindly twice: after an unclear answer the job is
//! looked for by the run's key and adopted), [`Client::follow`] (every event once, oldest first, through interruptions)
//! and [`Finished::of`], which turns the job that came to its end into a model or an error.
//!
//! # Examples
//!
//! A job from its file to its model, at a server that really trains:
//!
//! ```
//! use std::time::Duration;
//!
//! use ftjob::{Client, Finished, JobSpec, LocalFile, Recipe, RunKey, Timing, Update};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let base = server::BaseModel::named("tiny-llama", "../../tests/golden/tiny-llama", "its SHA-256");
//! # let server = server::Embedded::start(server::Options::new(folder.path().join("server"), vec![base])).await?;
//! # let (base_url, key) = (server.base_url(), server.token().expose());
//! # let path = folder.path().join("medical_train.jsonl");
//! # let line = r#"{"messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":"So."}]}"#;
//! # std::fs::write(&path, format!("{line}\n").repeat(10))?;
//! let endpoint = transport::Endpoint::new(transport::Provider::OpenAi, base_url, Some(transport::Key::new(key)?))?;
//! let transport = transport::Client::new(endpoint, transport::Settings::default())?;
//! let client = Client::new(transport, Timing { poll: Duration::from_millis(100), ..Timing::default() });
//! let file = LocalFile::read(&path).await?;
//! let id = client.upload(&file).await?;
//! client.wait_for_file(&id).await?;
//! let recipe = Recipe { epochs: Some(1), ..Recipe::new("tiny-llama") };
//! let key = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
//! let created = client.create(&JobSpec::new(recipe, id), &key).await?;
//! let job = client.follow(&created.job.id, &mut |update| {
//!     if let Update::Event(event) = update { println!("{}", event.message) }
//! }).await?;
//! assert!(Finished::of(&job)?.model.starts_with("ft:tiny-llama:local:"));
//! # server.shutdown().await?;
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
