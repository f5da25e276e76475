//! The angles of rotary positions, and how models stretch them for longer texts.
//!
//! Source: `modeling_rope_utils.py` of Transformers; Llama 3's kind is described in its model card.

use super::{ConfigError, ModelConfig};

/// How the rotary frequencies differ from `theta^(-2j/D)`.
///
/// # Examples
///
/// ```
/// use engine::{ModelConfig, RopeScaling};
///
/// let json = std::fs::read("../../tests/golden/tiny-llama3/config.json")?;
/// let config = ModelConfig::from_json(&serde_json::from_slice(&json)?)?;
/// let RopeScaling::Llama3 { factor, original_positions, .. } = config.rope_scaling else {
///     panic!("the file says `llama3`");
/// };
/// assert_eq!((factor, original_positions), (8.0, 64));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All are divided by a factor.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3.1 and later: slow turns are divided, fast ones kept, those between blended.
    Llama3 {
        /// The divisor of slow turns.
        factor: f32,
        /// Turns longer than the original positions divided by this are slow.
        low_freq_factor: f32,
        /// Turns shorter than the original positions divided by this are fast.
        high_freq_factor: f32,
        /// The positions of the model before it was stretched.
        original_positions: usize,
    },
    /// Each is divided by its own number, which the weights hold as the tensor `rope_freqs.weight` (GGUF).
    Factors,
}

impl RopeScaling {
    /// Itself, where its numbers can be.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let positive = |key, value: f32| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            let reason = "which is not a positive number";
            Err(ConfigError::Impossible { key, value: f64::from(value), reason })
        };
        match self {
            Self::None | Self::Factors => {}
            Self::Linear { factor } => positive("rope factor", factor)?,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => {
                positive("rope factor", factor)?;
                positive("low frequency factor", low_freq_factor)?;
                positive("high frequency factor", high_freq_factor)?;
                positive("original positions", original_positions as f32)?;
                if high_freq_factor <= low_freq_factor {
                    let (key, value) = ("high frequency factor", f64::from(high_freq_factor));
                    let reason = "which is not above the low frequency factor";
                    return Err(ConfigError::Impossible { key, value, reason });
                }
            }
        }
        Ok(self)
    }
}

impl ModelConfig {
    /// The angle that each pair of channels turns by from one position to the next, `[D/2]`.
    ///
    /// `factors` are those of [`RopeScaling::Factors`], `[D/2]`. In f32 throughout, as the references compute it.
    pub(crate) fn rope_frequencies(&self, factors: Option<&[f32]>) -> Vec<f32> {
        let frequency =
            |j: usize| 1.0 / self.rope_theta.powf((2 * j) as f32 / self.head_dim as f32);
        let plain = (0..self.head_dim / 2).map(frequency);
        match (&self.rope_scaling, factors) {
            (RopeScaling::Linear { factor }, _) => plain.map(|plain| plain / factor).collect(),
            (RopeScaling::Factors, Some(factors)) => {
                plain.zip(factors).map(|(plain, factor)| plain / factor).collect()
            }
            (
                &RopeScaling::Llama3 {
                    factor,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_positions,
                },
                _,
            ) => {
                let positions = original_positions as f32;
                let stretched = |plain: f32| {
                    let turn = std::f32::consts::TAU / plain;
                    if turn > positions / low {
                        plain / factor
                    } else if turn < positions / high {
                        plain
                    } else {
                        let smooth = (positions / turn - low) / (high - low);
                        (1.0 - smooth) * plain / factor + smooth * plain
                    }
                };
                plain.map(stretched).collect()
            }
            _ => plain.collect(),
        }
    }
}
