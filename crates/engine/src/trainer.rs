//! Training an adapter: batches, epochs, and the steps of the optimizer.

mod checkpoint;
mod material;

use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::evaluate::{self, Evaluation};
use crate::layers::dropout::key;
use crate::lora::{Adapter, Gradients, LoraConfig};
use crate::model::Model;
use crate::optimizer::{AdamW, clip};
use crate::parallel;
use crate::preference::Rewards;
use crate::schedule::Schedule;
use crate::sequence::Workspace;
pub use checkpoint::CheckpointError;
pub use material::Material;
use material::{Kind, Learnt};

/// How an adapter is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// Times that each example is seen; 3 by default.
    pub epochs: usize,
    /// Examples in one step of the optimizer; 4 by default. Their gradients are accumulated; what all of them begin with
    /// is worked off once.
    pub batch_size: usize,
    /// The rate after the warm-up; 1e-3 by default.
    ///
    /// LoRA's usual 2e-4 is for models of billions of weights: with 135 million, three epochs of some sixty records at
    /// 2e-4 do not even teach the form of an answer, and two at 1e-3 do.
    pub learning_rate: f32,
    /// What is taken off the weights in each step, times the rate; 0 by default.
    pub weight_decay: f32,
    /// The part of all steps in which the rate rises; 0.03 by default.
    pub warmup_fraction: f32,
    /// The rate's course after it; a cosine by default.
    pub schedule: Schedule,
    /// The L2 norm to which greater gradients are scaled down; 1 by default.
    pub max_gradient_norm: f32,
    /// Longer examples are cut; 2,048 by default, which needs about 3 GB with `SmolLM2` of 135 million weights.
    pub max_tokens: usize,
    /// For the adapter's first weights, the order of the examples and the dropout; 42 by default.
    pub seed: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch_size: 4,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            warmup_fraction: 0.03,
            schedule: Schedule::default(),
            max_gradient_norm: 1.0,
            max_tokens: 2048,
            seed: 42,
        }
    }
}

impl TrainOptions {
    fn checked(self) -> Result<Self, Error> {
        let numbers = [
            ("epochs", self.epochs as f64, 1.0..=1e6, "not from 1 to 1000000"),
            ("batch_size", self.batch_size as f64, 1.0..=1e6, "not from 1 to 1000000"),
            ("max_tokens", self.max_tokens as f64, 2.0..=1e9, "not at least 2"),
            ("learning_rate", self.learning_rate.into(), 0.0..=1.0, "not from 0 to 1"),
            ("weight_decay", self.weight_decay.into(), 0.0..=1.0, "not from 0 to 1"),
            ("warmup_fraction", self.warmup_fraction.into(), 0.0..=1.0, "not from 0 to 1"),
            ("max_gradient_norm", self.max_gradient_norm.into(), 1e-6..=1e9, "not above 0"),
        ];
        for (option, value, range, reason) in numbers {
            if !range.contains(&value) {
                return Err(Error::Option { option, value, reason });
            }
        }
        Ok(self)
    }
}

/// What one step of the optimizer did.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{ChatMessage, LoadOptions, LoraConfig, Model, StepReport, TrainOptions, Trainer};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// let examples = vec![model.example(&chat)?; 3];
/// let options = TrainOptions { batch_size: 2, ..TrainOptions::default() };
/// let mut trainer = Trainer::new(model, &LoraConfig::default(), options, examples, vec![])?;
/// let mut reports: Vec<StepReport> = Vec::new();
/// while let Some(report) = trainer.step()? {
///     reports.push(report);
/// }
/// let [first, second] = &reports[..2] else { panic!("three epochs have six steps") };
/// assert_eq!((first.step, first.total_steps, first.epoch), (1, 6, 1));
/// assert!(second.epoch_ended && !first.epoch_ended);
/// assert!(reports[5].loss < first.loss);
/// assert_eq!(first.tokens, 2 * second.tokens, "the last batch has one example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The step, from 1.
    pub step: usize,
    /// The steps of all epochs.
    pub total_steps: usize,
    /// The epoch that the step belongs to, from 1.
    pub epoch: usize,
    /// Whether it was that epoch's last step.
    pub epoch_ended: bool,
    /// The batch's mean loss over tokens that carry loss, by their weights, in nats; before the step. Of preferences the
    /// mean loss of the pairs.
    pub loss: f64,
    /// The share of those tokens that the model would have chosen itself. Of preferences the share of pairs whose
    /// preferred answer has the greater reward.
    pub token_accuracy: f64,
    /// Of preferences, what the model made of the batch's pairs.
    pub rewards: Option<Rewards>,
    /// The learning rate of the step.
    pub learning_rate: f32,
    /// The L2 norm of the gradients before they were clipped.
    pub gradient_norm: f64,
    /// Tokens in the batch, with and without loss.
    pub tokens: usize,
    /// Wall time of the step.
    pub seconds: f64,
}

