//! A model's shapes and constants, from its own metadata.

mod architecture;
mod rope;
mod from_gguf;
mod from_json;

pub use architecture::Architecture;
pub(crate) use from_json::OneOrMany;
pub use rope::RopeScaling;

/// Why a model's metadata cannot be used.
///
/// # Examples
///
/// ```
/// use engine::{Architecture, ConfigError};
///
/// let error = Architecture::parse("mixtral").unwrap_err();
/// assert!(matches!(&error, ConfigError::Architecture { architecture, .. } if architecture == "mixtral"));
/// assert!(error.to_string().ends_with("(it is a mixture of experts)"));
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something that every model has is not said, or has another type.
    #[error("`{0}` is missing or has the wrong type")]
    Missing(String),
    /// A field of `config.json` is missing or has another type.
    #[error("its fields are not those of a decoder: {0}")]
    Field(String),
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
    #[error(
        "the architecture `{architecture}` is not supported, only llama, qwen2 and qwen3 are ({reason})"
    )]
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

/// A model's shapes and constants.
///
/// # Examples
///
/// ```
/// use engine::gguf::Gguf;
/// use engine::{Architecture, ModelConfig};
///
/// let json = std::fs::read("../../tests/golden/tiny-llama/config.json")?;
/// let config = ModelConfig::from_json(&serde_json::from_slice(&json)?)?;
/// assert_eq!((config.architecture, config.layers, config.hidden), (Architecture::Llama, 2, 64));
/// assert_eq!((config.query_size(), config.kv_size()), (64, 32)); // 4 and 2 heads of 16 channels
/// let needed: Vec<_> = config.tensors().collect();
/// assert_eq!(needed[0], ("model.embed_tokens.weight".to_owned(), vec![384, 64]));
///
/// // The same model in a GGUF file.
/// let gguf = Gguf::parse(&std::fs::read("../../tests/golden/tiny-llama/model.gguf")?)?;
/// assert_eq!(ModelConfig::from_gguf(&gguf)?.tensors().count(), needed.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// How those angles are stretched for longer texts.
    pub rope_scaling: RopeScaling,
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
    /// Whether q, k and v add a bias (Qwen2).
    pub qkv_bias: bool,
    /// Whether each head of q and k is normalised (Qwen3).
    pub qk_norm: bool,
}

impl ModelConfig {
    /// The channels of all query heads.
    pub fn query_size(&self) -> usize {
        self.heads * self.head_dim
    }

    /// The channels of all key heads, which are those of all value heads.
    pub fn kv_size(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Each tensor that the model needs, with its shape, named as Transformers names them.
    ///
    /// One has no name there: `rope_freqs.weight`, see [`RopeScaling::Factors`].
    pub fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> + '_ {
        let hidden = self.hidden;
        let outside = [
            ("model.embed_tokens.weight", vec![self.vocab, hidden], true),
            ("model.norm.weight", vec![hidden], true),
            ("lm_head.weight", vec![self.vocab, hidden], !self.tied_head),
            (ROPE_FACTORS, vec![self.head_dim / 2], self.rope_scaling == RopeScaling::Factors),
        ];
        let outside = outside
            .into_iter()
            .filter_map(|(name, shape, needed)| needed.then(|| (name.to_owned(), shape)));
        outside.chain((0..self.layers).flat_map(|layer| self.layer_tensors(layer)))
    }

    /// The tensors of one block.
    pub(crate) fn layer_tensors(
        &self,
        layer: usize,
    ) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
        let (hidden, query, kv, inner) =
            (self.hidden, self.query_size(), self.kv_size(), self.intermediate);
        let (bias, norm) = (self.qkv_bias, self.qk_norm);
        let parts = [
            ("input_layernorm.weight", vec![hidden], true),
            ("self_attn.q_proj.weight", vec![query, hidden], true),
            ("self_attn.k_proj.weight", vec![kv, hidden], true),
            ("self_attn.v_proj.weight", vec![kv, hidden], true),
            ("self_attn.o_proj.weight", vec![hidden, query], true),
            ("self_attn.q_proj.bias", vec![query], bias),
            ("self_attn.k_proj.bias", vec![kv], bias),
            ("self_attn.v_proj.bias", vec![kv], bias),
            ("self_attn.q_norm.weight", vec![self.head_dim], norm),
            ("self_attn.k_norm.weight", vec![self.head_dim], norm),
            ("post_attention_layernorm.weight", vec![hidden], true),
            ("mlp.gate_proj.weight", vec![inner, hidden], true),
            ("mlp.up_proj.weight", vec![inner, hidden], true),
            ("mlp.down_proj.weight", vec![hidden, inner], true),
        ];
        parts.into_iter().filter_map(move |(name, shape, needed)| {
            needed.then(|| (format!("model.layers.{layer}.{name}"), shape))
        })
    }

    /// Itself, where the numbers fit together.
    fn checked(mut self) -> Result<Self, ConfigError> {
        /// Above every model there is, and small enough that no product of two overflows.
        const LIMIT: usize = 1 << 28;
        self.rope_scaling = self.rope_scaling.checked()?;
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
        // Every other size must match a tensor in the file; this one is only compared with.
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

/// llama.cpp's name of the tensor with one divisor of the rotary frequencies for each pair of channels.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// What Transformers and llama.cpp take where the metadata are silent.
const DEFAULT_THETA: f64 = 10_000.0;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the engine computes in f32, as its references do"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
