//! What is trained on: conversations to imitate, or pairs of answers of which one is preferred.

use crate::error::Error;
use crate::example::Example;
use crate::layers::dropout::key;
use crate::layers::head::Sums;
use crate::model::Model;
use crate::preference::{Preference, PreferenceOptions, Preferences, Rewards};
use crate::sequence::{Step, Workspace, joined, shared};

pub(super) use crate::preference::Batch;

/// Tokens up to which short examples of a batch go through the model side by side. Each pass turns every weight once, which
/// is half of the time of 32 tokens and little of that of 512.
const TOGETHER: usize = 512;

/// What an adapter is trained on or measured with: examples to imitate, or preferences.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{ChatMessage, LoadOptions, LoraConfig, Material, Model, PreferenceOptions, TrainOptions, Trainer};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let asked = [ChatMessage::new("user", "Is it a cold?")];
/// let (good, bad) = ([ChatMessage::new("assistant", "Yes.")], [ChatMessage::new("assistant", "Go away.")]);
/// let pairs = vec![model.preference(&asked, &good, &bad)?];
/// let train = Material::preferences(pairs, PreferenceOptions::default());
/// let options = TrainOptions { epochs: 10, ..TrainOptions::default() };
/// let mut trainer = Trainer::new(model, &LoraConfig::default(), options, train, vec![])?;
/// let mut margins = Vec::new();
/// while let Some(report) = trainer.step()? {
///     margins.extend(report.rewards.map(|rewards| rewards.margin()));
/// }
/// assert_eq!(margins[0], 0.0, "before the first step neither is preferred");
/// assert!(margins[9] > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Material(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Examples(Vec<Example>),
    Preferences(Preferences),
}

/// Examples to imitate.
impl From<Vec<Example>> for Material {
    fn from(examples: Vec<Example>) -> Self {
        Self(Kind::Examples(examples))
    }
}

/// What a batch taught.
pub(super) struct Learnt {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) rewards: Option<Rewards>,
}

impl Material {
    /// Pairs of answers to learn to prefer, as `options` says.
    pub fn preferences(pairs: Vec<Preference>, options: PreferenceOptions) -> Self {
        Self(Kind::Preferences(Preferences::new(pairs, options)))
    }

    /// Examples or pairs.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Kind::Examples(examples) => examples.len(),
            Kind::Preferences(preferences) => preferences.pairs.len(),
        }
    }

    /// Tokens of an example, or of both sequences of a pair.
    pub(super) fn tokens(&self, index: usize) -> usize {
        match &self.0 {
            Kind::Examples(examples) => examples[index].tokens.len(),
            Kind::Preferences(preferences) => {
                let Preference { preferred, rejected } = &preferences.pairs[index];
                preferred.tokens.len() + rejected.tokens.len()
            }
        }
    }

    /// Sequences whose tapes are held at once.
    pub(super) fn sequences_at_once(&self) -> usize {
        match &self.0 {
            Kind::Examples(_) => 1,
            Kind::Preferences(_) => 2,
        }
    }

    /// The most tokens of one pass with batches of `batch_size`.
    pub(super) fn longest(&self, batch_size: usize) -> usize {
        let longest = self.sequences().map(|example| example.tokens.len()).max().unwrap_or(0);
        match self.0 {
            Kind::Examples(_) => longest.max(TOGETHER.min(longest.saturating_mul(batch_size))),
            Kind::Preferences(_) => longest,
        }
    }

    /// Tokens that carry loss.
    pub(super) fn loss_tokens(&self) -> usize {
        self.sequences().map(Example::loss_tokens).sum()
    }

    /// All sequences, in order.
    pub(super) fn sequences(&self) -> impl Iterator<Item = &Example> {
        let (examples, pairs) = match &self.0 {
            Kind::Examples(examples) => (&examples[..], &[][..]),
            Kind::Preferences(preferences) => (&[][..], &preferences.pairs[..]),
        };
        examples.iter().chain(pairs.iter().flat_map(|pair| [&pair.preferred, &pair.rejected]))
    }

    /// What changes the result beside the sequences; nothing of examples.
    pub(super) fn beta(&self) -> Option<f32> {
        match &self.0 {
            Kind::Examples(_) => None,
            Kind::Preferences(preferences) => Some(preferences.options.beta),
        }
    }

    /// Itself with sequences of at most `max_tokens` tokens, each with loss and fit for the model.
    pub(super) fn prepared(mut self, model: &Model, max_tokens: usize) -> Result<Self, Error> {
        match &mut self.0 {
            Kind::Examples(examples) => {
                for (index, example) in examples.iter_mut().enumerate() {
                    prepare(model, (index, example), max_tokens)?;
                }
            }
            Kind::Preferences(Preferences { pairs, options, .. }) => {
                if !(options.beta.is_finite() && options.beta > 0.0) {
                    let reason = "not a positive number";
                    let value = f64::from(options.beta);
                    return Err(Error::Option { option: "beta", value, reason });
                }
                for (index, Preference { preferred, rejected }) in pairs.iter_mut().enumerate() {
                    prepare(model, (index, preferred), max_tokens)?;
                    prepare(model, (index, rejected), max_tokens)?;
                }
            }
        }
        Ok(self)
    }

    /// The gradients of a batch's mean loss, added.
    pub(super) fn accumulate(
        &mut self,
        batch: Batch<'_>,
        workspaces: &mut [Workspace; 2],
    ) -> Result<Learnt, Error> {
        match &mut self.0 {
            Kind::Examples(examples) => imitate(examples, batch, &mut workspaces[0]),
            Kind::Preferences(preferences) => {
                let sums = preferences.accumulate(batch, workspaces)?;
                let rewards = sums.rewards();
                Ok(Learnt {
                    loss: sums.loss / sums.pairs.max(1) as f64,
                    accuracy: rewards.accuracy,
                    rewards: Some(rewards),
                })
            }
        }
    }
}

