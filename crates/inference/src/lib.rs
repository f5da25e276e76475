//! Ask a model and split its reasoning from its answer.
//!
//! [`SavedModel`] is the file that a finished fine-tuning leaves behind: which model, where, and how it was trained to be
//! asked. An [`Assistant`] asks it that way, for a whole [`Answer`] or for [`Event`]s while it arrives.
//!
//! # Examples
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
//! use inference::{Assistant, SavedModel};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG."]).await?;
//! # let (base_url, folder) = (client.endpoint().base_url(), tempfile::tempdir()?);
//! # SavedModel::of_id("ft:tiny").save(&folder.path().join(SavedModel::FILE))?;
//! use transport::{Client, Endpoint, Key, Provider, Settings};
//!
//! let saved = SavedModel::load(&folder.path().join(SavedModel::FILE))?;
//! let endpoint = Endpoint::new(Provider::OpenAi, base_url, Some(Key::new("any")?))?;
//! let assistant = Assistant::from_saved(Client::new(endpoint, Settings::default())?, &saved)?;
//! let answer = assistant.ask("What is the first test in sudden chest pain?").await?;
//! assert!(answer.complete, "ended by {}", answer.finish);
//! assert_eq!(answer.reasoning.as_deref(), Some("Crushing."));
//! assert_eq!(answer.response, "An ECG.");
//! # Ok(())
//! # }
//! ```

mod error;
mod saved;
mod answer;
mod stream;
mod assistant;
mod conversation;
mod clock;
mod question;
mod many;
mod answers;
mod batch;

pub use crate::answer::{Answer, Event, Finish};
pub use crate::answers::{AnswerFile, AnswerFileError};
pub use crate::assistant::{Assistant, Patience, Sampling};
pub use crate::batch::{BatchError, BatchOptions};
pub use crate::clock::Clock;
pub use crate::conversation::{Conversation, ConversationStream, Recall, Turn};
pub use crate::error::Error;
pub use crate::many::{AskMany, ManyOptions, Outcome, Tally, Throttle};
pub use crate::question::{Question, QuestionError, QuestionsError};
pub use crate::saved::{SavedModel, SavedModelError};
pub use crate::stream::AnswerStream;
