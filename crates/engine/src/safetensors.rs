//! Safetensors files: where each tensor lies.
//!
//! Format: <https://github.com/huggingface/safetensors#format>. The head is read here and not with the `safetensors`
//! crate, because that one (0.8.0) adds up the offsets of a hostile head without a check for overflow.
//!
//! # Examples
//!
//! ```
//! use engine::TensorType;
//! use engine::safetensors::{SafetensorsError, parse};
//!
//! let bytes = std::fs::read("../../tests/golden/tiny-llama/model.safetensors")?;
//! let places = parse(&bytes)?;
//! let table = &places["model.embed_tokens.weight"];
//! assert_eq!((table.kind, &table.shape[..]), (TensorType::F32, &[384, 64][..]));
//! assert_eq!(table.range.len(), 384 * 64 * 4);
//! assert!(matches!(parse(&bytes[..100]), Err(SafetensorsError::Truncated)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::gguf::TensorPlace;
use crate::quant::TensorType;

/// Why bytes are no usable safetensors file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsError {
    /// The file is shorter than the head that it announces.
    #[error("the file ends inside its head")]
    Truncated,
    /// The head is longer than the format allows.
    #[error("the head of {0} bytes is longer than the format's limit of 100,000,000")]
    HeadLength(u64),
    /// The head is not the JSON that the format asks for.
    #[error("the head is not the JSON object that the format asks for")]
    Head(#[source] serde_json::Error),
    /// A tensor's type is not supported.
    #[error("tensor `{name}` has the type {kind}, which is not supported (F32, F16 and BF16 are)")]
    TensorType {
        /// The tensor.
        name: String,
        /// The type's name in the file.
        kind: String,
    },
    /// A tensor is empty or greater than can be counted.
    #[error("tensor `{0}` has an impossible shape")]
    Shape(String),
    /// A tensor's bytes are not as many as its shape and type need.
    #[error("tensor `{name}` has {found} bytes where its shape needs {expected}")]
    Size {
        /// The tensor.
        name: String,
        /// The bytes that shape and type need.
        expected: usize,
        /// The bytes that the offsets span.
        found: usize,
    },
    /// A tensor does not begin where the one before it ends.
    #[error("the data of tensor `{0}` overlap others or leave a gap")]
    Offset(String),
    /// The tensors do not end where the file ends.
    #[error("the tensors end at byte {tensors} and the file at byte {file}")]
    End {
        /// Where the last tensor ends.
        tensors: usize,
        /// The file's length.
        file: usize,
    },
}

#[derive(Deserialize)]
struct Description {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The format's own limit for the head.
const HEAD_LIMIT: u64 = 100_000_000;

/// Reads the head of `bytes`, which is the whole file: each tensor's place by its name.
///
/// # Errors
/// Each fault has its own variant of [`SafetensorsError`].
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, TensorPlace>, SafetensorsError> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or(SafetensorsError::Truncated)?;
    let length = u64::from_le_bytes(*length);
    if length > HEAD_LIMIT {
        return Err(SafetensorsError::HeadLength(length));
    }
    let length = usize::try_from(length).map_err(|_| SafetensorsError::HeadLength(length))?;
    let head = rest.get(..length).ok_or(SafetensorsError::Truncated)?;
    let mut head: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(head).map_err(SafetensorsError::Head)?;
    head.remove("__metadata__");
    let mut descriptions = head
        .into_iter()
        .map(|(name, value)| {
            Ok((name, Description::deserialize(value).map_err(SafetensorsError::Head)?))
        })
        .collect::<Result<Vec<_>, SafetensorsError>>()?;
    descriptions.sort_by_key(|(_, description)| description.data_offsets);
    let data_start = 8 + length;
    let mut end = data_start;
    let mut places = BTreeMap::new();
    for (name, description) in descriptions {
        let place = description.place(&name, data_start, end)?;
        end = place.range.end;
        places.insert(name, place);
    }
    if end != bytes.len() {
        return Err(SafetensorsError::End { tensors: end, file: bytes.len() });
    }
    Ok(places)
}

impl Description {
    /// The tensor's place where the data begin at `data_start` and the tensor before it ends at `previous_end`.
    fn place(
        self,
        name: &str,
        data_start: usize,
        previous_end: usize,
    ) -> Result<TensorPlace, SafetensorsError> {
        let kind = match self.dtype.as_str() {
            "F32" => TensorType::F32,
            "F16" => TensorType::F16,
            "BF16" => TensorType::Bf16,
            _ => {
                return Err(SafetensorsError::TensorType {
                    name: name.to_owned(),
                    kind: self.dtype,
                });
            }
        };
        let count = self.shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n));
        let expected = count.filter(|count| *count > 0).and_then(|count| kind.bytes_of(count));
        let expected = expected.ok_or_else(|| SafetensorsError::Shape(name.to_owned()))?;
        let offset = || SafetensorsError::Offset(name.to_owned());
        let start =
            data_start.checked_add(self.data_offsets.0).filter(|start| *start == previous_end);
        let start = start.ok_or_else(offset)?;
        let found = self.data_offsets.1.checked_sub(self.data_offsets.0).ok_or_else(offset)?;
        if found != expected {
            return Err(SafetensorsError::Size { name: name.to_owned(), expected, found });
        }
        let end = start.checked_add(found).ok_or_else(offset)?;
        Ok(TensorPlace { kind, shape: self.shape, range: start..end })
    }
}

#[cfg(test)]
mod tests;
