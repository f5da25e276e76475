//! Preference tuning: Direct Preference Optimisation (DPO).
//!
//! With `log p(y)` the sum of an answer's log-probabilities, `p` the model with the adapter in training and `r` the
//! reference: `h = beta ((log p(y+) - log r(y+)) - (log p(y-) - log r(y-)))` and `loss = -log sigmoid(h)`, so that
//! `d loss / d log p(y+-) = -+ beta sigmoid(-h)`. Source: Rafailov et al. 2023 (arXiv:2305.18290), equation 7, as TRL's
//! `DPOTrainer` computes it with `loss_type="sigmoid"`. Both answers pass forward once, after the prompt that they share,
//! with all that their backwards need; the reference is the same model with the adapter off, or with another.

mod measure;

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::example::Example;
use crate::layers::dropout::key;
use crate::lora::{Adapter, Gradients};
use crate::model::Model;
use crate::sequence::{Prefix, Step, Workspace, shared};
use crate::template::ChatMessage;
pub use measure::{PreferenceEvaluation, PreferenceMeasure};

/// Two answers to one prompt, as token sequences with loss on the answers only.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{ChatMessage, LoadOptions, Model, Preference};
///
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
/// let asked = [ChatMessage::new("user", "Is it a cold?")];
/// let (good, bad) = ([ChatMessage::new("assistant", "Yes.")], [ChatMessage::new("assistant", "Go away.")]);
/// let Preference { preferred, rejected } = model.preference(&asked, &good, &bad)?;
/// let prompt = model.prompt(&asked)?;
/// assert!(preferred.tokens.starts_with(&prompt) && rejected.tokens.starts_with(&prompt));
/// assert_eq!(preferred, model.example(&[&asked[..], &good[..]].concat())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Preference {
    /// The prompt with the answer that is preferred.
    pub preferred: Example,
    /// The prompt with the other.
    pub rejected: Example,
}

impl Preference {
    /// Tokens that both answers go on after, where that is worth a pass of their own.
    fn shared(&self) -> usize {
        shared([&self.preferred, &self.rejected].into_iter())
    }

    fn beginning(&self, shared: usize) -> &[u32] {
        &self.preferred.tokens[..shared]
    }

    /// Both without the shared tokens.
    fn after(&self, shared: usize) -> [Example; 2] {
        [self.preferred.after(shared), self.rejected.after(shared)]
    }
}

/// How preferences are learnt.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{Adapter, LoadOptions, LoraConfig, Model, PreferenceOptions};
///
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
/// assert_eq!(PreferenceOptions::default().beta, 0.1);
/// let taught = Arc::new(Adapter::new(&model, &LoraConfig::default(), 42)?);
/// let options = PreferenceOptions { reference: Some(taught), ..PreferenceOptions::default() };
/// assert_eq!(format!("{options:?}"), "PreferenceOptions { beta: 0.1, reference: true }");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PreferenceOptions {
    /// How strongly the adapter is held to the reference; 0.1 by default, as in the paper and in OpenAI's dialect.
    pub beta: f32,
    /// The reference: an adapter, as that of a supervised training before; by default none, the base model itself.
    pub reference: Option<Arc<Adapter>>,
}

impl Default for PreferenceOptions {
    fn default() -> Self {
        Self { beta: 0.1, reference: None }
    }
}

impl fmt::Debug for PreferenceOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PreferenceOptions")
            .field("beta", &self.beta)
            .field("reference", &self.reference.is_some())
            .finish()
    }
}

/// What the adapter in training makes of pairs of answers, against the reference.
///
/// # Examples
///
/// ```
/// let rewards = engine::Rewards { preferred: 0.5, rejected: -0.25, accuracy: 1.0 };
/// assert_eq!(rewards.margin(), 0.75);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rewards {
    /// The mean of `beta (log p - log r)` of the preferred answers.
    pub preferred: f64,
    /// The same of the rejected answers.
    pub rejected: f64,
    /// The share of pairs whose preferred answer has the greater reward.
    pub accuracy: f64,
}

