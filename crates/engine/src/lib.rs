//! The embedded model: load, tokenise, train LoRA adapters, generate.

mod error;
pub mod gguf;
pub mod safetensors;
mod quant;
mod config;
mod weights;

pub use config::{Architecture, ConfigError, ModelConfig};
pub use error::Error;
pub use quant::TensorType;
pub use weights::Weights;
