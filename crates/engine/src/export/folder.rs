//! Folders that Transformers, PEFT and vLLM load: a merged model, or the adapter alone.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use super::encode::encode;
use super::part::Part;
use super::{Export, ExportError, Progress};
use crate::config::{ModelConfig, ROPE_FACTORS, RopeScaling};
use crate::error::Error;
use crate::quant::TensorType;
use crate::template;
use crate::tokenizer::describe_gguf;
use crate::weights::{Origin, json as read_json};

/// What a folder may hold beside the weights and their configuration.
const COMPANIONS: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "generation_config.json",
];

impl Export<'_> {
    /// Writes the merged model as the folder `dir`: safetensors, configuration, tokenizer and chat template.
    ///
    /// `kind` is F32, F16 or BF16. What is at `dir` is replaced.
    ///
    /// # Errors
    /// [`Error::Export`] where the format cannot hold the model, [`Error::File`] where a file cannot be written,
    /// [`Error::NotFinite`] for weights that are no numbers.
    pub fn safetensors(
        &self,
        dir: &Path,
        kind: TensorType,
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let fault = |source| Error::Export { source };
        let names = names(kind).map_err(fault)?;
        let part = Part::of(dir)?;
        let path = part.path();
        fs::create_dir(path).map_err(|source| Error::file(path, source))?;
        match self.weights.origin() {
            Origin::Folder(folder) => copy_companions(folder, path, names)?,
            Origin::Gguf(_) => self.describe(path, names)?,
        }
        self.write_weights(&path.join("model.safetensors"), (kind, names), on_progress)?;
        part.finish()
    }

    /// Writes the adapter as the folder `dir` in PEFT's format, with `base` as the name of its base model.
    ///
    /// What is at `dir` is replaced.
    ///
    /// # Errors
    /// [`ExportError::NoAdapter`] where there is none, [`Error::File`] where a file cannot be written.
    pub fn peft(&self, dir: &Path, base: &str) -> Result<(), Error> {
        let none = || Error::Export { source: ExportError::NoAdapter };
        let adapter = self.adapter.ok_or_else(none)?.clone().with_base_model(base);
        let part = Part::of(dir)?;
        adapter.save(part.path())?;
        part.finish()
    }

    fn write_weights(
        &self,
        path: &Path,
        (kind, names): (TensorType, Names),
        on_progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let fault = |source| Error::file(path, source);
        let mut tensors = self.tensors();
        // Those have no name in Transformers: there they follow from the configuration.
        tensors.retain(|(name, _)| name != ROPE_FACTORS);
        let file = File::create(path).map_err(fault)?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let (head, total) = head(&tensors, kind, names);
        file.write_all(&head).map_err(fault)?;
        let mut progress = Progress { done: 0, total };
        on_progress(progress);
        for (name, _) in &tensors {
            let bytes = encode(kind, &self.merged(name)?, name);
            let bytes = bytes.map_err(|source| Error::Export { source })?;
            file.write_all(&bytes).map_err(fault)?;
            progress.done += bytes.len() as u64;
            on_progress(progress);
        }
        file.flush().map_err(fault)
    }

    /// The JSON files for a model that comes from a GGUF file.
    fn describe(&self, dir: &Path, names: Names) -> Result<(), Error> {
        let Origin::Gguf(gguf) = self.weights.origin() else { return Ok(()) };
        let path = self.weights.path();
        let described = describe_gguf(gguf)
            .map_err(|source| Error::Tokenizer { path: path.to_owned(), source })?;
        let mut tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": null, "normalizer": null,
            "pre_tokenizer": null, "post_processor": null,
        });
        let parts = described.json.as_object().into_iter().flatten();
        for (key, value) in parts {
            tokenizer[key] = value.clone();
        }
        let mut config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.config().max_positions,
            "clean_up_tokenization_spaces": false,
        });
        for (name, text) in &described.special_texts {
            config[*name] = text.as_str().into();
        }
        if let Some(template) = template::source(self.weights)? {
            config["chat_template"] = template.into();
        }
        let model = config_json(self.config(), self.named_scaling()?, names);
        let generation =
            json!({"bos_token_id": self.config().bos, "eos_token_id": self.config().eos});
        write_json(&dir.join("config.json"), &model)?;
        write_json(&dir.join("generation_config.json"), &generation)?;
        write_json(&dir.join("tokenizer.json"), &tokenizer)?;
        write_json(&dir.join("tokenizer_config.json"), &config)
    }
}

