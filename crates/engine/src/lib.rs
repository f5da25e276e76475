//! The embedded model: load, tokenise, train LoRA adapters, generate.

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
