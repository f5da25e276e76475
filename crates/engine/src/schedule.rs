//! How the learning rate goes over the steps.

use serde::{Deserialize, Serialize};

/// The learning rate's course after the warm-up.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{ChatMessage, LoadOptions, LoraConfig, Model, Schedule, TrainOptions, Trainer};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// let examples = vec![model.example(&chat)?];
/// let schedule = Schedule::Linear;
/// let options = TrainOptions { epochs: 4, schedule, warmup_fraction: 0.0, ..TrainOptions::default() };
/// let mut trainer = Trainer::new(model, &LoraConfig::default(), options, examples, vec![])?;
/// let mut rates = Vec::new();
/// while let Some(report) = trainer.step()? {
///     rates.push((report.learning_rate * 1e5).round());
/// }
/// assert_eq!(rates, [100.0, 75.0, 50.0, 25.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls in a straight line to 0 after the last step.
    Linear,
    /// It falls along half a cosine to 0 after the last step.
    #[default]
    Cosine,
}

impl Schedule {
    /// What the full rate is multiplied by at `step` (from 0) of `total`, with `warmup` steps of even rise before.
    pub(crate) fn factor(self, step: usize, warmup: usize, total: usize) -> f32 {
        if step < warmup {
            return (step + 1) as f32 / (warmup + 1) as f32;
        }
        let share = (step - warmup) as f32 / (total - warmup).max(1) as f32;
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - share,
            Self::Cosine => 0.5 * (1.0 + (std::f32::consts::PI * share).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(schedule: Schedule) -> Vec<f32> {
        (0..6).map(|step| schedule.factor(step, 2, 6)).collect()
    }

    #[test]
    fn the_rate_rises_in_the_warm_up_and_then_follows_its_course() {
        let near = |found: &[f32], expected: [f32; 6]| {
            let far =
                found.iter().zip(expected).any(|(found, expected)| (found - expected).abs() > 1e-6);
            assert!(!far, "{found:?} is not {expected:?}");
        };
        let (a, b) = (1.0 / 3.0, 2.0 / 3.0);
        near(&course(Schedule::Constant), [a, b, 1.0, 1.0, 1.0, 1.0]);
        near(&course(Schedule::Linear), [a, b, 1.0, 0.75, 0.5, 0.25]);
        near(&course(Schedule::Cosine), [a, b, 1.0, 0.853_553_4, 0.5, 0.146_446_6]);
    }
}
