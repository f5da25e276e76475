//! Losses on the validation file, during training.

use std::sync::Arc;

use engine::{Adapter, Evaluation, Example, Model};

/// How often in a job part of the validation file is measured, beside the ends of epochs.
const PARTS_A_JOB: usize = 10;
/// How many examples are measured between two looks at whether the job still runs.
const EXAMPLES_BETWEEN_LOOKS: usize = 8;

/// A mean loss and accuracy over tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) loss: f64,
    pub(crate) token_accuracy: f64,
}

/// The validation examples, and when they are measured.
pub(crate) struct Validation {
    model: Arc<Model>,
    examples: Vec<Example>,
    part: usize,
    every: usize,
}

impl Validation {
    /// Measures parts of `part` examples, [`PARTS_A_JOB`] times in `total_steps`.
    pub(crate) fn new(
        model: Arc<Model>,
        examples: Vec<Example>,
        part: usize,
        total_steps: usize,
    ) -> Self {
        let part = part.min(examples.len());
        Self { model, examples, part, every: total_steps.div_ceil(PARTS_A_JOB).max(1) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Measures the next part, where `step` is one to do so at; which part it is depends on the step alone.
    pub(crate) fn part(
        &self,
        adapter: &Adapter,
        step: usize,
        due: bool,
    ) -> Result<Option<Measured>, engine::Error> {
        if self.is_empty() || !(due || step.is_multiple_of(self.every)) {
            return Ok(None);
        }
        let first = step * self.part % self.examples.len();
        let mut sum = Sum::default();
        let turn = self.examples.iter().cycle().skip(first).take(self.part);
        for example in turn {
            sum.add(self.measure(adapter, std::slice::from_ref(example))?);
        }
        Ok(sum.mean())
    }

    /// Measures all examples; `None` as soon as `go_on` says no.
    pub(crate) fn all(
        &self,
        adapter: &Adapter,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Measured>, engine::Error> {
        let mut sum = Sum::default();
        for chunk in self.examples.chunks(EXAMPLES_BETWEEN_LOOKS) {
            if !go_on() {
                return Ok(None);
            }
            sum.add(self.measure(adapter, chunk)?);
        }
        Ok(sum.mean())
    }

    fn measure(&self, adapter: &Adapter, chunk: &[Example]) -> Result<Evaluation, engine::Error> {
        engine::evaluate(&self.model, Some(adapter), chunk)
    }
}

/// Sums over tokens, so that a mean of parts is the mean of the whole.
#[derive(Debug, Default)]
struct Sum {
    loss: f64,
    right: f64,
    tokens: f64,
}

impl Sum {
    fn add(&mut self, part: Evaluation) {
        let tokens = part.tokens as f64;
        self.loss += part.loss * tokens;
        self.right += part.token_accuracy * tokens;
        self.tokens += tokens;
    }

    fn mean(&self) -> Option<Measured> {
        (self.tokens > 0.0).then(|| Measured {
            loss: self.loss / self.tokens,
            token_accuracy: self.right / self.tokens,
        })
    }
}
