//! A model's shapes and constants from `config.json`.

use serde::Deserialize;

use super::{Architecture, ConfigError, DEFAULT_THETA, ModelConfig, RopeScaling, narrow};

impl ModelConfig {
    /// From the text of a `config.json` as Transformers writes it.
    ///
    /// # Errors
    /// [`ConfigError`] where something is missing, impossible or not supported.
    pub fn from_json(config: &serde_json::Value) -> Result<Self, ConfigError> {
        // First the family: what else is needed depends on it.
        let model_type = config.get("model_type").and_then(serde_json::Value::as_str);
        let model_type = model_type.ok_or_else(|| ConfigError::Missing("model_type".to_owned()))?;
        let architecture = Architecture::parse(model_type)?;
        let json =
            Json::deserialize(config).map_err(|error| ConfigError::Field(error.to_string()))?;
        json.refuse_unsupported(config)?;
        let (rope_theta, rope_scaling) = json.rope()?;
        let heads = json.num_attention_heads;
        let hidden = json.hidden_size;
        let usual_head_dim = match architecture {
            // The default of `Qwen3Config`, whatever the hidden size.
            Architecture::Qwen3 => 128,
            _ => hidden / heads.max(1),
        };
        Self {
            architecture,
            hidden,
            layers: json.num_hidden_layers,
            heads,
            kv_heads: json.num_key_value_heads.unwrap_or(heads),
            head_dim: json.head_dim.unwrap_or(usual_head_dim),
            intermediate: json.intermediate_size,
            vocab: json.vocab_size,
            rope_theta,
            rope_scaling,
            rms_eps: narrow(json.rms_norm_eps),
            tied_head: json.tie_word_embeddings,
            max_positions: json.max_position_embeddings,
            bos: json.bos_token_id,
            eos: json.eos_token_id.map(OneOrMany::into_vec).unwrap_or_default(),
            qkv_bias: architecture.qkv_bias(),
            qk_norm: architecture.qk_norm(),
        }
        .checked()
    }
}

/// The parts of `config.json` that matter. Fields and defaults: `LlamaConfig`, `Qwen2Config` and `Qwen3Config` of
/// Transformers.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the format has them")]
struct Json {
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
    rope_theta: Option<f64>,
    /// Up to Transformers 4.
    rope_scaling: Option<Rope>,
    /// From Transformers 5 on.
    rope_parameters: Option<Rope>,
    #[serde(default)]
    use_sliding_window: bool,
    layer_types: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Rope {
    #[serde(rename = "rope_type")]
    kind: Option<String>,
    /// Its older name; some files have both.
    #[serde(rename = "type")]
    older_kind: Option<String>,
    #[serde(rename = "rope_theta")]
    theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<usize>,
    partial_rotary_factor: Option<f64>,
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
        let refuse = |what: String| Err(ConfigError::Unsupported(what));
        if self.attention_bias || self.mlp_bias {
            return refuse("biases of its own choice".to_owned());
        }
        if let Some(activation) = self.hidden_act.as_ref().filter(|name| *name != "silu") {
            return refuse(format!("the activation `{activation}`"));
        }
        let slides = |kinds: &Vec<String>| kinds.iter().any(|kind| kind != "full_attention");
        if self.use_sliding_window || self.layer_types.as_ref().is_some_and(slides) {
            return refuse("attention within a sliding window".to_owned());
        }
        let quantised = config.get("quantization_config").filter(|value| !value.is_null());
        if let Some(quantised) = quantised {
            let method = quantised.get("quant_method").and_then(serde_json::Value::as_str);
            return refuse(format!("weights quantised by {}", method.unwrap_or("another program")));
        }
        Ok(())
    }

    /// The base of the angles and how they are stretched.
    fn rope(&self) -> Result<(f32, RopeScaling), ConfigError> {
        let new = self.rope_parameters.as_ref();
        let theta = new.and_then(|rope| rope.theta).or(self.rope_theta);
        let scaling =
            self.rope_scaling.as_ref().or(new).map_or(Ok(RopeScaling::None), Rope::scaling);
        Ok((narrow(theta.unwrap_or(DEFAULT_THETA)), scaling?))
    }
}

impl Rope {
    fn scaling(&self) -> Result<RopeScaling, ConfigError> {
        if self.partial_rotary_factor.is_some_and(differs_from_one) {
            let what = "rotary positions on a part of the channels";
            return Err(ConfigError::Unsupported(what.to_owned()));
        }
        let needed = |name: &str, value: Option<f64>| {
            value.map(narrow).ok_or_else(|| ConfigError::Missing(format!("rope_scaling.{name}")))
        };
        match self.kind.as_deref().or(self.older_kind.as_deref()) {
            None | Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear { factor: needed("factor", self.factor)? }),
            Some("llama3") => {
                let positions = "rope_scaling.original_max_position_embeddings";
                let positions = || ConfigError::Missing(positions.to_owned());
                Ok(RopeScaling::Llama3 {
                    factor: needed("factor", self.factor)?,
                    low_freq_factor: needed("low_freq_factor", self.low_freq_factor)?,
                    high_freq_factor: needed("high_freq_factor", self.high_freq_factor)?,
                    original_positions: self
                        .original_max_position_embeddings
                        .ok_or_else(positions)?,
                })
            }
            Some(kind) => {
                Err(ConfigError::Unsupported(format!("rope scaling of the kind `{kind}`")))
            }
        }
    }
}

/// Whether a factor that is usually 1 is another number.
pub(super) fn differs_from_one(factor: f64) -> bool {
    (factor - 1.0).abs() > f64::EPSILON
}