fn imitate(
    examples: &[Example],
    batch: Batch<'_>,
    workspace: &mut Workspace,
) -> Result<Learnt, Error> {
    let Batch { model, adapter, gradients, indices, seed } = batch;
    let weight: f64 = indices.iter().map(|index| examples[*index].weight()).sum();
    #[expect(clippy::cast_possible_truncation, reason = "the gradients are f32")]
    let scale = (1.0 / weight) as f32;
    let mut sums = Sums::default();
    let (mut rest, dropped) = (indices, adapter.config().dropout > 0.0);
    let all = indices.iter().map(|index| &examples[*index]);
    let shared = if dropped { 0 } else { shared(all) };
    let mut prefix = std::mem::take(&mut workspace.prefix);
    let first = indices.first().map_or(&[][..], |index| &examples[*index].tokens[..shared]);
    model.begin_prefix(Some(adapter), first, (&mut prefix, true), workspace)?;
    while let [first, ..] = rest {
        // A mask follows the places in the sequence, so that with masks each example is alone.
        let count = if dropped { 1 } else { together(model, (examples, shared), rest) };
        let (now, later) = rest.split_at(count);
        let (example, lengths) = joined(now.iter().map(|index| &examples[*index]), shared);
        let dropout = key(&[seed[0], seed[1], *first as u64]);
        let gradients = &mut *gradients;
        let (lengths, prefix) = (&lengths[..], &mut prefix);
        let mut step = Step { adapter, gradients, scale, dropout, lengths, prefix };
        sums = sums.plus(model.loss_and_gradients(&mut step, &example, workspace)?);
        rest = later;
    }
    model.finish_prefix((adapter, gradients), &mut prefix, workspace);
    workspace.prefix = prefix;
    Ok(Learnt {
        loss: sums.loss / sums.weight,
        accuracy: sums.correct as f64 / sums.rows as f64,
        rewards: None,
    })
}

/// How many of the examples to come are worked off side by side: as many as have [`TOGETHER`] tokens beside the `shared` ones,
/// and at least one.
fn together(model: &Model, (examples, shared): (&[Example], usize), indices: &[usize]) -> usize {
    let limit = TOGETHER.min(model.config().max_positions - shared);
    let mut tokens = 0;
    let fitting = indices.iter().take_while(|index| {
        tokens += examples[**index].tokens.len() - shared;
        tokens <= limit
    });
    fitting.count().max(1)
}

/// Cuts an example to `max_tokens` and refuses it where it has no loss then or does not fit the model.
fn prepare(
    model: &Model,
    (index, example): (usize, &mut Example),
    max_tokens: usize,
) -> Result<(), Error> {
    if example.tokens.len() > max_tokens {
        tracing::warn!(index, tokens = example.tokens.len(), max_tokens, "an example is cut");
        example.truncate(max_tokens);
    }
    model.check(0, &example.tokens)?;
    if example.loss_tokens() == 0 { Err(Error::NoLoss { index }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LoadOptions;
    use crate::testing::golden;

    #[test]
    fn side_by_side_is_what_fits_a_pass_and_the_positions_of_the_model() {
        let model = Model::load(&golden("tiny-llama"), &LoadOptions::default()).unwrap();
        let fitting = |tokens: usize, shared: usize| {
            let example = Example { tokens: vec![1; tokens], weights: vec![1.0; tokens] };
            together(&model, (&vec![example; 40], shared), &(0..40).collect::<Vec<_>>())
        };
        let positions = model.config().max_positions;
        assert_eq!(fitting(100, 0), TOGETHER / 100);
        assert_eq!(fitting(200, 100), TOGETHER / 100, "the shared ones count once, elsewhere");
        assert_eq!(fitting(TOGETHER + 1, 0), 1);
        assert_eq!(fitting(positions - 100, positions - 250), 1);
        assert_eq!(fitting(positions - 100, positions - 200), 2);
    }
}
