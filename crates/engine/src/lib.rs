//! The embedded model: load, tokenise, train LoRA adapters, generate.
//!
//! A [`Model`] is read from a GGUF file or a folder of safetensors. [`Model::example`] makes training data of a chat, a
//! [`Trainer`] learns an [`Adapter`] from it, and [`Model::generate`] answers with the adapter or without.
//! [`locate`](mod@locate) finds and fetches models by name, [`export`] writes what was learnt for other programs.
//!
//! # Examples
//!
//! A tiny model of random weights learns one answer by heart:
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use engine::generate::Options;
//! use engine::{Adapter, ChatMessage, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};
//!
//! let folder = Path::new("../../tests/golden/tiny-llama");
//! let model = Arc::new(Model::load(folder, &LoadOptions::default())?);
//! let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
//! let options = TrainOptions { epochs: 60, learning_rate: 0.02, ..TrainOptions::default() };
//! let examples = vec![model.example(&chat)?];
//! let mut trainer = Trainer::new(Arc::clone(&model), &LoraConfig::default(), options, examples, vec![])?;
//! while let Some(report) = trainer.step()? {
//!     assert!(report.loss.is_finite());
//! }
//!
//! let learnt = tempfile::tempdir()?;
//! trainer.into_adapter().save(learnt.path())?; // as PEFT and vLLM read it
//! let adapter = Adapter::load(learnt.path(), &model)?;
//! let greedy = Options { temperature: 0.0, max_tokens: 16, ..Options::default() };
//! let prompt = model.prompt(&chat[..1])?;
//! let mut arrived = String::new();
//! let answer = model.generate(Some(&adapter), &prompt, &greedy, &mut |piece| {
//!     arrived += piece;
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!((answer.text.as_str(), arrived.as_str()), ("Yes.", "Yes."));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
pub mod models;
pub mod locate;
pub mod gguf;
pub mod safetensors;
mod quant;
mod config;
mod weights;
mod tokenizer;
mod template;
mod parallel;
mod kernels;
mod layers;
mod lora;
mod model;
mod example;
mod sequence;
mod evaluate;
mod preference;
mod optimizer;
mod schedule;
mod trainer;
mod cache;
mod decode;
pub mod export;
mod sampling;
pub mod generate;
pub mod rate;
#[cfg(test)]
mod testing;

pub use config::{Architecture, ConfigError, ModelConfig, RopeScaling};
pub use error::Error;
pub use evaluate::{Evaluation, evaluate};
pub use example::Example;
pub use kernels::{Compute, Isa};
pub use lora::{Adapter, AdapterError, LoraConfig, Projection};
pub use model::{LoadOptions, Model};
pub use preference::{
    Preference, PreferenceEvaluation, PreferenceMeasure, PreferenceOptions, Rewards,
};
pub use quant::TensorType;
pub use schedule::Schedule;
pub use template::{ChatMessage, ChatTemplate, TemplateError};
pub use tokenizer::{Cut, StreamDecoder, Tokenizer, TokenizerError};
pub use trainer::{CheckpointError, Material, StepReport, TrainOptions, Trainer};
pub use weights::Weights;
