//! The embedded model behind the OpenAI dialect, as a server of its own.
//!
//! `serve` finds the base model, opens its data folder and serves files, fine-tuning jobs, models and chat completions
//! until it is told to stop, and a web page for people at `/`; `serve health` asks a running one whether it answers. Its
//! URL goes to standard output, everything else to standard error.

mod arguments;
mod config;
mod health;
mod tool;

pub use crate::tool::{command, run};
