//! A model's shapes and constants from the metadata of a GGUF file.

use super::{Architecture, ConfigError, DEFAULT_THETA, ModelConfig, narrow, refuse_architecture};
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
}

fn token(gguf: &Gguf, key: &str) -> Option<u32> {
    gguf.count(key).and_then(|token| u32::try_from(token).ok())
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