impl Rewards {
    /// How far the preferred answers are ahead.
    pub fn margin(&self) -> f64 {
        self.preferred - self.rejected
    }
}

impl Model {
    /// The pair that one line of OpenAI's preference format is: `input.messages`, `preferred_output` and
    /// `non_preferred_output`.
    ///
    /// Loss is on the outputs only: earlier answers within `input` are read and not judged.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use engine::{ChatMessage, LoadOptions, Model};
    ///
    /// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
    /// let asked = [ChatMessage::new("user", "Is it a cold?")];
    /// let (good, bad) = ([ChatMessage::new("assistant", "Yes.")], [ChatMessage::new("assistant", "Go away.")]);
    /// let pair = model.preference(&asked, &good, &bad)?;
    /// assert!(pair.preferred.loss_tokens() > 0 && pair.rejected.loss_tokens() > 0);
    /// assert!(model.preference(&asked, &good, &[]).is_err(), "there is nothing to prefer it to");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::example`] for each output after the input.
    pub fn preference(
        &self,
        input: &[ChatMessage],
        preferred: &[ChatMessage],
        rejected: &[ChatMessage],
    ) -> Result<Preference, Error> {
        let with = |output: &[ChatMessage]| {
            let mut messages = input.to_vec();
            for message in messages.iter_mut().filter(|message| message.role == "assistant") {
                message.weight = Some(0.0);
            }
            messages.extend_from_slice(output);
            self.example(&messages)
        };
        Ok(Preference { preferred: with(preferred)?, rejected: with(rejected)? })
    }
}

/// Pairs to learn from, with what the reference makes of them.
#[derive(Debug)]
pub(crate) struct Preferences {
    pub(crate) pairs: Vec<Preference>,
    pub(crate) options: PreferenceOptions,
    /// Each pair's log-probabilities under the reference, computed when first needed and then kept.
    reference: Vec<Option<[f64; 2]>>,
}

/// The sums of a batch of pairs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PairSums {
    pub(crate) loss: f64,
    pub(crate) pairs: usize,
    preferred: f64,
    rejected: f64,
    right: usize,
}

impl PairSums {
    /// `h` and the sums of one pair, from its log-probabilities and the reference's.
    fn of(beta: f32, [preferred, rejected]: [f64; 2], reference: [f64; 2]) -> (f64, Self) {
        let beta = f64::from(beta);
        let preferred = beta * (preferred - reference[0]);
        let rejected = beta * (rejected - reference[1]);
        let h = preferred - rejected;
        // log(1 + e^-h) without overflow.
        let loss = (-h).max(0.0) + (-h.abs()).exp().ln_1p();
        (h, Self { loss, pairs: 1, preferred, rejected, right: usize::from(h > 0.0) })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            pairs: self.pairs + other.pairs,
            preferred: self.preferred + other.preferred,
            rejected: self.rejected + other.rejected,
            right: self.right + other.right,
        }
    }

    /// The means.
    pub(crate) fn rewards(&self) -> Rewards {
        let pairs = self.pairs.max(1) as f64;
        Rewards {
            preferred: self.preferred / pairs,
            rejected: self.rejected / pairs,
            accuracy: self.right as f64 / pairs,
        }
    }
}

/// What is learnt in one step.
pub(crate) struct Batch<'a> {
    pub(crate) model: &'a Model,
    pub(crate) adapter: &'a Adapter,
    pub(crate) gradients: &'a mut Gradients,
    /// The pairs of the step.
    pub(crate) indices: &'a [usize],
    /// What the masks' keys are made of: seed and step.
    pub(crate) seed: [u64; 2],
}

impl Preferences {
    /// Pairs that the reference has not seen yet.
    pub(crate) fn new(pairs: Vec<Preference>, options: PreferenceOptions) -> Self {
        let reference = vec![None; pairs.len()];
        Self { pairs, options, reference }
    }

