//! Pairs that an adapter is measured with while it is trained on others.

use std::fmt;
use std::sync::Arc;

use super::{Preference, PreferenceOptions, Preferences, Rewards};
use crate::error::Error;
use crate::lora::Adapter;
use crate::model::Model;
use crate::sequence::Workspace;

/// How an adapter does on pairs of answers.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{Adapter, ChatMessage, LoadOptions, LoraConfig, Model};
/// use engine::{PreferenceEvaluation, PreferenceMeasure, PreferenceOptions};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let asked = [ChatMessage::new("user", "Is it a cold?")];
/// let (good, bad) = ([ChatMessage::new("assistant", "Yes.")], [ChatMessage::new("assistant", "Go away.")]);
/// let pairs = vec![model.preference(&asked, &good, &bad)?];
/// let adapter = Adapter::new(&model, &LoraConfig::default(), 42)?;
/// let mut measure = PreferenceMeasure::new(model, pairs, PreferenceOptions::default());
/// let PreferenceEvaluation { loss, rewards, pairs } = measure.measure(&adapter, [0])?;
/// // An untrained adapter is the base model itself: it prefers neither, and -ln sigmoid(0) is ln 2.
/// assert_eq!((rewards.margin(), pairs), (0.0, 1));
/// assert!((loss - std::f64::consts::LN_2).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreferenceEvaluation {
    /// The mean loss of the pairs, in nats; 0 where there are none.
    pub loss: f64,
    /// What the adapter makes of them.
    pub rewards: Rewards,
    /// How many were measured.
    pub pairs: usize,
}

/// Pairs to measure an adapter with again and again; what the reference makes of each is computed once.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{Adapter, ChatMessage, LoadOptions, LoraConfig, Model, PreferenceMeasure, PreferenceOptions};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let asked = [ChatMessage::new("user", "Is it a cold?")];
/// let (good, bad) = ([ChatMessage::new("assistant", "Yes.")], [ChatMessage::new("assistant", "Go away.")]);
/// let pairs = vec![model.preference(&asked, &good, &bad)?, model.preference(&asked, &bad, &good)?];
/// let adapter = Adapter::new(&model, &LoraConfig::default(), 42)?;
/// let mut measure = PreferenceMeasure::new(model, pairs, PreferenceOptions::default());
/// assert!(measure.len() == 2 && !measure.is_empty());
/// assert_eq!(measure.measure(&adapter, [0])?.pairs, 1);
/// assert_eq!(measure.measure(&adapter, 0..2)?.pairs, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PreferenceMeasure {
    model: Arc<Model>,
    pairs: Preferences,
    workspace: Workspace,
}

impl PreferenceMeasure {
    /// Measures with `pairs` over `model`, against the reference of `options`.
    pub fn new(model: Arc<Model>, pairs: Vec<Preference>, options: PreferenceOptions) -> Self {
        Self { model, pairs: Preferences::new(pairs, options), workspace: Workspace::default() }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.pairs.is_empty()
    }

    /// How `adapter` does on the pairs at `indices`.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::Token`] where a sequence does not fit the model.
    ///
    /// # Panics
    /// Where there is no pair at an index.
    pub fn measure(
        &mut self,
        adapter: &Adapter,
        indices: impl IntoIterator<Item = usize>,
    ) -> Result<PreferenceEvaluation, Error> {
        let over = (&*self.model, adapter);
        let sums = self.pairs.evaluate(over, indices.into_iter(), &mut self.workspace)?;
        let loss = sums.loss / sums.pairs.max(1) as f64;
        Ok(PreferenceEvaluation { loss, rewards: sums.rewards(), pairs: sums.pairs })
    }
}

impl fmt::Debug for PreferenceMeasure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PreferenceMeasure").field("pairs", &self.len()).finish()
    }
}
