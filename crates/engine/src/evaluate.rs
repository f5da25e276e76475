//! Loss and accuracy of a model with or without an adapter.

use crate::error::Error;
use crate::example::Example;
use crate::layers::head::Sums;
use crate::lora::Adapter;
use crate::model::Model;
use crate::parallel;
use crate::sequence::Workspace;

/// How well a model predicts the tokens that carry loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// The mean loss by the tokens' weights, in nats; 0 where there are no tokens.
    pub loss: f64,
    /// The share of tokens that the model would have chosen itself; 0 where there are none.
    pub token_accuracy: f64,
    /// Tokens that carry loss.
    pub tokens: usize,
}

/// The loss and accuracy of `model` with `adapter` on `examples`.
///
/// # Errors
/// [`Error::TooLong`] and [`Error::Token`] where an example does not fit the model.
pub fn evaluate(
    model: &Model,
    adapter: Option<&Adapter>,
    examples: &[Example],
) -> Result<Evaluation, Error> {
    parallel::inside(|| run(model, adapter, examples, &mut Workspace::default()))
}

/// As [`evaluate`], in memory that is there already.
pub(crate) fn run(
    model: &Model,
    adapter: Option<&Adapter>,
    examples: &[Example],
    workspace: &mut Workspace,
) -> Result<Evaluation, Error> {
    let mut sums = Sums::default();
    for example in examples {
        sums = sums.plus(model.loss(adapter, example, workspace)?);
    }
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    Ok(Evaluation {
        loss: share(sums.loss, sums.weight),
        token_accuracy: share(sums.correct as f64, sums.rows as f64),
        tokens: sums.rows,
    })
}
