//! A model's shapes and constants from `config.json`.

use serde::Deserialize;

use super::{Architecture, ConfigError, DEFAULT_THETA, ModelConfig, narrow, refuse_architecture};

impl ModelConfig {
    /// From the text of a `config.json` as Transformers writes it.
    ///
    /// # Errors
    /// [`ConfigError`] where something is missing, impossible or not supported.
    pub fn from_json(config: &serde_json::Value) -> Result<Self, ConfigError> {
        let json =
            Json::deserialize(config).map_err(|error| ConfigError::Field(error.to_string()))?;
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
