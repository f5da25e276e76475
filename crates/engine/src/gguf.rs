//! GGUF files: metadata and where each tensor lies.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian. Every length and
//! offset is checked against the file's own length before memory is taken for it, so that no file makes this panic or
//! takes more than a small multiple of its own size.
//!
//! # Examples
//!
//! ```
//! use engine::TensorType;
//! use engine::gguf::{Gguf, GgufError, TensorPlace, Value};
//!
//! let bytes = std::fs::read("../../tests/golden/tiny-llama/model.gguf")?;
//! let gguf = Gguf::parse(&bytes)?;
//! assert_eq!(gguf.text("general.architecture"), Some("llama"));
//! assert_eq!(gguf.count("llama.block_count"), Some(2));
//! assert_eq!(gguf.number("llama.rope.freq_base"), Some(100_000.0));
//! assert_eq!(gguf.flag("tokenizer.ggml.add_bos_token"), Some(false));
//! assert_eq!(gguf.texts("tokenizer.ggml.tokens").ok_or("no tokens")?[1], "<|im_start|>");
//! assert_eq!(gguf.integers("tokenizer.ggml.token_type").ok_or("no types")?.len(), 384);
//! assert_eq!(gguf.value("llama.block_count"), Some(&Value::Integer(2)));
//!
//! let place: &TensorPlace = &gguf.tensors()["token_embd.weight"];
//! assert_eq!((place.kind, &place.shape[..]), (TensorType::F32, &[384, 64][..]));
//! assert_eq!(bytes[place.range.clone()].len(), 384 * 64 * 4);
//!
//! assert_eq!(Gguf::parse(b"PK\x03\x04"), Err(GgufError::NotGguf));
//! assert!(matches!(Gguf::parse(&bytes[..1000]), Err(_)), "a download that broke off");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod kinds;
mod read;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::quant::TensorType;

/// Why bytes are no usable GGUF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file does not begin with `GGUF`.
    #[error("it does not begin with `GGUF`")]
    NotGguf,
    /// The version is none that this reader knows.
    #[error("GGUF version {0} is not supported, only 2 and 3")]
    Version(u32),
    /// The file ends inside the thing named.
    #[error("the file ends inside {0}")]
    Truncated(&'static str),
    /// A count or length is greater than the rest of the file can hold.
    #[error("{what} says {count}, more than the rest of the file can hold")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The count in the file.
        count: u64,
    },
    /// A name or text is not UTF-8.
    #[error("{0} is not UTF-8")]
    Text(&'static str),
    /// A metadata value has an unknown type.
    #[error("metadata `{key}` has the unknown type {kind}")]
    ValueType {
        /// The metadata key.
        key: String,
        /// The type's number in the file.
        kind: u32,
    },
    /// An array holds arrays, which no known metadata does.
    #[error("metadata `{0}` is an array of arrays")]
    NestedArray(String),
    /// A metadata key or a tensor's name stands twice.
    #[error("`{0}` stands twice")]
    Duplicate(String),
    /// The alignment is zero, no power of two or absurdly large.
    #[error("the alignment {0} is not a power of two up to 65536")]
    Alignment(u64),
    /// A tensor has no dimensions or more than four.
    #[error("tensor `{name}` has {dimensions} dimensions")]
    Dimensions {
        /// The tensor.
        name: String,
        /// The number in the file.
        dimensions: u32,
    },
    /// A tensor has an empty dimension, a size beyond counting, or a row that is no whole number of blocks.
    #[error("tensor `{0}` has an impossible shape")]
    Shape(String),
    /// A tensor's type is not supported.
    #[error(
        "tensor `{name}` has the storage type {kind}, which is not supported (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K and Q6_K are)"
    )]
    TensorType {
        /// The tensor.
        name: String,
        /// ggml's number of the type.
        kind: u32,
    },
    /// A tensor's data do not begin at a multiple of the alignment.
    #[error("the data of tensor `{0}` are not aligned")]
    Unaligned(String),
    /// A tensor's data reach beyond the end of the file.
    #[error("the data of tensor `{0}` reach beyond the end of the file")]
    BeyondEnd(String),
}

/// One metadata value. Whole numbers of every width are `Integer` (those above `i64::MAX` saturate).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// An array of whole numbers or truth values.
    Integers(Vec<i64>),
    /// An array of floating-point numbers.
    Floats(Vec<f64>),
    /// An array of texts.
    Texts(Vec<String>),
}

/// A tensor's place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPlace {
    /// How the numbers are stored.
    pub kind: TensorType,
    /// Row-major shape: `[out, in]` for a matrix (the reverse of GGUF's order).
    pub shape: Vec<usize>,
    /// The bytes of the file.
    pub range: Range<usize>,
}

/// The parsed head of a GGUF file.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    metadata: BTreeMap<String, Value>,
    /// Where each value lies in the file, its type before it.
    spans: BTreeMap<String, Range<usize>>,
    tensors: BTreeMap<String, TensorPlace>,
}

impl Gguf {
    /// Reads the head of `bytes`, which is the whole file.
    ///
    /// # Errors
    /// Each fault has its own variant of [`GgufError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, GgufError> {
        read::head(bytes)
    }

    /// The tensors by their names in the file.
    pub fn tensors(&self) -> &BTreeMap<String, TensorPlace> {
        &self.tensors
    }

    /// Where each metadata value lies in the file, its type before it.
    pub(crate) fn spans(&self) -> &BTreeMap<String, Range<usize>> {
        &self.spans
    }

    /// A metadata value of any type.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A text among the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, key: &str) -> Option<u64> {
        match self.metadata.get(key) {
            Some(Value::Integer(value)) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A number, whole or not.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key) {
            Some(Value::Float(value)) => Some(*value),
            Some(Value::Integer(value)) => Some(*value as f64),
            _ => None,
        }
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// An array of texts.
    pub fn texts(&self, key: &str) -> Option<&[String]> {
        match self.metadata.get(key) {
            Some(Value::Texts(values)) => Some(values),
            _ => None,
        }
    }

    /// An array of whole numbers.
    pub fn integers(&self, key: &str) -> Option<&[i64]> {
        match self.metadata.get(key) {
            Some(Value::Integers(values)) => Some(values),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
