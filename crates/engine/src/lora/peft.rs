//! Adapters on disk, in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Format: <https://huggingface.co/docs/peft/developer_guides/checkpoint> (read 2026-11). Tensors are named
//! `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`; A is `[R, in]`, B `[out, R]`, f32.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Adapter, LoraConfig, Projection, factors_of_file, sites, transpose};
use crate::config::ModelConfig;
use crate::error::Error;
use crate::kernels::{Compute, Isa};
use crate::model::Model;
use crate::quant::dequantise;
use crate::safetensors as places;
use crate::weights::json;

/// Why an adapter's files cannot be used with a model.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{Adapter, AdapterError, Error, LoadOptions, LoraConfig, Model};
///
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
/// let folder = tempfile::tempdir()?;
/// Adapter::new(&model, &LoraConfig::default(), 42)?.save(folder.path())?;
/// let path = folder.path().join("adapter_config.json");
/// std::fs::write(&path, std::fs::read_to_string(&path)?.replace("LORA", "IA3"))?;
/// let refused = Adapter::load(folder.path(), &model).unwrap_err();
/// let Error::Adapter { source, .. } = refused else { panic!("{refused}") };
/// assert!(matches!(&source, AdapterError::Unsupported { key: "peft_type", .. }));
/// assert_eq!(source.to_string(), "`peft_type` is IA3, which is not supported");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// A kind of adapter that the engine does not compute.
    #[error("`{key}` is {value}, which is not supported")]
    Unsupported {
        /// The key of `adapter_config.json`.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// One of a branch's two tensors is missing.
    #[error("tensor `{0}` is missing")]
    MissingTensor(String),
    /// A tensor that belongs to no projection of the base model.
    #[error("tensor `{0}` belongs to no projection of the base model")]
    UnknownTensor(String),
    /// A tensor's shape does not fit the base model and the rank.
    #[error("tensor `{name}` has the shape {found:?} where the base model asks for {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A number is infinite or not a number.
    #[error("tensor `{0}` holds a number that is not finite")]
    NotFinite(String),
}

/// The fields of `adapter_config.json` that are written; others have PEFT's defaults.
#[derive(Debug, Serialize, Deserialize)]
#[serde(expecting = "an adapter's configuration")]
struct Written {
    peft_type: String,
    #[serde(default)]
    task_type: Option<String>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    r: usize,
    lora_alpha: f32,
    #[serde(default)]
    lora_dropout: f32,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    target_modules: Value,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    inference_mode: bool,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";

impl Adapter {
    /// Writes the adapter into the folder `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be written; none is left half-written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(|source| Error::file(dir, source))?;
        let config = &self.config;
        let written = Written {
            peft_type: "LORA".to_owned(),
            task_type: Some("CAUSAL_LM".to_owned()),
            base_model_name_or_path: Some(self.base_model.clone()),
            r: config.rank,
            lora_alpha: config.alpha,
            lora_dropout: config.dropout,
            use_rslora: config.rank_stabilised,
            target_modules: config.targets.iter().map(|target| target.name()).collect(),
            bias: Some("none".to_owned()),
            fan_in_fan_out: false,
            inference_mode: true,
            other: BTreeMap::new(),
        };
        let path = dir.join(CONFIG);
        let text = serde_json::to_vec_pretty(&written)
            .map_err(|source| Error::Json { path: path.clone(), source })?;
        let layers = self.sites.len() / Projection::ALL.len();
        let places = (0..layers).flat_map(|layer| Projection::ALL.map(|part| (layer, part)));
        let mut tensors = Vec::new();
        for ((layer, projection), site) in places.zip(&self.sites) {
            let Some(factors) = site else { continue };
            let (rank, name) = (config.rank, |factor| tensor_name(layer, projection, factor));
            let (inputs, outputs) = (factors.a.len() / rank, factors.b.len() / rank);
            tensors.push((name('A'), vec![rank, inputs], factors.a.clone()));
            tensors.push((name('B'), vec![outputs, rank], transpose(&factors.b, outputs)));
        }
        write_tensors(&dir.join(TENSORS), &tensors)?;
        write(&path, &text)
    }

    /// Reads an adapter for `model` from the folder `dir`.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Json`] and [`Error::Safetensors`] where the files cannot be read, [`Error::Adapter`]
    /// where they hold an adapter for another model or of another kind, [`Error::Option`] for an impossible rank, alpha
    /// or dropout.
    pub fn load(dir: &Path, model: &Model) -> Result<Self, Error> {
        Self::read(dir, model.config(), (model.isa(), model.compute()))
    }

    /// Reads an adapter from the folder `dir` for a model of this shape, which need not be in memory.
    ///
    /// # Errors
    /// As [`Adapter::load`].
    pub fn load_for(dir: &Path, config: &ModelConfig) -> Result<Self, Error> {
        Self::read(dir, config, (Isa::best(), Compute::F32))
    }

