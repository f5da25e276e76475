//! A training that can be taken up again: the adapter, the optimizer's state and how far it was.
//!
//! A checkpoint is a folder with the adapter in PEFT's format, `optimizer.safetensors` and `trainer.json`. The order of the
//! examples and the dropout follow from the seed and the step, so no random state is kept.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Material, TrainOptions, Trainer, order};
use crate::error::Error;
use crate::lora::{Adapter, Gradients, Tensors, read_tensors, write, write_tensors};
use crate::model::Model;
use crate::weights::json;

/// Why a checkpoint cannot be taken up.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use engine::{ChatMessage, CheckpointError, Error, LoadOptions, LoraConfig, Model, TrainOptions, Trainer};
///
/// let model = Arc::new(Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?);
/// let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// let (folder, examples, options) = (tempfile::tempdir()?, vec![model.example(&chat)?], TrainOptions::default());
/// let trainer = Trainer::new(Arc::clone(&model), &LoraConfig::default(), options.clone(), examples.clone(), vec![])?;
/// let path = folder.path().join("checkpoint");
/// trainer.checkpoint(&path)?;
/// let other = TrainOptions { learning_rate: 1e-4, ..options };
/// let refused = Trainer::resume(&path, model, other, examples, vec![]).unwrap_err();
/// let Error::Checkpoint { source: CheckpointError::Other(what), .. } = refused else { panic!("{refused}") };
/// assert_eq!(what, "options");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It was written in another version of the format.
    #[error("it has version {0} of the format, only {VERSION} is known")]
    Version(u32),
    /// It was made with other examples or options.
    #[error("it was made with other {0}")]
    Other(&'static str),
    /// The optimizer's tensors do not belong to the adapter.
    #[error("tensor `{0}` of the optimizer is missing or has the wrong length")]
    Tensor(String),
    /// It says that more steps were taken than there are.
    #[error("it stands at step {0}, behind the last")]
    Step(usize),
}

/// The version of `trainer.json` that is written and read.
const VERSION: u32 = 1;
const STATE: &str = "trainer.json";
const OPTIMIZER: &str = "optimizer.safetensors";

#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: u32,
    step: usize,
    options: TrainOptions,
    /// SHA-256 over the tokens and weights of the training sequences, before them the beta of preferences.
    examples: String,
}

impl Trainer {
    /// Writes everything that [`Trainer::resume`] needs into the folder `dir`, replacing an older checkpoint there.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be written; an older checkpoint then still stands.
    pub fn checkpoint(&self, dir: &Path) -> Result<(), Error> {
        let fault = |source| Error::file(dir, source);
        let parent = dir.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(fault)?;
        let fresh =
            tempfile::Builder::new().prefix(".checkpoint").tempdir_in(parent).map_err(fault)?;
        self.adapter.save(fresh.path())?;
        write_tensors(&fresh.path().join(OPTIMIZER), &self.optimizer_tensors())?;
        let state = State {
            version: VERSION,
            step: self.step,
            options: self.options.clone(),
            examples: fingerprint(&self.train),
        };
        let path = fresh.path().join(STATE);
        let text = serde_json::to_vec_pretty(&state)
            .map_err(|source| Error::Json { path: path.clone(), source })?;
        write(&path, &text)?;
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(fault)?;
        }
        fs::rename(fresh.keep(), dir).map_err(fault)
    }

    /// Takes up a training where [`Trainer::checkpoint`] left it, to the same bits.
    ///
    /// `train` and `options` are those of the first start.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Json`] and [`Error::Safetensors`] where the files cannot be read, [`Error::Adapter`] where
    /// the adapter is for another model, [`Error::Checkpoint`] where examples or options are others; else as
    /// [`Trainer::new`].
    pub fn resume(
        dir: &Path,
        model: Arc<Model>,
        options: TrainOptions,
        train: impl Into<Material>,
        valid: impl Into<Material>,
    ) -> Result<Self, Error> {
        let fault = |source| Error::Checkpoint { path: dir.to_owned(), source };
        let state: State = json(&dir.join(STATE))?;
        if state.version != VERSION {
            return Err(fault(CheckpointError::Version(state.version)));
        }
        if state.options != options {
            return Err(fault(CheckpointError::Other("options")));
        }
        let adapter = Adapter::load(dir, &model)?;
        let mut trainer = Self::with_adapter(model, adapter, options, train, valid)?;
        if state.examples != fingerprint(&trainer.train) {
            return Err(fault(CheckpointError::Other("examples")));
        }
        if state.step > trainer.total_steps() {
            return Err(fault(CheckpointError::Step(state.step)));
        }
        let mut tensors = read_tensors(&dir.join(OPTIMIZER))?;
        fill(&mut trainer.optimizer.first, "first", &mut tensors).map_err(fault)?;
        fill(&mut trainer.optimizer.second, "second", &mut tensors).map_err(fault)?;
        trainer.optimizer.steps =
            i32::try_from(state.step).map_err(|_| fault(CheckpointError::Step(state.step)))?;
        trainer.step = state.step;
        trainer.epoch = state.step / trainer.steps_per_epoch();
        trainer.order = order(trainer.train.len(), trainer.options.seed, trainer.epoch);
        Ok(trainer)
    }

    fn optimizer_tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let moments = [("first", &self.optimizer.first), ("second", &self.optimizer.second)];
        let mut tensors = Vec::new();
        for (moment, gradients) in moments {
            for (index, pair) in gradients.pairs().enumerate() {
                for (factor, numbers) in [("a", &pair.a), ("b", &pair.b)] {
                    let name = tensor_name(moment, index, factor);
                    tensors.push((name, vec![numbers.len()], numbers.clone()));
                }
            }
        }
        tensors
    }
}

fn tensor_name(moment: &str, index: usize, factor: &str) -> String {
    format!("{moment}.{index}.{factor}")
}

fn fill(
    gradients: &mut Gradients,
    moment: &str,
    tensors: &mut Tensors,
) -> Result<(), CheckpointError> {
    for (index, pair) in gradients.pairs_mut().enumerate() {
        for (factor, numbers) in [("a", &mut pair.a), ("b", &mut pair.b)] {
            let name = tensor_name(moment, index, factor);
            match tensors.remove(&name) {
                Some((_, saved)) if saved.len() == numbers.len() => *numbers = saved,
                _ => return Err(CheckpointError::Tensor(name)),
            }
        }
    }
    Ok(())
}

/// What tells one set of examples from another.
fn fingerprint(material: &Material) -> String {
    let mut hash = Sha256::new();
    if let Some(beta) = material.beta() {
        hash.update(beta.to_le_bytes());
    }
    for example in material.sequences() {
        hash.update((example.tokens.len() as u64).to_le_bytes());
        for (token, weight) in example.tokens.iter().zip(&example.weights) {
            hash.update(token.to_le_bytes());
            hash.update(weight.to_le_bytes());
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
