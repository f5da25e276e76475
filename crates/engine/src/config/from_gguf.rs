//! A model's shapes and constants from the metadata of a GGUF file.

use super::from_json::differs_from_one;
use super::{
    Architecture, ConfigError, DEFAULT_THETA, ModelConfig, ROPE_FACTORS, RopeScaling, narrow,
};
use crate::gguf::{Gguf, Value};

impl ModelConfig {
    /// From the metadata of a GGUF file.
    ///
    /// # Errors
    /// [`ConfigError`] where something is missing, impossible or not supported.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ConfigError> {
        let architecture = gguf.text("general.architecture");
        let architecture =
            architecture.ok_or_else(|| ConfigError::Missing("general.architecture".to_owned()))?;
        let keys = Keys { gguf, architecture: Architecture::parse(architecture)? };
        let heads = keys.needed("attention.head_count")?;
        let hidden = keys.needed("embedding_length")?;
        let head_dim = keys.count("attention.key_length").unwrap_or(hidden / heads.max(1));
        keys.refuse_unsupported(head_dim)?;
        let vocab = gguf.texts("tokenizer.ggml.tokens").map(<[String]>::len);
        let eps = keys.number("attention.layer_norm_rms_epsilon");
        Self {
            architecture: keys.architecture,
            hidden,
            layers: keys.needed("block_count")?,
            heads,
            kv_heads: keys.count("attention.head_count_kv").unwrap_or(heads),
            head_dim,
            intermediate: keys.needed("feed_forward_length")?,
            vocab: vocab.map_or_else(|| keys.needed("vocab_size"), Ok)?,
            rope_theta: narrow(keys.number("rope.freq_base").unwrap_or(DEFAULT_THETA)),
            rope_scaling: keys.rope_scaling()?,
            rms_eps: narrow(eps.ok_or_else(|| keys.missing("attention.layer_norm_rms_epsilon"))?),
            tied_head: !gguf.tensors().contains_key("output.weight"),
            max_positions: keys.needed("context_length")?,
            bos: token(gguf, "tokenizer.ggml.bos_token_id"),
            eos: ["eos", "eot", "eom"]
                .iter()
                .filter_map(|name| token(gguf, &format!("tokenizer.ggml.{name}_token_id")))
                .fold(Vec::new(), |eos, token| {
                    if eos.contains(&token) { eos } else { [eos, vec![token]].concat() }
                }),
            qkv_bias: keys.architecture.qkv_bias(),
            qk_norm: keys.architecture.qk_norm(),
        }
        .checked()
    }
}

fn token(gguf: &Gguf, key: &str) -> Option<u32> {
    gguf.count(key).and_then(|token| u32::try_from(token).ok())
}

/// The metadata whose keys begin with the architecture.
struct Keys<'a> {
    gguf: &'a Gguf,
    architecture: Architecture,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name())
    }

    fn missing(&self, name: &str) -> ConfigError {
        ConfigError::Missing(self.key(name))
    }

    fn count(&self, name: &str) -> Option<usize> {
        self.gguf.count(&self.key(name)).and_then(|value| usize::try_from(value).ok())
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.gguf.number(&self.key(name))
    }

    fn needed(&self, name: &str) -> Result<usize, ConfigError> {
        self.count(name).ok_or_else(|| self.missing(name))
    }

    fn rope_scaling(&self) -> Result<RopeScaling, ConfigError> {
        let has_factors = self.gguf.tensors().contains_key(ROPE_FACTORS);
        match self.gguf.text(&self.key("rope.scaling.type")) {
            None | Some("none") if has_factors => Ok(RopeScaling::Factors),
            None | Some("none") => Ok(RopeScaling::None),
            Some("linear") if !has_factors => {
                let factor = self.number("rope.scaling.factor");
                let factor = factor.ok_or_else(|| self.missing("rope.scaling.factor"))?;
                Ok(RopeScaling::Linear { factor: narrow(factor) })
            }
            Some(kind) => {
                Err(ConfigError::Unsupported(format!("rope scaling of the kind `{kind}`")))
            }
        }
    }

    fn refuse_unsupported(&self, head_dim: usize) -> Result<(), ConfigError> {
        let refuse = |what: String| Err(ConfigError::Unsupported(what));
        if self.count("expert_count").is_some_and(|count| count > 0) {
            return refuse("a mixture of experts".to_owned());
        }
        if self.count("attention.sliding_window").is_some_and(|window| window > 0) {
            return refuse("attention within a sliding window".to_owned());
        }
        if self.number("rope.scaling.attn_factor").is_some_and(differs_from_one) {
            return refuse("rope scaling with a factor for the attention".to_owned());
        }
        for name in ["attention.head_count", "attention.head_count_kv", "feed_forward_length"] {
            if let Some(Value::Integers(_)) = self.gguf.value(&self.key(name)) {
                return refuse(format!("a different `{}` in each layer", self.key(name)));
            }
        }
        if let Some(value) = self.count("attention.value_length").filter(|size| *size != head_dim) {
            return refuse(format!("values of {value} channels beside keys of {head_dim}"));
        }
        match self.count("rope.dimension_count") {
            Some(rotated) if rotated != head_dim => {
                refuse(format!("rotary positions on {rotated} of {head_dim} channels"))
            }
            _ => Ok(()),
        }
    }
}
