//! Merged models and adapters as GGUF files.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, version 3, little-endian, alignment 32. Adapters:
//! `convert_lora_to_gguf.py` of llama.cpp, read by `llama-adapter.cpp`: A is `[R, in]`, B `[out, R]`, `alpha` as trained.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::encode::encode;
use super::metadata::Metadata;
use super::part::Part;
use super::{Export, ExportError, Progress};
use crate::config::{ROPE_FACTORS, RopeScaling};
use crate::error::Error;
use crate::lora::{layer_name, sites, transpose};
use crate::quant::TensorType;
use crate::weights::gguf_names;

/// What the data of each tensor begin at a multiple of.
const ALIGNMENT: usize = 32;

/// A tensor of the file to be.
struct Planned {
    /// Its name in the file.
    name: String,
    /// What it is made from.
    source: Source,
    shape: Vec<usize>,
    kind: TensorType,
}

/// Where a tensor's numbers come from.
enum Source {
    /// The model's tensor of this name.
    Tensor(String),
    /// Numbers at hand.
    Numbers(Vec<f32>),
}

impl Planned {
    fn bytes(&self) -> usize {
        self.kind.bytes_of(self.shape.iter().product()).expect("the type was chosen for the shape")
    }
}

impl Export<'_> {
    /// Writes the merged model as a GGUF file for llama.cpp, matrices as `kind`, the rest in f32.
    ///
    /// `kind` is F32, F16, BF16 or `Q8_0`; a matrix whose rows are no whole blocks of that is written in F16. Metadata and
    /// tokenizer are those of the model.
    ///
    /// # Errors
    /// [`Error::Export`] where the format cannot hold the model, [`Error::File`] where the file cannot be written;
    /// [`Error::NotFinite`] for weights that are no numbers.
    pub fn gguf(
        &self,
        path: &Path,
        kind: TensorType,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let fault = |source| Error::Export { source };
        let numbers = file_type(kind).map_err(fault)?;
        let mut metadata = Metadata::of_model(self)?;
        metadata.text("general.name", self.name);
        metadata.u32("general.file_type", numbers);
        metadata.u32("general.quantization_version", 2);
        let planned = self.tensors().into_iter().map(|(source, shape)| Planned {
            name: gguf_name(&source),
            source: Source::Tensor(source),
            kind: stored(kind, &shape),
            shape,
        });
        let mut planned: Vec<Planned> = planned.collect();
        planned.extend(self.rope_factors());
        self.write(path, &metadata, &planned, on_progress)
    }

    /// Writes the adapter as a GGUF file for llama.cpp's `--lora`, in F32 or F16.
    ///
    /// # Errors
    /// As [`Export::gguf`], and [`ExportError::NoAdapter`] where there is none.
    pub fn gguf_lora(&self, path: &Path, kind: TensorType) -> Result<(), Error> {
        let fault = |source| Error::Export { source };
        let adapter = self.adapter.ok_or_else(|| fault(ExportError::NoAdapter))?;
        if !matches!(kind, TensorType::F32 | TensorType::F16) {
            return Err(fault(ExportError::WeightType { format: "a GGUF adapter", kind }));
        }
        let mut planned = Vec::new();
        let mut alpha = None;
        for (layer, projection) in sites(self.config()) {
            let Some(branch) = adapter.branch(layer, projection, None) else { continue };
            let (rank, [inputs, outputs]) =
                (adapter.config().rank, projection.shape(self.config()));
            let tensor = format!("{}.weight", layer_name(layer, projection));
            let name = gguf_name(&tensor);
            let b = transpose(&branch.factors.b, outputs);
            let b = self.rows_for_llama_cpp(&tensor, b, rank);
            for (factor, numbers, shape) in [
                ("lora_a", branch.factors.a.clone(), vec![rank, inputs]),
                ("lora_b", b, vec![outputs, rank]),
            ] {
                let (name, source) = (format!("{name}.{factor}"), Source::Numbers(numbers));
                planned.push(Planned { name, source, shape, kind });
            }
            // llama.cpp divides by the rank again.
            alpha = Some(branch.scale * rank as f32);
        }
        let alpha = alpha.ok_or_else(|| fault(ExportError::NoAdapter))?;
        let metadata = Metadata::of_adapter(self, alpha);
        self.write(path, &metadata, &planned, &mut |_| {})
    }

    /// What Llama 3's stretched positions divide the frequencies by, where the weights do not hold it already.
    fn rope_factors(&self) -> Option<Planned> {
        let config = self.config();
        if !matches!(config.rope_scaling, RopeScaling::Llama3 { .. }) {
            return None;
        }
        let mut plain = config.clone();
        plain.rope_scaling = RopeScaling::None;
        let frequencies =
            plain.rope_frequencies(None).into_iter().zip(config.rope_frequencies(None));
        let factors: Vec<f32> = frequencies.map(|(plain, stretched)| plain / stretched).collect();
        let shape = vec![factors.len()];
        let (name, source) = (ROPE_FACTORS.to_owned(), Source::Numbers(factors));
        Some(Planned { name, source, shape, kind: TensorType::F32 })
    }

    fn write(
        &self,
        path: &Path,
        metadata: &Metadata,
        planned: &[Planned],
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let part = Part::of(path)?;
        let fault = |source| Error::file(path, source);
        let file = File::create(part.path()).map_err(fault)?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let head = head(metadata, planned);
        file.write_all(&head).map_err(fault)?;
        let total: usize =
            planned.iter().map(|tensor| tensor.bytes().next_multiple_of(ALIGNMENT)).sum();
        let mut progress = Progress { done: 0, total: total as u64 };
        on_progress(progress);
        for tensor in planned {
            let numbers = match &tensor.source {
                Source::Numbers(numbers) => numbers.clone(),
                Source::Tensor(name) => {
                    let row = *tensor.shape.last().expect("no tensor is without dimensions");
                    self.rows_for_llama_cpp(name, self.merged(name)?, row)
                }
            };
            let bytes = encode(tensor.kind, &numbers, &tensor.name);
            let bytes = bytes.map_err(|source| Error::Export { source })?;
            file.write_all(&bytes).and_then(|()| pad(&mut file, bytes.len())).map_err(fault)?;
            progress.done += bytes.len().next_multiple_of(ALIGNMENT) as u64;
            on_progress(progress);
        }
        let file = file.into_inner().map_err(|error| fault(error.into_error()))?;
        file.sync_all().map_err(fault)?;
        part.finish()
    }
}

