//! A fine-tuned model for other programs.
//!
//! `export-model` finds a tuned model's adapter in the embedded server's data, or takes any adapter folder, and writes it in
//! PEFT's format, as a GGUF adapter, or merged into its base as a Transformers folder or a GGUF file. The path of the
//! result goes to standard output, everything else to standard error.

mod arguments;
mod config;
mod place;
mod tool;

pub use crate::tool::{command, run};