    /// Itself, as one whose base model is called `name` in its files.
    #[must_use]
    pub fn with_base_model(self, name: &str) -> Self {
        Self { base_model: name.to_owned(), ..self }
    }

    fn read(dir: &Path, model: &ModelConfig, runs: (Isa, Compute)) -> Result<Self, Error> {
        let fault = |source| Error::Adapter { path: dir.to_owned(), source };
        let written: Written = json(&dir.join(CONFIG))?;
        written.refuse_unsupported().map_err(fault)?;
        let mut tensors = read_tensors(&dir.join(TENSORS))?;
        let mut targets = Vec::new();
        let mut loaded = Vec::new();
        for (layer, projection) in sites(model) {
            let name = |factor| tensor_name(layer, projection, factor);
            let (Some(a), b) = (tensors.remove(&name('A')), tensors.remove(&name('B'))) else {
                loaded.push(None);
                continue;
            };
            let b = b.ok_or_else(|| fault(AdapterError::MissingTensor(name('B'))))?;
            let [inputs, outputs] = projection.shape(model);
            let a = checked(name('A'), a, [written.r, inputs]).map_err(fault)?;
            let b = checked(name('B'), b, [outputs, written.r]).map_err(fault)?;
            targets.push(projection);
            loaded.push(Some(factors_of_file(runs, written.r, a, &b)));
        }
        if let Some(name) = tensors.into_keys().next() {
            return Err(fault(AdapterError::UnknownTensor(name)));
        }
        let config = LoraConfig {
            rank: written.r,
            alpha: written.lora_alpha,
            rank_stabilised: written.use_rslora,
            dropout: written.lora_dropout,
            targets,
        };
        let base_model = written.base_model_name_or_path.unwrap_or_default();
        Ok(Self { config: config.checked()?, base_model, sites: loaded })
    }
}

impl Written {
    fn refuse_unsupported(&self) -> Result<(), AdapterError> {
        let refuse = |key, value: String| Err(AdapterError::Unsupported { key, value });
        if self.peft_type != "LORA" {
            return refuse("peft_type", self.peft_type.clone());
        }
        if self.r == 0 {
            return refuse("r", self.r.to_string());
        }
        if let Some(bias) = self.bias.as_ref().filter(|bias| *bias != "none") {
            return refuse("bias", bias.clone());
        }
        // What changes the arithmetic is refused; what only says how it was trained is not.
        for key in [
            "use_dora",
            "use_qalora",
            "use_bdlora",
            "rank_pattern",
            "alpha_pattern",
            "modules_to_save",
            "trainable_token_indices",
            "layer_replication",
            "lora_bias",
            "alora_invocation_tokens",
        ] {
            let empty = match self.other.get(key) {
                None | Some(Value::Null | Value::Bool(false)) => true,
                Some(Value::Array(items)) => items.is_empty(),
                Some(Value::Object(items)) => items.is_empty(),
                Some(_) => false,
            };
            if !empty {
                return refuse(key, self.other[key].to_string());
            }
        }
        Ok(())
    }
}

fn tensor_name(layer: usize, projection: Projection, factor: char) -> String {
    let module = projection.module();
    format!("base_model.model.model.layers.{layer}.{module}.{projection}.lora_{factor}.weight")
}

fn checked(
    name: String,
    (shape, numbers): (Vec<usize>, Vec<f32>),
    expected: [usize; 2],
) -> Result<Vec<f32>, AdapterError> {
    if shape != expected {
        return Err(AdapterError::Shape { name, expected: expected.to_vec(), found: shape });
    }
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(AdapterError::NotFinite(name));
    }
    Ok(numbers)
}

/// Tensors by their names: shape and numbers.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// All tensors of a safetensors file, as f32.
pub(crate) fn read_tensors(path: &Path) -> Result<Tensors, Error> {
    let bytes = fs::read(path).map_err(|source| Error::file(path, source))?;
    let places = places::parse(&bytes)
        .map_err(|source| Error::Safetensors { path: path.to_owned(), source })?;
    let tensor = |place: crate::gguf::TensorPlace| {
        (place.shape, dequantise(place.kind, &bytes[place.range]))
    };
    Ok(places.into_iter().map(|(name, place)| (name, tensor(place))).collect())
}

/// Writes f32 tensors as a safetensors file.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &[(String, Vec<usize>, Vec<f32>)],
) -> Result<(), Error> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, numbers)| numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name.as_str(), view.expect("a tensor has as many numbers as its shape says"))
    });
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let file = safetensors::serialize(views, Some(metadata))
        .expect("f32 tensors with the right lengths can be written");
    write(path, &file)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fault = |source| Error::file(path, source);
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(fault)?;
    file.write_all(bytes).map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    file.persist(path).map_err(|error| fault(error.error))?;
    Ok(())
}
