//! The families of models.

use super::ConfigError;

/// The families of models whose layers the engine computes.
///
/// # Examples
///
/// ```
/// use engine::Architecture;
///
/// assert_eq!(Architecture::parse("qwen3")?, Architecture::Qwen3);
/// assert_eq!(Architecture::Qwen3.name(), "qwen3");
/// assert!(Architecture::parse("mistral").is_err(), "its attention sees a window of tokens only");
/// # Ok::<(), engine::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// Llama and what is built like it: `SmolLM2`, `TinyLlama`, Llama 3.
    Llama,
    /// Qwen2 and Qwen2.5: q, k and v add a bias.
    Qwen2,
    /// Qwen3: each head of q and k is normalised.
    Qwen3,
}

impl Architecture {
    /// The name in `config.json` (`model_type`) and in GGUF (`general.architecture`), which is the same.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The class in Transformers.
    pub(crate) fn transformers_class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }

    /// The family of that name.
    ///
    /// # Errors
    /// [`ConfigError::Architecture`] for every other, with what the engine lacks for it.
    pub fn parse(name: &str) -> Result<Self, ConfigError> {
        for architecture in [Self::Llama, Self::Qwen2, Self::Qwen3] {
            if architecture.name() == name {
                return Ok(architecture);
            }
        }
        let mixture = ["moe", "mixtral", "deepseek", "gpt_oss", "gpt-oss"];
        let reason = if mixture.iter().any(|part| name.contains(part)) {
            "it is a mixture of experts"
        } else if name.contains("mistral") || name.contains("phi3") {
            "its attention sees a window of tokens only"
        } else {
            "its layers are built in another way"
        };
        Err(ConfigError::Architecture { architecture: name.to_owned(), reason })
    }

    /// Whether q, k and v add a bias.
    pub(super) fn qkv_bias(self) -> bool {
        self == Self::Qwen2
    }

    /// Whether each head of q and k is normalised.
    pub(super) fn qk_norm(self) -> bool {
        self == Self::Qwen3
    }

    /// Whether llama.cpp keeps the rows of q and k in pairs instead of halves.
    pub(crate) fn gguf_has_rotary_pairs(self) -> bool {
        self == Self::Llama
    }
}