/// llama.cpp's name for one of the model's tensors.
fn gguf_name(name: &str) -> String {
    gguf_names::llama_cpp(name).expect("every tensor of a model has a name there")
}

/// The type that a tensor is stored as: vectors stay f32, and rows that are no whole blocks become f16.
fn stored(kind: TensorType, shape: &[usize]) -> TensorType {
    match shape {
        [_] => TensorType::F32,
        [.., row] if !row.is_multiple_of(kind.block_len()) => TensorType::F16,
        _ => kind,
    }
}

/// `LlamaFileType` of gguf-py.
fn file_type(kind: TensorType) -> Result<u32, ExportError> {
    match kind {
        TensorType::F32 => Ok(0),
        TensorType::F16 => Ok(1),
        TensorType::Q8_0 => Ok(7),
        TensorType::Bf16 => Ok(32),
        _ => Err(ExportError::WeightType { format: "GGUF", kind }),
    }
}

/// Everything before the tensors' data.
fn head(metadata: &Metadata, planned: &[Planned]) -> Vec<u8> {
    let mut head = b"GGUF".to_vec();
    head.extend(3_u32.to_le_bytes());
    head.extend((planned.len() as u64).to_le_bytes());
    metadata.write(&mut head);
    let mut offset = 0;
    for tensor in planned {
        super::metadata::put_text(&mut head, &tensor.name);
        head.extend(u32::try_from(tensor.shape.len()).unwrap_or(0).to_le_bytes());
        for dimension in tensor.shape.iter().rev() {
            head.extend((*dimension as u64).to_le_bytes());
        }
        head.extend(tensor.kind.ggml_number().to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
    head
}

fn pad(file: &mut impl io::Write, written: usize) -> io::Result<()> {
    file.write_all(&[0; ALIGNMENT][..written.next_multiple_of(ALIGNMENT) - written])
}
