//! Ask the fine-tuned model, reasoning and response apart.
//!
//! The tool asks the model that the last fine-tuning saved, with the system prompt of its training, at the service that
//! has it or on this machine. The answer goes to standard output while it arrives; everything else goes to standard
//! error.

mod arguments;
mod config;
mod service;
mod display;
mod record;
mod tool;

pub use crate::tool::run;
