//! A model with its adapter, for other programs: a folder for Transformers, a GGUF file, a GGUF adapter.
//!
//! PEFT's own format is what [`Adapter::save`] writes. Merged weights are `W + s B A`, summed in f32 and stored as asked;
//! one tensor at a time is in memory. Everything appears whole under its name or not at all.
//!
//! # Examples
//!
//! ```
//! use std::path::Path;
//!
//! use engine::export::{Export, ExportError, Progress};
//! use engine::{Adapter, Error, LoadOptions, LoraConfig, Model, TensorType, Weights};
//!
//! let path = Path::new("../../tests/golden/tiny-llama");
//! let model = Model::load(path, &LoadOptions::default())?;
//! let (weights, adapter) = (Weights::open(path)?, Adapter::new(&model, &LoraConfig::default(), 42)?);
//! let export = Export::new(&weights, Some(&adapter), "med-cot-v1");
//!
//! let folder = tempfile::tempdir()?;
//! let to = |name: &str| folder.path().join(name);
//! let mut last = Progress { done: 0, total: 1 };
//! export.safetensors(&to("merged"), TensorType::Bf16, &mut |progress| last = progress)?; // for Transformers and vLLM
//! assert_eq!(last.done, last.total);
//! export.gguf(&to("merged.gguf"), TensorType::Q8_0, &mut |_| {})?; // for llama.cpp
//! export.peft(&to("adapter"), "tiny-llama")?; // the adapter alone, for PEFT
//! export.gguf_lora(&to("adapter.gguf"), TensorType::F16)?; // and for llama.cpp's `--lora`
//! assert_eq!(Weights::open(&to("merged.gguf"))?.config().layers, model.config().layers);
//!
//! let base = Export::new(&weights, None, "base");
//! let refused = base.peft(&to("none"), "tiny-llama");
//! assert!(matches!(refused, Err(Error::Export { source: ExportError::NoAdapter })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
