//! What can go wrong with a model, its files and its training.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::gguf::GgufError;
use crate::safetensors::SafetensorsError;
use crate::template::TemplateError;
use crate::tokenizer::TokenizerError;

/// Why the engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is no kind of model that the engine knows.
    #[error("{} is neither a .gguf file, nor a .safetensors file, nor a folder that holds .safetensors files", path.display())]
    NoModel {
        /// The path as given.
        path: PathBuf,
    },
    /// A GGUF file is damaged or not supported.
    #[error("{} cannot be read as GGUF", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: GgufError,
    },
    /// A safetensors file is damaged or not supported.
    #[error("{} cannot be read as safetensors", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: SafetensorsError,
    },
    /// A JSON file beside the tensors is not what it should be.
    #[error("{} is not the JSON that it should be", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The fault and where it is.
        source: serde_json::Error,
    },
    /// The model's metadata are missing, contradictory or of a kind not supported.
    #[error("{} describes a model that cannot be used", path.display())]
    Config {
        /// The file that holds the metadata.
        path: PathBuf,
        /// The fault.
        source: ConfigError,
    },
    /// The model's tokenizer cannot be used.
    #[error("{} has no tokenizer that can be used", path.display())]
    Tokenizer {
        /// The model.
        path: PathBuf,
        /// The fault.
        source: TokenizerError,
    },
    /// The model's chat template cannot be used.
    #[error("the chat template cannot be used")]
    Template {
        /// The fault.
        source: TemplateError,
    },
    /// A tensor that the metadata promise is not in the files.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// The tensor's name, as Transformers calls it.
        name: String,
    },
    /// A tensor's shape contradicts the metadata.
    #[error("tensor `{name}` has the shape {found:?} where the metadata say {expected:?}")]
    TensorShape {
        /// The tensor's name, as Transformers calls it.
        name: String,
        /// The shape that the metadata lead to.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
}

impl Error {
    /// An input or output error with the path that it concerns.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
