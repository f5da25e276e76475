//! Losses on the validation file, during training.

use std::ops::Range;
use std::sync::Arc;

use engine::{
    Adapter, Evaluation, Example, Model, PreferenceEvaluation, PreferenceMeasure, PreferenceOptions,
};

use crate::tokenised::Sequences;

/// How often in a job part of the validation file is measured, beside the ends of epochs.
const PARTS_A_JOB: usize = 10;
/// How many examples are measured between two looks at whether the job still runs.
const EXAMPLES_BETWEEN_LOOKS: usize = 8;

/// A mean loss and accuracy: over tokens, or over pairs of answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) loss: f64,
    /// The share of tokens that the model would have chosen, or of pairs that it has in their order.
    pub(crate) accuracy: f64,
}

/// The validation examples, and when they are measured.
pub(crate) struct Validation {
    measure: Measure,
    part: usize,
    every: usize,
}

enum Measure {
    Examples(Arc<Model>, Vec<Example>),
    Preferences(Box<PreferenceMeasure>),
}

impl Measure {
    fn new(model: Arc<Model>, sequences: Sequences, preference: PreferenceOptions) -> Self {
        match sequences {
            Sequences::Examples(examples) => Self::Examples(model, examples),
            Sequences::Preferences(pairs) => {
                Self::Preferences(Box::new(PreferenceMeasure::new(model, pairs, preference)))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Examples(_, examples) => examples.len(),
            Self::Preferences(pairs) => pairs.len(),
        }
    }

    fn add(
        &mut self,
        adapter: &Adapter,
        range: Range<usize>,
        sum: &mut Sum,
    ) -> Result<(), engine::Error> {
        match self {
            Self::Examples(model, examples) => {
                sum.tokens(engine::evaluate(model, Some(adapter), &examples[range])?);
            }
            Self::Preferences(pairs) => sum.pairs(pairs.measure(adapter, range)?),
        }
        Ok(())
    }
}

/// What is measured, and against what.
pub(crate) struct Setting {
    pub(crate) model: Arc<Model>,
    pub(crate) sequences: Sequences,
    pub(crate) preference: PreferenceOptions,
}

impl Validation {
    /// Measures parts of `part` examples, [`PARTS_A_JOB`] times in `total_steps`.
    pub(crate) fn new(setting: Setting, part: usize, total_steps: usize) -> Self {
        let measure = Measure::new(setting.model, setting.sequences, setting.preference);
        let part = part.min(measure.len());
        Self { measure, part, every: total_steps.div_ceil(PARTS_A_JOB).max(1) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.measure.len() == 0
    }

    /// Measures the next part, where `step` is one to do so at; which part it is depends on the step alone.
    pub(crate) fn part(
        &mut self,
        adapter: &Adapter,
        step: usize,
        due: bool,
    ) -> Result<Option<Measured>, engine::Error> {
        if self.is_empty() || !(due || step.is_multiple_of(self.every)) {
            return Ok(None);
        }
        let count = self.measure.len();
        let mut sum = Sum::default();
        for index in step * self.part..(step + 1) * self.part {
            let index = index % count;
            self.measure.add(adapter, index..index + 1, &mut sum)?;
        }
        Ok(sum.mean())
    }

    /// Measures all examples; `None` as soon as `go_on` says no.
    pub(crate) fn all(
        &mut self,
        adapter: &Adapter,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Measured>, engine::Error> {
        let count = self.measure.len();
        let mut sum = Sum::default();
        for first in (0..count).step_by(EXAMPLES_BETWEEN_LOOKS) {
            if !go_on() {
                return Ok(None);
            }
            let last = count.min(first + EXAMPLES_BETWEEN_LOOKS);
            self.measure.add(adapter, first..last, &mut sum)?;
        }
        Ok(sum.mean())
    }
}

/// Sums over tokens or pairs, so that a mean of parts is the mean of the whole.
#[derive(Debug, Default)]
struct Sum {
    loss: f64,
    right: f64,
    count: f64,
}

impl Sum {
    fn tokens(&mut self, part: Evaluation) {
        self.add([part.loss, part.token_accuracy], part.tokens);
    }

    fn pairs(&mut self, part: PreferenceEvaluation) {
        self.add([part.loss, part.rewards.accuracy], part.pairs);
    }

    fn add(&mut self, [loss, accuracy]: [f64; 2], count: usize) {
        let count = count as f64;
        self.loss += loss * count;
        self.right += accuracy * count;
        self.count += count;
    }

    fn mean(&self) -> Option<Measured> {
        let Self { loss, right, count } = self;
        (*count > 0.0).then(|| Measured { loss: loss / count, accuracy: right / count })
    }
}