/// An adapter in training.
///
/// # Examples
///
/// Each epoch has a step for each batch, and a smaller one for what is left:
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{ChatMessage, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// let (train, valid) = (vec![model.example(&chat)?; 5], vec![model.example(&chat)?]);
/// let options = TrainOptions { epochs: 2, batch_size: 4, ..TrainOptions::default() };
/// let mut trainer = Trainer::new(model, &LoraConfig::default(), options, train, valid)?;
/// assert_eq!((trainer.steps_per_epoch(), trainer.total_steps()), (2, 4));
/// let before = trainer.validate()?.loss;
/// while trainer.step()?.is_some() {}
/// assert_eq!(trainer.steps_done(), 4);
/// assert!(trainer.validate()?.loss < before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What one process leaves another goes on with, to the same bits:
///
/// ```
/// # use std::path::Path;
/// # use std::sync::Arc;
/// #
/// # use engine::{ChatMessage, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};
/// #
/// # let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// # let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// # let examples = vec![model.example(&chat)?; 6];
/// # let (options, lora) = (TrainOptions::default(), LoraConfig::default());
/// let begin = || Trainer::new(model.clone(), &lora, options.clone(), examples.clone(), examples.clone());
/// let mut at_once = begin()?;
/// while at_once.step()?.is_some() {}
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("checkpoint");
/// let mut first = begin()?;
/// first.step()?;
/// first.checkpoint(&path)?;
/// drop(first);
/// let mut second = Trainer::resume(&path, model.clone(), options.clone(), examples.clone(), examples.clone())?;
/// assert_eq!(second.steps_done(), 1);
/// while second.step()?.is_some() {}
/// assert_eq!(second.validate()?, at_once.validate()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    model: Arc<Model>,
    options: TrainOptions,
    train: Material,
    valid: Material,
    adapter: Adapter,
    optimizer: AdamW,
    gradients: Gradients,
    /// The second is for the other answer of a pair.
    workspaces: [Workspace; 2],
    /// Steps taken.
    step: usize,
    /// The epoch that `order` is for.
    epoch: usize,
    order: Vec<usize>,
}

impl Trainer {
    /// A fresh adapter to be trained on `train`, measured on `valid` (which may be empty).
    ///
    /// # Errors
    /// [`Error::Option`] for impossible options, [`Error::NoExamples`] where `train` is empty, [`Error::NoLoss`] where
    /// an example has no token with loss within `max_tokens`, [`Error::TooLong`] and [`Error::Token`] where an
    /// example does not fit the model.
    pub fn new(
        model: Arc<Model>,
        lora: &LoraConfig,
        options: TrainOptions,
        train: impl Into<Material>,
        valid: impl Into<Material>,
    ) -> Result<Self, Error> {
        let adapter = Adapter::new(&model, lora, options.seed)?;
        Self::with_adapter(model, adapter, options, train, valid)
    }

