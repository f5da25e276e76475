//! A base model on disk: its configuration and its tensors by name, turned to f32 on demand.

pub(crate) mod gguf_names;
mod open;
mod stored;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::config::ModelConfig;
use crate::error::Error;
use crate::gguf::Gguf;
use crate::kernels::{Blocks, Isa};
use crate::parallel;
use crate::quant::{TensorType, dequantise};
pub(crate) use open::json;
pub(crate) use stored::Stored;

/// The files of a base model, memory-mapped.
///
/// Every tensor that the configuration asks for is there with the right shape: [`Weights::open`] checks that. Names are
/// those of Transformers (`model.layers.0.self_attn.q_proj.weight`) whatever the file's format, matrices are row-major
/// `[out, in]`, and the rows of q and k are in Transformers' order (rotary halves, not llama.cpp's pairs).
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{TensorType, Weights};
///
/// let weights = Weights::open(Path::new("../../tests/golden/tiny-llama"))?;
/// assert_eq!(weights.config().layers, 2);
/// let name = "model.layers.0.self_attn.k_proj.weight";
/// assert!(weights.names().any(|known| known == name));
/// assert_eq!((weights.kind(name), weights.shape(name)), (Some(TensorType::F32), Some(&[32, 64][..])));
///
/// // The rows of k lie otherwise in a GGUF file, and come out alike.
/// let gguf = Weights::open(&weights.path().join("model.gguf"))?;
/// assert_eq!(gguf.tensor(name)?, weights.tensor(name)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    maps: Vec<Mmap>,
    tensors: BTreeMap<String, Tensor>,
    config: ModelConfig,
    origin: Origin,
}

/// Where what is not a tensor comes from: tokenizer and chat template.
#[derive(Debug)]
pub(crate) enum Origin {
    /// The GGUF file's own metadata.
    Gguf(Box<Gguf>),
    /// A folder with `tokenizer.json` and `tokenizer_config.json`.
    Folder(PathBuf),
}

/// Where a tensor lies and how its rows are ordered.
#[derive(Debug, Clone)]
struct Tensor {
    map: usize,
    kind: TensorType,
    shape: Vec<usize>,
    range: Range<usize>,
    order: RowOrder,
}

/// The order of a matrix's rows in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowOrder {
    /// As it is used.
    Plain,
    /// Within each head of `head_dim` rows, row `2 j + i` is row `i head_dim / 2 + j` as it is used.
    RotaryPairs {
        /// Rows of one head.
        head_dim: usize,
    },
}

impl Weights {
    /// Opens a `.gguf` file, a `.safetensors` file (with `config.json` beside it) or a folder of those.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be read, [`Error::NoModel`] where the path is none of these,
    /// [`Error::Gguf`], [`Error::Safetensors`] and [`Error::Json`] for damaged files, [`Error::Config`] for metadata
    /// that cannot be used, [`Error::MissingTensor`] and [`Error::TensorShape`] where tensors contradict them.
    pub fn open(path: &Path) -> Result<Self, Error> {
        open::open(path)
    }

    /// The path as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's shapes and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where tokenizer and chat template come from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The encoded metadata of a GGUF file: each value with its type before it.
    pub(crate) fn encoded_metadata<'a>(
        &'a self,
        gguf: &'a Gguf,
    ) -> impl Iterator<Item = (&'a String, &'a [u8])> {
        gguf.spans().iter().map(|(key, span)| (key, &self.maps[0][span.clone()]))
    }

    /// The names of all tensors that the model uses.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, row-major.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// How a tensor's numbers are stored.
    pub fn kind(&self, name: &str) -> Option<TensorType> {
        self.tensors.get(name).map(|tensor| tensor.kind)
    }

    /// A tensor's numbers as f32, row-major.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] where there is none of this name, [`Error::NotFinite`] where a number is infinite or none.
    pub fn tensor(&self, name: &str) -> Result<Vec<f32>, Error> {
        let tensor =
            self.tensors.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned() })?;
        let bytes = &self.maps[tensor.map][tensor.range.clone()];
        let numbers = dequantise(tensor.kind, bytes);
        if !parallel::all_finite(&numbers) {
            return Err(Error::NotFinite { name: name.to_owned() });
        }
        Ok(match tensor.order {
            RowOrder::Plain => numbers,
            RowOrder::RotaryPairs { head_dim } => halves(&numbers, head_dim, tensor.shape[1]),
        })
    }

    /// A matrix as the file has it, packed for products of few rows; none where it is not quantised in whole blocks a row.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] where there is none of this name.
    pub(crate) fn blocks(&self, isa: Isa, name: &str) -> Result<Option<Blocks>, Error> {
        let tensor =
            self.tensors.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned() })?;
        let [rows, columns] = tensor.shape[..] else { return Ok(None) };
        if rows == 0 || columns == 0 || !columns.is_multiple_of(tensor.kind.block_len()) {
            return Ok(None);
        }
        let bytes = &self.maps[tensor.map][tensor.range.clone()];
        Ok(match tensor.order {
            RowOrder::Plain => Blocks::transposed(isa, tensor.kind, bytes, rows),
            RowOrder::RotaryPairs { head_dim } => {
                let bytes = halves(bytes, head_dim, bytes.len() / rows);
                Blocks::transposed(isa, tensor.kind, &bytes, rows)
            }
        })
    }

    /// A matrix as its file keeps it, where that is quantised in whole blocks a row; none else.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub(crate) fn stored(&self, name: &str) -> Result<Option<Stored>, Error> {
        let tensor =
            self.tensors.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned() })?;
        let [rows, columns] = tensor.shape[..] else { return Ok(None) };
        let block = tensor.kind.block_len();
        if block == 1 || rows == 0 || !columns.is_multiple_of(block) {
            return Ok(None);
        }
        let bytes = &self.maps[tensor.map][tensor.range.clone()];
        let bytes = match tensor.order {
            RowOrder::Plain => bytes.to_vec(),
            RowOrder::RotaryPairs { head_dim } => halves(bytes, head_dim, bytes.len() / rows),
        };
        let stored = Stored::new(tensor.kind, bytes, rows);
        if !parallel::all_finite(&stored.numbers()) {
            return Err(Error::NotFinite { name: name.to_owned() });
        }
        Ok(Some(stored))
    }

    /// Itself with just the tensors that the configuration asks for, all of them there with the right shape.
    fn checked(mut self) -> Result<Self, Error> {
        let mut needed = BTreeMap::new();
        for (name, expected) in self.config.tensors() {
            let Some(tensor) = self.tensors.remove(&name) else {
                return Err(Error::MissingTensor { name });
            };
            if tensor.shape != expected {
                return Err(Error::TensorShape { name, expected, found: tensor.shape });
            }
            needed.insert(name, tensor);
        }
        self.tensors = needed;
        Ok(self)
    }
}

/// The rows of `numbers` brought from llama.cpp's rotary order (pairs) to Transformers' (halves).
///
/// llama.cpp's converter does the opposite: `permute` in `conversion/llama.py`.
fn halves<T: Copy>(numbers: &[T], head_dim: usize, row: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(numbers.len());
    for head in numbers.chunks_exact(head_dim * row) {
        for i in 0..2 {
            for j in 0..head_dim / 2 {
                out.extend_from_slice(&head[(2 * j + i) * row..(2 * j + i + 1) * row]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
