//! What can go wrong with a model, its files and its training.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::export::ExportError;
use crate::gguf::GgufError;
use crate::lora::AdapterError;
use crate::safetensors::SafetensorsError;
use crate::template::TemplateError;
use crate::tokenizer::TokenizerError;
use crate::trainer::CheckpointError;

/// Why the engine could not do what it was asked.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{Error, Weights};
///
/// let refused = Weights::open(Path::new("records.csv"));
/// let Err(Error::NoModel { path } | Error::File { path, .. }) = refused else {
///     panic!("a table of records is no model");
/// };
/// assert_eq!(path, Path::new("records.csv"));
/// ```
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
    /// A weight is infinite or not a number.
    #[error("tensor `{name}` holds a number that is not finite")]
    NotFinite {
        /// The tensor's name, as Transformers calls it.
        name: String,
    },
    /// A model or adapter cannot be written in a format.
    #[error("the model cannot be exported")]
    Export {
        /// The fault.
        source: ExportError,
    },
    /// An adapter's files do not fit the model or are of a kind not supported.
    #[error("the adapter {} cannot be used", path.display())]
    Adapter {
        /// The adapter's folder.
        path: PathBuf,
        /// The fault.
        source: AdapterError,
    },
    /// A checkpoint cannot be taken up.
    #[error("the checkpoint {} cannot be taken up", path.display())]
    Checkpoint {
        /// The checkpoint's folder.
        path: PathBuf,
        /// The fault.
        source: CheckpointError,
    },
    /// An option has a value that it cannot have.
    #[error("`{option}` is {value}, {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// A sequence is longer than the model can read.
    #[error("{tokens} tokens are more than the {limit} that the model can read")]
    TooLong {
        /// The sequence's tokens.
        tokens: usize,
        /// The model's positions.
        limit: usize,
    },
    /// A token is outside the model's vocabulary.
    #[error("token {token} is outside the vocabulary of {vocabulary}")]
    Token {
        /// The token.
        token: u32,
        /// The size of the vocabulary.
        vocabulary: usize,
    },
    /// There is no text to go on from.
    #[error("there are no tokens to go on from")]
    NoTokens,
    /// There is nothing to train on.
    #[error("there are no examples to train on")]
    NoExamples,
    /// A conversation has no answer to learn from.
    #[error("no message of the assistant counts")]
    NoAnswer,
    /// The chat template changes earlier messages when later ones follow, so there is no one text to learn.
    #[error("the chat template renders a message differently when others follow it")]
    Rewritten,
    /// An example has no token that carries loss within the longest length.
    #[error("example {index} has no token that carries loss")]
    NoLoss {
        /// The example, from 0.
        index: usize,
    },
    /// The loss or its gradients are no longer finite.
    #[error("the training diverged at step {step}")]
    Diverged {
        /// The step, from 1.
        step: usize,
    },
}

impl Error {
    /// An input or output error with the path that it concerns.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