    /// The gradients of the batch's mean loss, added, and its sums.
    pub(crate) fn accumulate(
        &mut self,
        batch: Batch<'_>,
        [one, other]: &mut [Workspace; 2],
    ) -> Result<PairSums, Error> {
        let Batch { model, adapter, gradients, indices, seed } = batch;
        let mut sums = PairSums::default();
        let mut prefix = std::mem::take(&mut one.prefix);
        for index in indices {
            let reference = self.reference(model, *index, one)?;
            let pair = &self.pairs[*index];
            // A mask follows the places in the sequence.
            let shared = if adapter.config().dropout > 0.0 { 0 } else { pair.shared() };
            let [preferred, rejected] = pair.after(shared);
            model.begin_prefix(Some(adapter), pair.beginning(shared), (&mut prefix, true), one)?;
            let mask = |side| key(&[seed[0], seed[1], *index as u64, side]);
            let mut step = Step {
                adapter,
                gradients: &mut *gradients,
                scale: 1.0,
                dropout: 0,
                lengths: &[],
                prefix: &mut prefix,
            };
            step.dropout = mask(0);
            let first = model.begin(&step, &preferred, one)?;
            step.dropout = mask(1);
            let second = model.begin(&step, &rejected, other)?;
            let found = [-first.sums.loss, -second.sums.loss];
            let (h, part) = PairSums::of(self.options.beta, found, reference);
            sums = sums.plus(part);
            // The pendings hold gradients of negative log-probabilities.
            let slope = f64::from(self.options.beta) / (1.0 + h.exp()) / indices.len() as f64;
            #[expect(clippy::cast_possible_truncation, reason = "the gradients are f32")]
            let slope = slope as f32;
            model.finish(&mut step, &second, -slope, other);
            step.dropout = mask(0);
            model.finish(&mut step, &first, slope, one);
            model.finish_prefix((adapter, gradients), &mut prefix, one);
        }
        one.prefix = prefix;
        Ok(sums)
    }

    /// Loss and rewards of the pairs at `indices`, without gradients.
    pub(crate) fn evaluate(
        &mut self,
        (model, adapter): (&Model, &Adapter),
        indices: impl Iterator<Item = usize>,
        workspace: &mut Workspace,
    ) -> Result<PairSums, Error> {
        let mut sums = PairSums::default();
        for index in indices {
            let reference = self.reference(model, index, workspace)?;
            let found = self.log_probabilities(model, Some(adapter), index, workspace)?;
            sums = sums.plus(PairSums::of(self.options.beta, found, reference).1);
        }
        Ok(sums)
    }

    /// A pair's log-probabilities under the reference.
    fn reference(
        &mut self,
        model: &Model,
        index: usize,
        workspace: &mut Workspace,
    ) -> Result<[f64; 2], Error> {
        if let Some(known) = self.reference[index] {
            return Ok(known);
        }
        let adapter = self.options.reference.clone();
        let found = self.log_probabilities(model, adapter.as_deref(), index, workspace)?;
        self.reference[index] = Some(found);
        Ok(found)
    }

    fn log_probabilities(
        &self,
        model: &Model,
        adapter: Option<&Adapter>,
        index: usize,
        workspace: &mut Workspace,
    ) -> Result<[f64; 2], Error> {
        let pair = &self.pairs[index];
        let (shared, mut prefix) = (pair.shared(), Prefix::default());
        model.begin_prefix(adapter, pair.beginning(shared), (&mut prefix, false), workspace)?;
        let mut of =
            |example| Ok::<_, Error>(-model.loss((adapter, &prefix), &example, workspace)?.loss);
        let [preferred, rejected] = pair.after(shared);
        Ok([of(preferred)?, of(rejected)?])
    }
}

#[cfg(test)]
mod tests;
