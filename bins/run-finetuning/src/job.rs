//! The job, from the files to the model.

use anyhow::anyhow;
use cli::{Exit, Failure, Terminal};
use ftjob::{Client, Error, Finished, JobSpec, LocalFile, Update};
use wire::{FileId, Job};

use crate::config::Config;
use crate::display::Display;
use crate::explain;
use crate::ledger::{Ledger, Stage};

/// A job under way, with what is known of it so far.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) config: &'a Config,
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) uploaded: Vec<FileId>,
    pub(crate) display: Display,
}

impl Run<'_> {
    /// Does every step and gives what the job left.
    pub(crate) async fn finish(
        &mut self,
        files: &[&LocalFile],
        terminal: &mut Terminal<'_>,
    ) -> Result<Finished, Failure> {
        let job = match self.earlier(terminal).await? {
            Some(job) => job,
            None => self.create(files, terminal).await?,
        };
        let display = &mut self.display;
        let mut tell = |update: Update<'_>| display.show(update, terminal);
        let followed = self.client.follow(&job.id, &mut tell).await;
        self.display.end();
        let job = followed.map_err(|error| explain::failure(error, &self.uploaded))?;
        let finished = Finished::of(&job);
        self.ledger.entry.model.clone_from(&job.fine_tuned_model);
        if finished.is_err() {
            self.ledger.note(Stage::Ended)?;
        }
        finished.map_err(|error| explain::failure(error, &self.uploaded))
    }

    /// The job that an earlier process noted, if the service still has it.
    async fn earlier(&mut self, terminal: &mut Terminal<'_>) -> Result<Option<Job>, Failure> {
        let Some(id) = self.ledger.entry.job_id.clone() else { return Ok(None) };
        match self.client.job(&id).await {
            Ok(job) => {
                writeln!(terminal.err, "job {id} was begun before ({}): following it", job.status)?;
                Ok(Some(job))
            }
            Err(Error::Service(error)) if error.status() == Some(404) => {
                self.ledger.forget()?;
                let text = format!("the job {id}, which was begun before, is not there any more");
                if self.client.transport().endpoint().is_loopback() {
                    writeln!(terminal.err, "{text}: beginning anew")?;
                    self.ledger = self.ledger.anew(&self.config.runs_dir)?;
                    return Ok(None);
                }
                // A new job may cost money, and this run asked for none.
                let failure = Failure::new(Exit::Service, anyhow!(text));
                Err(failure.hint("the same command begins anew, and asks before"))
            }
            Err(error) => Err(explain::failure(error, &[])),
        }
    }

    async fn create(
        &mut self,
        files: &[&LocalFile],
        terminal: &mut Terminal<'_>,
    ) -> Result<Job, Failure> {
        for file in files {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            writeln!(terminal.err, "uploading {name} ({} bytes)", file.bytes)?;
            let id = self.client.upload(file).await;
            let id = id.map_err(|error| explain::failure(error, &self.uploaded))?;
            self.client
                .wait_for_file(&id)
                .await
                .map_err(|error| explain::failure(error, &self.uploaded))?;
            self.uploaded.push(id);
        }
        let mut ids = self.uploaded.iter().cloned();
        let training_file = ids.next().expect("the training file is always the first");
        let spec = JobSpec {
            validation_file: ids.next(),
            ..JobSpec::new(self.config.recipe.clone(), training_file)
        };
        self.ledger.note(Stage::Begun)?;
        let created = match self.client.create(&spec, &self.ledger.entry.key).await {
            Ok(created) => created,
            Err(error) => {
                // A clear refusal made no job; after anything else the record must stay.
                if matches!(&error, Error::Create(source) if !source.is_ambiguous()) {
                    self.ledger.forget()?;
                }
                return Err(explain::failure(error, &self.uploaded));
            }
        };
        self.ledger.entry.job_id = Some(created.job.id.clone());
        self.ledger.note(Stage::Created)?;
        let how = if created.adopted { "was begun before: following it" } else { "created" };
        writeln!(terminal.err, "job {} {how}", created.job.id)?;
        Ok(created.job)
    }
}
