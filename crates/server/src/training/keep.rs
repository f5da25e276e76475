//! What a training leaves on disk and in the database: checkpoints, states to go on from, the model and its results.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use engine::{Adapter, Model};
use tempfile::TempDir;
use wire::{Checkpoint, FileId, FileObject, Job, JobStatus, Metrics, Purpose};

use super::session::Session;
use super::{Halt, load_error};
use crate::blob::Incoming;
use crate::error::with_causes;
use crate::folder::Folder;
use crate::origin::Origin;
use crate::state::State;
use crate::store::files::StoredFile;
use crate::store::models::TunedModel;
use crate::store::{checkpoints, files, jobs, models};
use crate::story::{self, Chapter};
use crate::{id, results};

/// Writes an adapter into a folder, in PEFT's format.
type Write<'a> = &'a dyn Fn(&Path) -> Result<(), Halt>;

/// What a training makes is kept by this, whoever trains.
pub(super) struct Keeper<'a> {
    pub(super) state: &'a State,
    pub(super) job: Job,
    pub(super) origin: Origin,
    /// The name that the model gets.
    pub(super) model_id: String,
}

impl Keeper<'_> {
    /// The adapter that the job starts from, where it starts from a tuned model.
    pub(super) fn first_adapter(&self, model: &Arc<Model>) -> Result<Option<Arc<Adapter>>, Halt> {
        let Some(tuned) = &self.origin.tuned else { return Ok(None) };
        let adapter = self.state.shelf.adapter(tuned, &self.state.folder.adapters(), model);
        adapter.map(Some).map_err(|error| load_error(&error))
    }

    /// Keeps what `write` writes as the adapter `name` of the job, whole or not at all.
    fn keep_adapter(&self, name: &str, write: Write<'_>) -> Result<String, Halt> {
        let folder = format!("{}/{name}", self.job.id);
        let aside = self.aside()?;
        let made = aside.path().join("adapter");
        std::fs::create_dir(&made)?;
        write(&made)?;
        Folder::replace(&made, &self.state.folder.adapters().join(&folder))?;
        Ok(folder)
    }

    /// A folder to write into, which goes with what is in it unless it is moved to its place.
    fn aside(&self) -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix("training-").tempdir_in(self.state.folder.temporary())
    }

    fn tuned(&self, id: String, folder: String) -> TunedModel {
        let base = self.state.shelf.base(&self.origin.base);
        TunedModel {
            id,
            created: self.state.clock.now(),
            base: self.origin.base.clone(),
            base_sha256: base.map(|base| base.sha256.clone()).unwrap_or_default(),
            job_id: Some(self.job.id.to_string()),
            folder,
        }
    }

    /// Keeps the model as it stands after `step`, to be listed and asked.
    pub(super) fn checkpoint(
        &self,
        step: usize,
        metrics: &Metrics,
        write: Write<'_>,
    ) -> Result<(), Halt> {
        let folder = self.keep_adapter(&format!("step-{step}"), write)?;
        let now = self.state.clock.now();
        let model = self.tuned(id::checkpoint_model(&self.model_id, step), folder);
        let checkpoint = Checkpoint {
            metrics: Metrics { total_steps: None, ..metrics.clone() },
            ..Checkpoint::new(
                id::random("ftckpt_"),
                self.job.id.clone(),
                model.id.as_str(),
                step as u64,
                now,
            )
        };
        let told = Chapter::Checkpoint { step, model: &model.id };
        self.state.store.change(|connection| {
            models::insert(connection, &model)?;
            checkpoints::insert(connection, self.job.id.as_str(), &checkpoint)?;
            story::tell(connection, &self.job, now, &told)
        })?;
        Ok(())
    }

    /// Saves the model and the results, and ends the job.
    pub(super) fn finish(&self, trained_tokens: u64, write: Write<'_>) -> Result<(), Halt> {
        let Self { state, job, .. } = self;
        let model = self.tuned(self.model_id.clone(), self.keep_adapter("final", write)?);
        let table = state.store.change(|connection| results::file(connection, job))?;
        let mut incoming = Incoming::new(&state.folder)?;
        incoming.write(table.as_bytes())?;
        let content = incoming.finish()?;
        let id: FileId = id::random("file-").parse().map_err(std::io::Error::other)?;
        let now = state.clock.now();
        let purpose = Purpose::FineTuneResults;
        let object = FileObject::new(id.clone(), "step_metrics.csv", purpose, content.bytes, now);
        let file = StoredFile { object, sha256: content.sha256.clone() };
        let succeeded = state.store.change(|connection| {
            let changed = jobs::change(connection, job.id.as_str(), |job| {
                job.status = JobStatus::Succeeded;
                job.fine_tuned_model = Some(model.id.clone());
                job.finished_at = Some(now);
                job.estimated_finish = None;
                job.result_files = vec![id];
                job.trained_tokens = Some(trained_tokens);
            })?;
            let Some(job) = changed else { return Ok(false) };
            content.keep(&state.folder)?;
            files::insert(connection, &file)?;
            models::insert(connection, &model)?;
            story::tell(connection, &job, now, &Chapter::NewModel { model: &model.id })?;
            story::tell(connection, &job, now, &Chapter::Succeeded)?;
            Ok(true)
        })?;
        if succeeded { Ok(()) } else { Err(Halt::Cancelled) }
    }
}

impl Session<'_> {
    /// Leaves a training state to go on from, in place of the one before.
    ///
    /// Where that cannot be done the older one stays, and so does the training: it is the same from either.
    pub(super) fn save(&mut self) {
        self.saved = Instant::now();
        if let Err(error) = self.try_save() {
            let error = with_causes(&*error);
            tracing::error!(job = %self.keeper.job.id, error, "no training state was left");
        }
    }

    fn try_save(&self) -> Result<(), Box<dyn std::error::Error>> {
        let aside = self.keeper.aside()?;
        let made = aside.path().join("state");
        self.trainer.checkpoint(&made)?;
        let states = self.keeper.state.folder.training().join(self.keeper.job.id.as_str());
        let old = saved_states(&states);
        let next = old.first().map_or(1, |(number, _)| number + 1);
        Folder::replace(&made, &states.join(next.to_string()))?;
        for (_, path) in old {
            // One that stays is older than the new one, and is passed over.
            let _ = std::fs::remove_dir_all(path);
        }
        Ok(())
    }
}

/// The training states in `folder`, the newest first.
pub(super) fn saved_states(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut states: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    states.sort_by(|a, b| b.cmp(a));
    states
}
