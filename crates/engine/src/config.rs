//! A model's shapes and constants, from its own metadata.

use serde::Deserialize;

use crate::gguf::{Gguf, Value};

/// Why a model's metadata cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something that every model has is not said, or has another type.
    #[error("`{0}` is missing or has the wrong type")]
    Missing(String),
    /// A value is impossible by itself or beside the others.
    #[error("`{key}` is {value}, {reason}")]
    Impossible {
        /// The metadata key.
        key: &'static str,
        /// The value found.
        value: f64,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// The architecture is not supported.
    #[error("the architecture `{architecture}` is not supported, only `llama` ({reason})")]
    Architecture {
        /// As the metadata call it.
        architecture: String,
        /// What the engine lacks for it.
        reason: &'static str,
    },
    /// The model uses something that the engine does not compute.
    #[error("the model uses {0}, which is not supported")]
    Unsupported(String),
}

/// The families of models whose layers the engine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// Llama and what is built like it: `SmolLM2`, `TinyLlama`.
    Llama,
}

/// A model's shapes and constants.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// How the layers are built.
    pub architecture: Architecture,
    /// Channels of the residual stream (`C`).
    pub hidden: usize,
    /// Blocks of attention and MLP.
    pub layers: usize,
    /// Query heads (`H`).
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Channels of one head (`D`); even.
    pub head_dim: usize,
    /// Channels inside the MLP.
    pub intermediate: usize,
    /// Tokens of the vocabulary (`V`).
    pub vocab: usize,
    /// The base of the rotary position angles.
    pub rope_theta: f32,
    /// What RMS normalisation adds to the mean square.
    pub rms_eps: f32,
    /// Whether the head is the embedding, transposed.
    pub tied_head: bool,
    /// The longest sequence that the model was made for.
    pub max_positions: usize,
    /// The token that begins a text, where the model has one.
    pub bos: Option<u32>,
    /// The tokens that end an answer.
    pub eos: Vec<u32>,
    /// Whether q, k and v add a bias (Qwen2); always false today.
    pub qkv_bias: bool,
    /// Whether q and k are normalised per head (Qwen3); always false today.
    pub qk_norm: bool,
}

impl ModelConfig {
    /// From the text of a `config.json` as Transformers writes it.
    ///
    /// # Errors
    /// [`ConfigError`] where something is missing, impossible or not supported.
    pub fn from_json(config: &serde_json::Value) -> Result<Self, ConfigError> {
        let json =
            Json::deserialize(config).map_err(|error| ConfigError::Missing(error.to_string()))?;
        json.refuse_unsupported(config)?;
        let heads = json.num_attention_heads;
        let hidden = json.hidden_size;
        let theta =
            config.pointer("/rope_parameters/rope_theta").or_else(|| config.get("rope_theta"));
        Self {
            architecture: Architecture::Llama,
            hidden,
            layers: json.num_hidden_layers,
            heads,
            kv_heads: json.num_key_value_heads.unwrap_or(heads),
            head_dim: json.head_dim.unwrap_or(hidden / heads.max(1)),
            intermediate: json.intermediate_size,
            vocab: json.vocab_size,
            rope_theta: narrow(theta.and_then(serde_json::Value::as_f64).unwrap_or(DEFAULT_THETA)),
            rms_eps: narrow(json.rms_norm_eps),
            tied_head: json.tie_word_embeddings,
            max_positions: json.max_position_embeddings,
            bos: json.bos_token_id,
            eos: json.eos_token_id.map(OneOrMany::into_vec).unwrap_or_default(),
            qkv_bias: false,
            qk_norm: false,
        }
        .checked()
    }

