//! A training by the engine in this process, step by step.

use std::path::Path;
use std::time::{Duration, Instant};

use engine::{StepReport, Trainer};
use wire::{JobStatus, Metrics};

use super::begin::Begin;
use super::keep::Keeper;
use super::{Halt, Prepared, change};
use crate::store::jobs;
use crate::story::Chapter;
use crate::tokenised::Sequences;
use crate::validation::{Measured, Setting, Validation};

/// One job's training under way.
pub(super) struct Session<'a> {
    pub(super) keeper: Keeper<'a>,
    pub(super) trainer: Trainer,
    pub(super) saved: Instant,
    validation: Validation,
    /// Whether it learns from pairs of answers, whose accuracy is not that of tokens.
    preferences: bool,
    trained_tokens: u64,
    began: Instant,
    began_at_step: usize,
}

impl<'a> Session<'a> {
    pub(super) fn begin(prepared: Prepared<'a>) -> Result<Self, Halt> {
        let Prepared { keeper, restarted, model, plan, options, preference, train, .. } = prepared;
        let begin =
            Begin { keeper: &keeper, model: &model, options: &options, preference: &preference };
        let (trainer, step) = begin.trainer(&train.sequences)?;
        if restarted || step > 0 {
            change(keeper.state, &keeper.job, &Chapter::Resumed { step, restarted }, |_| {})?;
        }
        let sequences = prepared.valid.map(|valid| valid.sequences);
        let sequences = sequences.unwrap_or_else(|| Sequences::Examples(Vec::new()));
        let setting = Setting { model, sequences, preference };
        let now = Instant::now();
        Ok(Self {
            keeper,
            validation: Validation::new(setting, plan.batch_size, trainer.total_steps()),
            trainer,
            preferences: plan.beta.is_some(),
            trained_tokens: prepared.trained_tokens,
            began: now,
            began_at_step: step,
            saved: now,
        })
    }

    pub(super) fn run(mut self) -> Result<(), Halt> {
        if self.began_at_step == 0 && !self.validation.is_empty() {
            let mut before = Metrics { step: Some(0), ..self.metrics() };
            self.measure_all(&mut before)?;
            self.tell(&Chapter::Before(&before))?;
        }
        loop {
            if self.keeper.state.is_stopping() || self.keeper.job.status == JobStatus::Pausing {
                self.save();
                return Err(Halt::Left);
            }
            let begun = Instant::now();
            let Some(report) = self.trainer.step()? else { break };
            self.keeper.state.metrics.step(report.tokens, report.seconds);
            self.record(&report)?;
            self.keeper.state.queue.wait_until_idle(begun.elapsed());
        }
        self.keeper.finish(self.trained_tokens, &|folder| self.write(folder))
    }

    /// Writes down what a step brought, and at an epoch's end the model as it stands.
    fn record(&mut self, report: &StepReport) -> Result<(), Halt> {
        let mut metrics = Metrics {
            step: Some(report.step as u64),
            train_loss: Some(report.loss),
            ..self.metrics()
        };
        if let Some(rewards) = &report.rewards {
            metrics.train_reward_accuracy = Some(rewards.accuracy);
            metrics.train_reward_margin = Some(rewards.margin());
            metrics.train_reward_preferred = Some(rewards.preferred);
            metrics.train_reward_rejected = Some(rewards.rejected);
        } else {
            metrics.train_mean_token_accuracy = Some(report.token_accuracy);
        }
        let part = self.validation.part(self.trainer.adapter(), report.step, report.epoch_ended)?;
        if let Some(part) = part {
            metrics.valid_loss = Some(part.loss);
            (metrics.valid_mean_token_accuracy, metrics.valid_reward_accuracy) =
                self.accuracy(part);
        }
        if report.epoch_ended && !self.validation.is_empty() {
            self.measure_all(&mut metrics)?;
        }
        let finish = self.estimated_finish(report.step);
        self.keeper.job =
            change(self.keeper.state, &self.keeper.job, &Chapter::Step(&metrics), |job| {
                job.estimated_finish = finish;
            })?;
        if report.epoch_ended {
            self.keeper.checkpoint(report.step, &metrics, &|folder| self.write(folder))?;
        }
        let every = Duration::from_secs(self.keeper.state.limits.checkpoint_seconds);
        if report.epoch_ended || self.saved.elapsed() >= every {
            self.save();
        }
        Ok(())
    }

    fn metrics(&self) -> Metrics {
        Metrics { total_steps: Some(self.trainer.total_steps() as u64), ..Metrics::default() }
    }

    /// Measures the whole validation file, looking out for an end of the job or the server.
    fn measure_all(&mut self, metrics: &mut Metrics) -> Result<(), Halt> {
        let Self { keeper: Keeper { state, job, .. }, trainer, validation, .. } = self;
        let (id, mut halt) = (job.id.as_str(), None);
        let whole = validation.all(trainer.adapter(), &mut || {
            let status = state.store.change(|connection| jobs::status(connection, id));
            halt = match status {
                Err(error) => Some(Halt::Store(error)),
                Ok(Some(JobStatus::Running)) if !state.is_stopping() => None,
                Ok(Some(JobStatus::Running | JobStatus::Pausing)) => Some(Halt::Left),
                Ok(_) => Some(Halt::Cancelled),
            };
            halt.is_none()
        })?;
        match (whole, halt) {
            (Some(whole), _) => {
                metrics.full_valid_loss = Some(whole.loss);
                (metrics.full_valid_mean_token_accuracy, metrics.full_valid_reward_accuracy) =
                    self.accuracy(whole);
                Ok(())
            }
            (None, halt) => Err(halt.unwrap_or(Halt::Left)),
        }
    }

    /// The accuracy of tokens or that of pairs, in the place of the one that it is.
    fn accuracy(&self, measured: Measured) -> (Option<f64>, Option<f64>) {
        let accuracy = Some(measured.accuracy);
        if self.preferences { (None, accuracy) } else { (accuracy, None) }
    }

    fn estimated_finish(&self, step: usize) -> Option<i64> {
        let done = step.checked_sub(self.began_at_step).filter(|done| *done > 0)?;
        let left = self.trainer.total_steps().saturating_sub(step);
        let seconds = self.began.elapsed().as_secs() * left as u64 / done as u64;
        Some(self.keeper.state.clock.now() + i64::try_from(seconds).unwrap_or_default())
    }

    fn tell(&self, chapter: &Chapter<'_>) -> Result<(), Halt> {
        change(self.keeper.state, &self.keeper.job, chapter, |_| {}).map(drop)
    }

    fn write(&self, folder: &Path) -> Result<(), Halt> {
        Ok(self.trainer.adapter().save(folder)?)
    }
}
