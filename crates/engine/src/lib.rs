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
#[cfg(test)]
mod testing;

pub use config::{Architecture, ConfigError, ModelConfig};
pub use error::Error;
pub use quant::TensorType;
pub use template::{ChatMessage, ChatTemplate, TemplateError};
pub use tokenizer::{StreamDecoder, Tokenizer, TokenizerError};
pub use weights::Weights;
