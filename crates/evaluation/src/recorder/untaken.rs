//! Parameters that a model does not take, learned from its refusals.

use serde::{Deserialize, Serialize};
use wire::ChatRequest;

/// A parameter of a chat that some models refuse, as those that reason refuse a temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Untaken {
    /// It is said as `max_completion_tokens` then.
    MaxTokens,
    Temperature,
    TopP,
    Seed,
}

impl Untaken {
    const ALL: [Self; 4] = [Self::MaxTokens, Self::Temperature, Self::TopP, Self::Seed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
            Self::Seed => "seed",
        }
    }

    /// The parameter that the service refuses, by its name in the refusal.
    pub(super) fn of(error: &transport::Error) -> Option<Self> {
        let refusal = error.refusal()?;
        let is_parameter =
            matches!(refusal.code(), Some("unsupported_parameter" | "unsupported_value"));
        let named = refusal.error.param.as_deref().filter(|_| is_parameter)?;
        Self::ALL.into_iter().find(|one| one.name() == named)
    }

    /// Leaves it out of `request`, and tells whether it was there.
    pub(super) fn leave_out(self, request: &mut ChatRequest) -> bool {
        match self {
            Self::MaxTokens => {
                let most = request.max_tokens.take();
                request.max_completion_tokens = request.max_completion_tokens.or(most);
                most.is_some()
            }
            Self::Temperature => request.temperature.take().is_some(),
            Self::TopP => request.top_p.take().is_some(),
            Self::Seed => request.seed.take().is_some(),
        }
    }
}
