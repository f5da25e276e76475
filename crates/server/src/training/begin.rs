//! How a training begins: where its last state left it, or anew.

use std::sync::Arc;

use engine::{LoraConfig, Material, Model, PreferenceOptions, TrainOptions, Trainer};

use super::Halt;
use super::keep::{self, Keeper};
use crate::tokenised::Sequences;

/// What a training begins with.
pub(super) struct Begin<'a> {
    pub(super) keeper: &'a Keeper<'a>,
    pub(super) model: &'a Arc<Model>,
    pub(super) options: &'a TrainOptions,
    pub(super) preference: &'a PreferenceOptions,
}

impl Begin<'_> {
    /// The trainer as the last training state left it, or at its beginning; and the steps it has done.
    pub(super) fn trainer(&self, train: &Sequences) -> Result<(Trainer, usize), Halt> {
        let Keeper { state, job, .. } = self.keeper;
        let states = keep::saved_states(&state.folder.training().join(job.id.as_str()));
        if let Some((_, folder)) = states.first() {
            let (model, options) = (Arc::clone(self.model), self.options.clone());
            match Trainer::resume(folder, model, options, self.material(train), Vec::new()) {
                Ok(trainer) => {
                    let step = trainer.steps_done();
                    return Ok((trainer, step));
                }
                // As after a new release with other defaults: better from the beginning than not at all.
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, "a training state is of no use");
                }
            }
        }
        Ok((self.fresh(train)?, 0))
    }

    fn fresh(&self, train: &Sequences) -> Result<Trainer, Halt> {
        let (model, options) = (Arc::clone(self.model), self.options.clone());
        let train = self.material(train);
        Ok(match self.keeper.first_adapter(self.model)? {
            None => Trainer::new(model, &LoraConfig::default(), options, train, Vec::new())?,
            Some(first) => {
                Trainer::with_adapter(model, (*first).clone(), options, train, Vec::new())?
            }
        })
    }

    fn material(&self, train: &Sequences) -> Material {
        match train {
            Sequences::Examples(examples) => examples.clone().into(),
            Sequences::Preferences(pairs) => {
                Material::preferences(pairs.clone(), self.preference.clone())
            }
        }
    }
}
