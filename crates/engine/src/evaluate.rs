//! Loss and accuracy of a model with or without an adapter.

use crate::error::Error;
use crate::example::Example;
use crate::layers::head::Sums;
use crate::lora::Adapter;
use crate::model::Model;
use crate::parallel;
use crate::sequence::{Prefix, Workspace, shared};

/// How well a model predicts the tokens that carry loss.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{Evaluation, LoadOptions, Model, evaluate};
///
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
/// let nothing = evaluate(&model, None, &[])?;
/// assert_eq!(nothing, Evaluation { loss: 0.0, token_accuracy: 0.0, tokens: 0 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{ChatMessage, LoadOptions, LoraConfig, Model, TrainOptions, Trainer, evaluate};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// let examples = vec![model.example(&chat)?];
/// let before = evaluate(&model, None, &examples)?;
/// let options = TrainOptions { epochs: 10, ..TrainOptions::default() };
/// let (lora, train) = (LoraConfig::default(), examples.clone());
/// let mut trainer = Trainer::new(Arc::clone(&model), &lora, options, train, vec![])?;
/// while trainer.step()?.is_some() {}
/// let after = evaluate(&model, Some(trainer.adapter()), &examples)?;
/// assert!(after.loss < before.loss);
/// assert_eq!(after.tokens, examples[0].loss_tokens());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    let (shared, mut prefix) = (shared(examples.iter()), Prefix::default());
    if let Some(first) = examples.first() {
        model.begin_prefix(adapter, &first.tokens[..shared], (&mut prefix, false), workspace)?;
    }
    for example in examples {
        let rest = example.after(shared);
        sums = sums.plus(model.loss((adapter, &prefix), &rest, workspace)?);
    }
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    Ok(Evaluation {
        loss: share(sums.loss, sums.weight),
        token_accuracy: share(sums.correct as f64, sums.rows as f64),
        tokens: sums.rows,
    })
}
