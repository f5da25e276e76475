//! A grid of settings to train one after the other, of which the best is kept.

use std::str::FromStr;

use ftjob::{Method, Recipe};

/// More combinations than this are a mistake rather than a wish.
pub(crate) const MOST: usize = 32;

/// A setting and the values to try.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    name: Setting,
    values: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    Epochs,
    BatchSize,
    LearningRateMultiplier,
    Seed,
    Beta,
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, values) = text.split_once('=').ok_or("no `=`: write epochs=1,2,3")?;
        let (name, [least, most], whole) = match name {
            "epochs" => (Setting::Epochs, [1.0, 50.0], true),
            "batch-size" => (Setting::BatchSize, [1.0, 256.0], true),
            "learning-rate-multiplier" => (Setting::LearningRateMultiplier, [1e-6, 1000.0], false),
            "seed" => (Setting::Seed, [0.0, 2_147_483_647.0], true),
            "beta" => (Setting::Beta, [1e-6, 2.0], false),
            _ => return Err(format!("`{name}` cannot be swept")),
        };
        let read = |text: &str| {
            let value = text.trim().parse::<f64>().ok();
            let fits =
                |value: &f64| (least..=most).contains(value) && (!whole || value.fract() == 0.0);
            value.filter(fits).ok_or_else(|| format!("`{text}` is no value from {least} to {most}"))
        };
        let mut kept: Vec<f64> = Vec::new();
        for value in values.split(',') {
            let value = read(value)?;
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        Ok(Self { name, values: kept })
    }
}

impl Axis {
    /// Whether only preference tuning has this setting.
    pub(crate) fn is_of_preferences(&self) -> bool {
        self.name == Setting::Beta
    }
}

/// Every combination of the axes' values over `recipe`, the last axis changing fastest.
pub(crate) fn grid(recipe: &Recipe, axes: &[Axis]) -> Vec<Recipe> {
    axes.iter().fold(vec![recipe.clone()], |recipes, axis| {
        let with = |recipe: &Recipe| {
            axis.values.iter().map(|value| axis.name.set(recipe, *value)).collect::<Vec<_>>()
        };
        recipes.iter().flat_map(with).collect()
    })
}

impl Setting {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the values were checked to be whole and within these types when they were read"
    )]
    fn set(self, recipe: &Recipe, value: f64) -> Recipe {
        let mut recipe = recipe.clone();
        match self {
            Self::Epochs => recipe.epochs = Some(value as u32),
            Self::BatchSize => recipe.batch_size = Some(value as u32),
            Self::LearningRateMultiplier => recipe.learning_rate_multiplier = Some(value),
            Self::Seed => recipe.seed = Some(value as i64),
            Self::Beta => recipe.method = Method::Preferences { beta: Some(value) },
        }
        recipe
    }
}

/// What a run of a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score {
    pub(crate) valid_loss: Option<f64>,
    pub(crate) tokens: u64,
}

/// The best of `scores`: the least validation loss, of equal ones that with fewer tokens; a run without one is never it.
pub(crate) fn best(scores: &[Score]) -> Option<usize> {
    let measured = scores.iter().enumerate().filter_map(|(index, score)| {
        Some((index, score.valid_loss.filter(|loss| loss.is_finite())?, score.tokens))
    });
    measured
        .min_by(|a, b| a.1.total_cmp(&b.1).then(a.2.cmp(&b.2)).then(a.0.cmp(&b.0)))
        .map(|(index, ..)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_holds_every_combination_once() {
        let axes =
            ["epochs=1,2,2", "learning-rate-multiplier=0.5,1"].map(|text| text.parse().unwrap());
        let grid = grid(&Recipe::new("m"), &axes);
        let shown: Vec<_> =
            grid.iter().map(|recipe| (recipe.epochs, recipe.learning_rate_multiplier)).collect();
        assert_eq!(
            shown,
            [
                (Some(1), Some(0.5)),
                (Some(1), Some(1.0)),
                (Some(2), Some(0.5)),
                (Some(2), Some(1.0))
            ]
        );
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for wrong in [
            "epochs",
            "epochs=",
            "epochs=0",
            "epochs=1.5",
            "epochs=51",
            "seed=-1",
            "beta=2.1",
            "batch-size=300",
            "mood=1",
            "learning-rate-multiplier=0",
            "learning-rate-multiplier=NaN",
        ] {
            assert!(wrong.parse::<Axis>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_best_has_the_least_loss_and_then_the_fewest_tokens() {
        let score = |valid_loss, tokens| Score { valid_loss, tokens };
        assert_eq!(
            best(&[score(Some(2.0), 1), score(Some(1.0), 9), score(Some(1.0), 3), score(None, 0)]),
            Some(2)
        );
        assert_eq!(best(&[score(Some(f64::NAN), 1), score(Some(3.0), 1)]), Some(1));
        assert_eq!(best(&[score(None, 1)]), None);
    }
}