    /// From the metadata of a GGUF file.
    ///
    /// # Errors
    /// [`ConfigError`] where something is missing, impossible or not supported.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ConfigError> {
        let architecture = gguf.text("general.architecture");
        let architecture =
            architecture.ok_or_else(|| ConfigError::Missing("general.architecture".to_owned()))?;
        refuse_architecture(architecture)?;
        refuse_in_gguf(gguf)?;
        let count = |key: &str| {
            let value = gguf.count(key).and_then(|value| usize::try_from(value).ok());
            value.ok_or_else(|| ConfigError::Missing(key.to_owned()))
        };
        let heads = count("llama.attention.head_count")?;
        let hidden = count("llama.embedding_length")?;
        let head_dim = count("llama.attention.key_length").unwrap_or(hidden / heads.max(1));
        let vocab = gguf.texts("tokenizer.ggml.tokens").map(<[String]>::len);
        let eps = gguf.number("llama.attention.layer_norm_rms_epsilon");
        Self {
            architecture: Architecture::Llama,
            hidden,
            layers: count("llama.block_count")?,
            heads,
            kv_heads: count("llama.attention.head_count_kv").unwrap_or(heads),
            head_dim,
            intermediate: count("llama.feed_forward_length")?,
            vocab: vocab.map_or_else(|| count("llama.vocab_size"), Ok)?,
            rope_theta: narrow(gguf.number("llama.rope.freq_base").unwrap_or(DEFAULT_THETA)),
            rms_eps: narrow(eps.ok_or_else(|| {
                ConfigError::Missing("llama.attention.layer_norm_rms_epsilon".to_owned())
            })?),
            tied_head: !gguf.tensors().contains_key("output.weight"),
            max_positions: count("llama.context_length")?,
            bos: token(gguf, "tokenizer.ggml.bos_token_id"),
            eos: ["eos", "eot", "eom"]
                .iter()
                .filter_map(|name| token(gguf, &format!("tokenizer.ggml.{name}_token_id")))
                .fold(Vec::new(), |eos, token| {
                    if eos.contains(&token) { eos } else { [eos, vec![token]].concat() }
                }),
            qkv_bias: false,
            qk_norm: false,
        }
        .checked()
    }

    /// The channels of all query heads.
    pub fn query_size(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The channels of all key heads, which are those of all value heads.
    pub fn kv_size(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Each tensor that the model needs, with its shape, named as Transformers names them.
    pub fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> + '_ {
        let (hidden, query, kv, inner) =
            (self.hidden, self.query_size(), self.kv_size(), self.intermediate);
        let outside = [
            ("model.embed_tokens.weight", vec![self.vocab, hidden]),
            ("model.norm.weight", vec![hidden]),
            ("lm_head.weight", vec![self.vocab, hidden]),
        ];
        let outside = outside.into_iter().take(if self.tied_head { 2 } else { 3 });
        let inside = move |layer: usize| {
            [
                ("input_layernorm", vec![hidden]),
                ("self_attn.q_proj", vec![query, hidden]),
                ("self_attn.k_proj", vec![kv, hidden]),
                ("self_attn.v_proj", vec![kv, hidden]),
                ("self_attn.o_proj", vec![hidden, query]),
                ("post_attention_layernorm", vec![hidden]),
                ("mlp.gate_proj", vec![inner, hidden]),
                ("mlp.up_proj", vec![inner, hidden]),
                ("mlp.down_proj", vec![hidden, inner]),
            ]
            .map(|(name, shape)| (format!("model.layers.{layer}.{name}.weight"), shape))
        };
        outside
            .map(|(name, shape)| (name.to_owned(), shape))
            .chain((0..self.layers).flat_map(inside))
    }

    /// Itself, where the numbers fit together.
    fn checked(self) -> Result<Self, ConfigError> {
        /// Above every model there is, and small enough that no product of two overflows.
        const LIMIT: usize = 1 << 28;
        let sizes = [
            ("hidden size", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("key and value heads", self.kv_heads),
            ("head size", self.head_dim),
            ("intermediate size", self.intermediate),
            ("vocabulary", self.vocab),
        ];
        let impossible =
            |key, value: f64, reason| Err(ConfigError::Impossible { key, value, reason });
        for (key, value) in sizes {
            if value == 0 || value > LIMIT {
                return impossible(key, value as f64, "which is not from 1 to 268435456");
            }
        }
        // Every other size must match a tensor in the file; the rotary table grows with this one alone.
        if self.max_positions == 0 || self.max_positions > 1 << 20 {
            return impossible(
                "positions",
                self.max_positions as f64,
                "which is not from 1 to 1048576",
            );
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return impossible(
                "key and value heads",
                self.kv_heads as f64,
                "which does not divide the query heads",
            );
        }
        if !self.head_dim.is_multiple_of(2) {
            return impossible("head size", self.head_dim as f64, "which is odd");
        }
        for (key, value) in [("rope theta", self.rope_theta), ("rms epsilon", self.rms_eps)] {
            if !(value.is_finite() && value > 0.0) {
                return impossible(key, f64::from(value), "which is not a positive number");
            }
        }
        let vocab = self.vocab;
        if let Some(token) =
            self.eos.iter().chain(&self.bos).find(|token| **token as usize >= vocab)
        {
            return impossible(
                "a special token",
                f64::from(*token),
                "which is outside the vocabulary",
            );
        }
        Ok(self)
    }
}

/// What Transformers and llama.cpp take where the metadata are silent.
const DEFAULT_THETA: f64 = 10_000.0;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the engine computes in f32, as its references do"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

fn token(gguf: &Gguf, key: &str) -> Option<u32> {
    gguf.count(key).and_then(|token| u32::try_from(token).ok())
}

fn refuse_architecture(architecture: &str) -> Result<(), ConfigError> {
    let reason = match architecture {
        "llama" => return Ok(()),
        "qwen2" => "biases on q, k and v are not computed yet",
        "qwen3" => "normalised q and k are not computed yet",
        _ => "its layers are built in another way",
    };
    Err(ConfigError::Architecture { architecture: architecture.to_owned(), reason })
}

fn refuse_in_gguf(gguf: &Gguf) -> Result<(), ConfigError> {
    let scaling = gguf.text("llama.rope.scaling.type").filter(|kind| *kind != "none");
    if let Some(kind) = scaling {
        return Err(ConfigError::Unsupported(format!("rope scaling of the kind `{kind}`")));
    }
    if gguf.tensors().contains_key("rope_freqs.weight") {
        return Err(ConfigError::Unsupported("rope scaling by a tensor of factors".to_owned()));
    }
    if gguf.count("llama.expert_count").is_some_and(|count| count > 0) {
        return Err(ConfigError::Unsupported("a mixture of experts".to_owned()));
    }
    if let Some(Value::Integers(_)) = gguf.value("llama.attention.head_count") {
        return Err(ConfigError::Unsupported(
            "a different number of heads in each layer".to_owned(),
        ));
    }
    let rotated = gguf.count("llama.rope.dimension_count");
    let head_dim = gguf.count("llama.attention.key_length").or_else(|| {
        gguf.count("llama.embedding_length")?.checked_div(gguf.count("llama.attention.head_count")?)
    });
    match (rotated, head_dim) {
        (Some(rotated), Some(head_dim)) if rotated != head_dim => Err(ConfigError::Unsupported(
            format!("rotary positions on {rotated} of {head_dim} channels"),
        )),
        _ => Ok(()),
    }
}

/// The parts of `config.json` that matter. Fields and defaults: `LlamaConfig` of Transformers.
#[derive(Deserialize)]
struct Json {
    model_type: String,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    rms_norm_eps: f64,
    #[serde(default)]
    tie_word_embeddings: bool,
    max_position_embeddings: usize,
    bos_token_id: Option<u32>,
    eos_token_id: Option<OneOrMany>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    hidden_act: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(token) => vec![token],
            Self::Many(tokens) => tokens,
        }
    }
}

impl Json {
    fn refuse_unsupported(&self, config: &serde_json::Value) -> Result<(), ConfigError> {
        refuse_architecture(&self.model_type)?;
        if self.attention_bias || self.mlp_bias {
            return Err(ConfigError::Unsupported("biases".to_owned()));
        }
        if let Some(activation) = self.hidden_act.as_ref().filter(|name| *name != "silu") {
            return Err(ConfigError::Unsupported(format!("the activation `{activation}`")));
        }
        let scaling = ["rope_scaling", "rope_parameters"].iter().find_map(|key| {
            let scaling = config.get(key)?;
            scaling.get("rope_type").or_else(|| scaling.get("type"))?.as_str()
        });
        match scaling {
            None | Some("default") => Ok(()),
            Some(kind) => {
                Err(ConfigError::Unsupported(format!("rope scaling of the kind `{kind}`")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
