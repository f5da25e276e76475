//! A model with its adapter, for other programs: a folder for Transformers, a GGUF file, a GGUF adapter.
//!
//! PEFT's own format is what [`Adapter::save`] writes. Merged weights are `W + s B A`, summed in f32 and stored as asked;
//! one tensor at a time is in memory. Everything appears whole under its name or not at all.

mod part;
mod merge;
mod encode;
mod folder;
mod gguf_file;
mod metadata;
mod vocabulary;

use crate::config::ModelConfig;
use crate::lora::Adapter;
use crate::quant::TensorType;
use crate::weights::Weights;

/// Why a model cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The format, or this project, does not write that type.
    #[error("{format} is not written with weights of the type {kind:?}")]
    WeightType {
        /// The format.
        format: &'static str,
        /// The type asked for.
        kind: TensorType,
    },
    /// A number is too large for the type.
    #[error("tensor `{0}` holds a number that the type cannot hold")]
    Range(String),
    /// No program would cut text as the tokenizer does.
    #[error("GGUF has no name for the model's tokenizer: {0}")]
    Tokenizer(&'static str),
    /// A GGUF file keeps only the result of how positions are stretched.
    #[error("the file does not say how its positions were stretched, so `config.json` cannot")]
    RopeFactors,
    /// There is no adapter, or none with branches, to write.
    #[error("there is no adapter to write")]
    NoAdapter,
}

/// What is written: the base weights, with an adapter merged into them where there is one.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    weights: &'a Weights,
    adapter: Option<&'a Adapter>,
    name: &'a str,
}

/// Bytes of the result so far, and in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Written.
    pub done: u64,
    /// In all.
    pub total: u64,
}

impl<'a> Export<'a> {
    /// Of a model called `name`.
    pub fn new(weights: &'a Weights, adapter: Option<&'a Adapter>, name: &'a str) -> Self {
        Self { weights, adapter, name }
    }

    fn config(&self) -> &'a ModelConfig {
        self.weights.config()
    }

    /// Every tensor, with its shape.
    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.config().tensors().collect()
    }
}

#[cfg(test)]
mod tests;
