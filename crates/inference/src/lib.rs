//! Ask a model and split its reasoning from its answer.
//!
//! [`SavedModel`] is the file that a finished fine-tuning leaves behind.

mod saved;
mod answer;

pub use crate::answer::{Answer, Event, Finish};
pub use crate::saved::{SavedModel, SavedModelError};
