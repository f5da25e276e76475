//! Ask the fine-tuned model, reasoning and response apart.
//!
//! The tool asks the model that the last fine-tuning saved, with the system prompt of its training, at the service that
//! has it or on this machine: one question, a conversation, or the questions of a file. Answers go to standard output
//! while they arrive, those of many questions to a file; everything else goes to standard error.

mod arguments;
mod config;
mod refusal;
mod display;
mod record;
mod question;
mod compare;
mod lines;
mod conversation;
mod many;
mod tool;

pub use crate::tool::{command, run};

#[cfg(test)]
#[expect(dead_code, reason = "files to fetch are for other tests")]
#[path = "../../../crates/inference/tests/support/double.rs"]
mod double;