    /// Goes on training `adapter` on other examples.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::path::Path;
    /// # use std::sync::Arc;
    /// #
    /// # use engine::{ChatMessage, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};
    /// #
    /// # let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
    /// # let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
    /// # let examples = vec![model.example(&chat)?];
    /// # let (options, lora) = (TrainOptions::default(), LoraConfig::default());
    /// let mut first = Trainer::new(model.clone(), &lora, options.clone(), examples.clone(), vec![])?;
    /// let before = first.step()?.ok_or("three steps")?.loss;
    /// while first.step()?.is_some() {}
    /// let mut further = Trainer::with_adapter(model, first.into_adapter(), options, examples, vec![])?;
    /// assert!(further.step()?.ok_or("three more")?.loss < before, "it begins where the first ended");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn with_adapter(
        model: Arc<Model>,
        adapter: Adapter,
        options: TrainOptions,
        train: impl Into<Material>,
        valid: impl Into<Material>,
    ) -> Result<Self, Error> {
        let options = options.checked()?;
        let train = train.into().prepared(&model, options.max_tokens)?;
        let valid = valid.into().prepared(&model, options.max_tokens)?;
        if train.len() == 0 {
            return Err(Error::NoExamples);
        }
        let optimizer = AdamW::new(&adapter, options.weight_decay);
        let gradients = Gradients::zeros(&adapter);
        let order = order(train.len(), options.seed, 0);
        Ok(Self {
            model,
            options,
            train,
            valid,
            adapter,
            optimizer,
            gradients,
            workspaces: Default::default(),
            step: 0,
            epoch: 0,
            order,
        })
    }

    /// Steps taken.
    pub fn steps_done(&self) -> usize {
        self.step
    }

    /// The steps of all epochs.
    pub fn total_steps(&self) -> usize {
        self.options.epochs * self.steps_per_epoch()
    }

    /// The steps of one epoch: a last, smaller batch is one too.
    pub fn steps_per_epoch(&self) -> usize {
        self.train.len().div_ceil(self.options.batch_size)
    }

    /// The adapter as it is now.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The adapter, when training is over.
    pub fn into_adapter(self) -> Adapter {
        self.adapter
    }

    /// Keeps what training holds at once below `bytes`, the model included, where that can be done.
    ///
    /// Where all that a backward needs would take more, the first blocks are computed again instead, as many as it
    /// takes; the results are the same to the bit, at up to a third more time. It holds for the steps that follow.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::path::Path;
    /// # use std::sync::Arc;
    /// #
    /// # use engine::{ChatMessage, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};
    /// #
    /// # let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
    /// # let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
    /// # let examples = vec![model.example(&chat)?; 6];
    /// # let (options, lora) = (TrainOptions::default(), LoraConfig::default());
    /// let begin = || Trainer::new(model.clone(), &lora, options.clone(), examples.clone(), vec![]);
    /// let (mut free, mut limited) = (begin()?, begin()?);
    /// limited.limit_memory(1 << 20);
    /// while let (Some(one), Some(other)) = (free.step()?, limited.step()?) {
    ///     assert_eq!((one.loss, one.gradient_norm), (other.loss, other.gradient_norm));
    /// }
    /// assert_eq!(limited.steps_done(), limited.total_steps());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit_memory(&mut self, bytes: usize) {
        let sequences = self.train.sequences_at_once();
        let longest = self.train.longest(self.options.batch_size);
        let fixed = self.model.training_bytes(longest)
            // Weights, their packed copies, gradients and both moments.
            + 6 * size_of::<f32>() * self.adapter.parameter_count();
        let limit = bytes.saturating_sub(fixed) / sequences;
        for workspace in &mut self.workspaces {
            workspace.limit = Some(limit);
        }
    }

    /// Takes the next step; none when all are taken.
    ///
    /// # Errors
    /// [`Error::Diverged`] where the loss or the gradients are no longer finite; the adapter is as before the step.
    pub fn step(&mut self) -> Result<Option<StepReport>, Error> {
        if self.step >= self.total_steps() {
            return Ok(None);
        }
        parallel::inside(|| self.take_step()).map(Some)
    }

    fn take_step(&mut self) -> Result<StepReport, Error> {
        let start = Instant::now();
        let (epoch, place) =
            (self.step / self.steps_per_epoch(), self.step % self.steps_per_epoch());
        if epoch != self.epoch {
            self.order = order(self.train.len(), self.options.seed, epoch);
            self.epoch = epoch;
        }
        let first = place * self.options.batch_size;
        let last = self.train.len().min(first + self.options.batch_size);
        let batch = self.order[first..last].to_vec();
        self.gradients.clear();
        let learnt = self.accumulate(&batch)?;
        let gradient_norm = clip(&mut self.gradients, self.options.max_gradient_norm);
        if !(learnt.loss.is_finite() && gradient_norm.is_finite()) {
            return Err(Error::Diverged { step: self.step + 1 });
        }
        let learning_rate = self.learning_rate();
        self.optimizer.step(&mut self.adapter, &self.gradients, learning_rate);
        self.step += 1;
        Ok(StepReport {
            step: self.step,
            total_steps: self.total_steps(),
            epoch: epoch + 1,
            epoch_ended: self.step.is_multiple_of(self.steps_per_epoch()),
            loss: learnt.loss,
            token_accuracy: learnt.accuracy,
            rewards: learnt.rewards,
            learning_rate,
            gradient_norm,
            tokens: batch.iter().map(|index| self.train.tokens(*index)).sum(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// The loss and accuracy on the validation examples, of preferences those of the pairs; of nothing where there are
    /// none.
    ///
    /// # Errors
    /// None that [`Trainer::new`] has not ruled out.
    pub fn validate(&mut self) -> Result<Evaluation, Error> {
        parallel::inside(|| self.evaluate())
    }

    fn evaluate(&mut self) -> Result<Evaluation, Error> {
        let Self { model, adapter, valid, workspaces: [workspace, _], .. } = self;
        let tokens = valid.loss_tokens();
        match &mut valid.0 {
            Kind::Examples(examples) => evaluate::run(model, Some(adapter), examples, workspace),
            Kind::Preferences(preferences) => {
                let all = 0..preferences.pairs.len();
                let sums = preferences.evaluate((model, adapter), all, workspace)?;
                let loss = sums.loss / sums.pairs.max(1) as f64;
                Ok(Evaluation { loss, token_accuracy: sums.rewards().accuracy, tokens })
            }
        }
    }

    /// The gradients of a batch's mean loss.
    fn accumulate(&mut self, batch: &[usize]) -> Result<Learnt, Error> {
        let Self { model, adapter, gradients, train, workspaces, options, step, .. } = self;
        let seed = [options.seed, *step as u64];
        let batch = material::Batch { model, adapter, gradients, indices: batch, seed };
        train.accumulate(batch, workspaces)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share from 0 to 1 of the steps"
    )]
    fn learning_rate(&self) -> f32 {
        let total = self.total_steps();
        let warmup = (f64::from(self.options.warmup_fraction) * total as f64).ceil() as usize;
        self.options.learning_rate * self.options.schedule.factor(self.step, warmup, total)
    }
}

/// The order of the examples in an epoch.
fn order(count: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(key(&[seed, epoch as u64])));
    order
}
