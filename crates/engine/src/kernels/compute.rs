//! The type that the frozen weights are kept and multiplied in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::isa::Isa;

/// The type of the frozen weights, and of what is multiplied with them. Sums are f32 either way.
///
/// # Examples
///
/// ```
/// use engine::{Compute, Isa};
///
/// assert_eq!(Compute::named("bf16"), Some(Compute::Bf16));
/// assert_eq!(Compute::default().name(), "f32");
/// assert_eq!(Compute::fastest(Isa::plain()), Compute::F32);
/// assert_eq!(Compute::named("auto"), Some(Compute::fastest(Isa::best())));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compute {
    /// f32: the reference, to which every processor comes but for the last bits.
    #[default]
    F32,
    /// bf16: half the memory for weights and, where the processor multiplies it, about 1.7 times the speed; gradients differ
    /// from those in f32 by 2 to 3 %.
    Bf16,
}

impl Compute {
    /// The faster on `isa`: bf16 where the processor multiplies it, else f32.
    pub fn fastest(isa: Isa) -> Self {
        if isa.prefers_bf16() { Self::Bf16 } else { Self::F32 }
    }

    /// `f32` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// The type of this name; `auto` is the fastest on the fastest instruction set.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "f32" => Some(Self::F32),
            "bf16" => Some(Self::Bf16),
            "auto" => Some(Self::fastest(Isa::best())),
            _ => None,
        }
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