impl Export<'_> {
    /// How positions are stretched, by its parameters: a GGUF file keeps the factors, which tell those of Llama 3.
    fn named_scaling(&self) -> Result<RopeScaling, Error> {
        let config = self.config();
        if config.rope_scaling != RopeScaling::Factors {
            return Ok(config.rope_scaling);
        }
        let factors = self.weights.tensor(ROPE_FACTORS)?;
        let stretched = config.rope_frequencies(Some(&factors));
        // 8 is Llama 3.1's and 32 that of the small models of 3.2.
        let known = [8.0, 32.0].into_iter().map(|factor| RopeScaling::Llama3 {
            factor,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_positions: 8192,
        });
        let fits = |scaling: &RopeScaling| {
            let named = ModelConfig { rope_scaling: *scaling, ..config.clone() };
            let pairs = named.rope_frequencies(None).into_iter().zip(&stretched);
            pairs.into_iter().all(|(one, other)| (one / other - 1.0).abs() < 1e-5)
        };
        let unknown = || Error::Export { source: ExportError::RopeFactors };
        known.into_iter().find(fits).ok_or_else(unknown)
    }
}

/// A type's name in safetensors and in `config.json`.
type Names = [&'static str; 2];

fn names(kind: TensorType) -> Result<Names, ExportError> {
    match kind {
        TensorType::F32 => Ok(["F32", "float32"]),
        TensorType::F16 => Ok(["F16", "float16"]),
        TensorType::Bf16 => Ok(["BF16", "bfloat16"]),
        _ => Err(ExportError::WeightType { format: "safetensors", kind }),
    }
}

fn copy_companions(from: &Path, to: &Path, [_, dtype]: Names) -> Result<(), Error> {
    for name in COMPANIONS {
        let source = from.join(name);
        if source.is_file() {
            fs::copy(&source, to.join(name)).map_err(|error| Error::file(&source, error))?;
        }
    }
    let mut config: Value = read_json(&from.join("config.json"))?;
    if let Some(config) = config.as_object_mut() {
        // Transformers 4 and 5 name it differently.
        config.remove("torch_dtype");
        config.insert("dtype".to_owned(), dtype.into());
    }
    write_json(&to.join("config.json"), &config)
}

/// `config.json` of a model that has none.
fn config_json(config: &ModelConfig, scaling: RopeScaling, [_, dtype]: Names) -> Value {
    let architecture = config.architecture;
    let mut json = json!({
        "architectures": [architecture.transformers_class()],
        "model_type": architecture.name(),
        "dtype": dtype,
        "hidden_act": "silu",
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab,
        "max_position_embeddings": config.max_positions,
        "rms_norm_eps": short(config.rms_eps),
        "rope_theta": short(config.rope_theta),
        "tie_word_embeddings": config.tied_head,
        "bos_token_id": config.bos,
        "eos_token_id": config.eos.first(),
    });
    match scaling {
        // The factors were named before.
        RopeScaling::None | RopeScaling::Factors => {}
        RopeScaling::Linear { factor } => {
            json["rope_scaling"] = json!({"rope_type": "linear", "factor": short(factor)});
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => {
            json["rope_scaling"] = json!({
                "rope_type": "llama3", "factor": short(factor), "low_freq_factor": short(low_freq_factor),
                "high_freq_factor": short(high_freq_factor), "original_max_position_embeddings": original_positions,
            });
        }
    }
    json
}

/// The shortest decimal number that is this one in f32.
fn short(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

/// The file's head, and the bytes of all tensors after it.
fn head(tensors: &[(String, Vec<usize>)], kind: TensorType, [dtype, _]: Names) -> (Vec<u8>, u64) {
    let mut json = json!({"__metadata__": {"format": "pt"}});
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += kind.bytes_of(shape.iter().product()).expect("a plain type has no blocks");
        json[name] = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
    }
    let mut text = json.to_string().into_bytes();
    // Readers that map the file want the data aligned.
    text.resize(text.len().next_multiple_of(8), b' ');
    let length = (text.len() as u64).to_le_bytes();
    ([&length[..], &text].concat(), end as u64)
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    let text = format!("{value:#}\n");
    fs::write(path, text).map_err(|source| Error::file(path, source))
}
