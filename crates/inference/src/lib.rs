//! Ask a model and split its reasoning from its answer.
//!
//! [`SavedModel`] is the file that a finished fine-tuning leaves behind: which model, where, and how it was trained to be
//! asked. An [`Assistant`] asks it that way, for a whole [`Answer`] or for [`Event`]s while it arrives.
//!
//! ```no_run
//! # async fn asking() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//!
//! use inference::{Assistant, SavedModel};
//! use transport::{Client, Endpoint, Key, Provider, Settings};
//!
//! let saved = SavedModel::load(Path::new(SavedModel::FILE))?;
//! let endpoint = Endpoint::new(Provider::OpenAi, "http://127.0.0.1:8080/v1", Some(Key::new("any")?))?;
//! let assistant = Assistant::from_saved(Client::new(endpoint, Settings::default())?, &saved)?;
//! let answer = assistant.ask("What are the first steps in sudden chest pain?").await?;
//! assert!(answer.complete, "ended by {}", answer.finish);
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
