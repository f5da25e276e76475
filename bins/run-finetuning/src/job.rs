//! The job, from the files to the model.

use std::path::Path;
use std::time::Instant;

use anyhow::anyhow;
use cli::{Exit, Failure, Terminal};
use ftjob::{
    Client, Error, Finished, JobSpec, Journal as _, LocalFile, Recipe, Step, Update, WHOLE_BYTES,
};
use transport::Progress;
use wire::{FileId, Job};

use crate::config::Target;
use crate::display::Display;
use crate::explain;
use crate::ledger::{self, Ledger, Stage};
use crate::price;
use crate::words::Words;

/// A job under way, with what is known of it so far.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) target: &'a Target,
    pub(crate) runs_dir: &'a Path,
    pub(crate) in_parts: bool,
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) words: Option<&'a Words>,
    pub(crate) display: Display<'a>,
    pub(crate) begun: Instant,
}

impl Run<'_> {
    /// This run's job: the one that an earlier process noted, else one that is asked for now.
    pub(crate) async fn job(
        &mut self,
        recipe: &Recipe,
        files: &[&LocalFile],
        terminal: &mut Terminal<'_>,
    ) -> Result<Job, Failure> {
        match self.earlier(terminal).await? {
            Some(job) => Ok(job),
            None => self.create(recipe, files, terminal).await,
        }
    }

    /// Follows the job to its end.
    pub(crate) async fn follow(
        &mut self,
        job: &Job,
        terminal: &mut Terminal<'_>,
    ) -> Result<(Job, Finished), Failure> {
        let told = self.display.told();
        if !told.is_empty() {
            writeln!(
                terminal.err,
                "{} events were told before; `run-finetuning events {}` shows them",
                told.len(),
                self.ledger.name()
            )?;
        }
        let display = &mut self.display;
        let mut tell = |update: Update<'_>| display.show(update, terminal);
        let followed = self.client.follow_on(&job.id, told, &mut tell).await;
        self.display.end();
        let job = followed.map_err(|error| explain::failure(error, self.words))?;
        let finished = Finished::of(&job);
        let entry = &mut self.ledger.entry;
        entry.status = Some(job.status.to_string());
        entry.model.clone_from(&job.fine_tuned_model);
        entry.trained_tokens = job.trained_tokens;
        entry.seconds = finished.as_ref().ok().and_then(|finished| finished.seconds);
        match finished {
            Ok(finished) => Ok((job, finished)),
            Err(error) => {
                self.ledger.note(Stage::Ended)?;
                Err(explain::failure(error, self.words))
            }
        }
    }

    /// The job that an earlier process noted, if the service still has it.
    async fn earlier(&mut self, terminal: &mut Terminal<'_>) -> Result<Option<Job>, Failure> {
        let Some(id) = self.ledger.entry.job_id.clone() else { return Ok(None) };
        match self.client.job(&id).await {
            Ok(job) => {
                writeln!(terminal.err, "job {id} was begun before ({}): following it", job.status)?;
                self.ledger.note(Stage::Created)?;
                Ok(Some(job))
            }
            Err(Error::Service(error)) if error.status() == Some(404) => {
                let text = format!("the job {id}, which was begun before, is not there any more");
                self.ledger.note(Stage::Refused)?;
                if self.target.is_on_this_machine() {
                    writeln!(terminal.err, "{text}: beginning anew")?;
                    self.ledger.renew();
                    self.ledger.note(Stage::Begun)?;
                    return Ok(None);
                }
                // A new job may cost money, and this run asked for none.
                let failure = Failure::new(Exit::Service, anyhow!(text));
                Err(failure.hint("the same command begins anew, and asks before"))
            }
            Err(error) => Err(explain::failure(error, self.words)),
        }
    }

    async fn create(
        &mut self,
        recipe: &Recipe,
        files: &[&LocalFile],
        terminal: &mut Terminal<'_>,
    ) -> Result<Job, Failure> {
        self.ledger.note(Stage::Begun)?;
        let mut ids = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let id = match self.upload(index, file, terminal).await {
                Ok(id) => id,
                Err(error) => return Err(self.given_up(error)?),
            };
            ids.push(id);
        }
        let mut ids = ids.into_iter();
        let training_file = ids.next().expect("the training file is always the first");
        let spec =
            JobSpec { validation_file: ids.next(), ..JobSpec::new(recipe.clone(), training_file) };
        let key = self.ledger.entry.key.clone();
        let created = match self.client.create_noted(&spec, &key, &mut self.ledger.notes()).await {
            Ok(created) => created,
            Err(error) => return self.not_created(error, terminal).await,
        };
        let id = created.job.id;
        self.ledger.entry.job_id = Some(id.clone());
        self.ledger.entry.status = Some(created.job.status.to_string());
        self.ledger.note(Stage::Created)?;
        let how = if created.adopted { "was begun before: following it" } else { "created" };
        writeln!(terminal.err, "job {id} {how} (run {})", self.ledger.name())?;
        Ok(Job { id, ..created.job })
    }

    /// After a clear refusal no job was made, and the next run begins anew; after anything else the record stays open.
    async fn not_created(
        &mut self,
        error: Error,
        terminal: &mut Terminal<'_>,
    ) -> Result<Job, Failure> {
        let closed = explain::is_closed(&error);
        let failure = self.given_up(error)?;
        let uploaded = self.own_files();
        if !closed || uploaded.is_empty() {
            return Err(failure);
        }
        let question = format!("delete the {} files that were uploaded for it?", uploaded.len());
        if !price::asked(&question, &mut std::io::stdin().lock(), terminal)? {
            let ids: Vec<&str> = uploaded.iter().map(FileId::as_str).collect();
            let name = self.ledger.name();
            let ids = ids.join(", ");
            return Err(failure.hint(format!(
                "{}; the uploaded files ({ids}) are still there: `run-finetuning clean {name}` deletes them",
                explain::WAYS
            )));
        }
        for id in uploaded {
            let deleted = self.client.delete_file(&id).await;
            deleted.map_err(|error| explain::failure(error, self.words))?;
            writeln!(terminal.err, "deleted {id}")?;
            self.ledger.entry.forget_file(&id);
        }
        self.ledger.note(Stage::Refused)?;
        Err(failure)
    }

    /// Notes that the run is over where the service refused clearly, and gives the failure.
    fn given_up(&mut self, error: Error) -> Result<Failure, Failure> {
        let is_clear = error.transport().is_some_and(|error| {
            matches!(error, transport::Error::Refused(_))
                && !error.is_ambiguous()
                && !error.is_transient()
        });
        // A job that was asked for and may be there is not forgotten over a refusal of something else.
        let may_be_there = self.ledger.notes().is_open(Step::Create);
        if (is_clear || matches!(error, Error::FileRefused { .. })) && !may_be_there {
            self.ledger.note(Stage::Refused)?;
        }
        Ok(explain::failure(error, self.words))
    }

    /// The files that were sent for this run, as against those that were there before.
    fn own_files(&self) -> Vec<FileId> {
        let own = self.ledger.entry.files.iter().filter(|file| !file.reused);
        own.filter_map(|file| file.id.clone()).collect()
    }

    /// Sends a file, unless the service still has it from this run or another, and waits until it can be used.
    async fn upload(
        &mut self,
        index: usize,
        file: &LocalFile,
        terminal: &mut Terminal<'_>,
    ) -> Result<FileId, Error> {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let tell =
            |text: String, terminal: &mut Terminal<'_>| drop(writeln!(terminal.err, "{text}"));
        let service = self.ledger.entry.service.clone();
        let known = self.ledger.entry.files[index].id.clone().or_else(|| {
            // A folder that cannot be read was told of when the run was opened.
            ledger::sent(self.runs_dir, &service, &file.sha256).ok().flatten()
        });
        let mine = self.ledger.entry.files[index].id.is_some();
        if let Some(id) = known
            && self.client.still_has(file, &id).await?
        {
            tell(format!("{name} is there already, as {id}"), terminal);
            self.keep_id(index, &id, !mine || self.ledger.entry.files[index].reused)?;
            self.client.wait_for_file(&id).await?;
            return Ok(id);
        }
        tell(format!("uploading {name} ({} bytes)", file.bytes), terminal);
        let bar = cli::bytes_progress(terminal, file.bytes);
        let shown = bar.clone();
        let client =
            self.client.clone().with_progress(Progress::new(move |at| shown.set_position(at)));
        let sent = self.send(&client, file).await;
        bar.finish_and_clear();
        let uploaded = sent?;
        if uploaded.reused {
            tell(format!("{name} was there already, as {}", uploaded.id), terminal);
        }
        self.keep_id(index, &uploaded.id, uploaded.reused)?;
        self.client.wait_for_file(&uploaded.id).await?;
        Ok(uploaded.id)
    }

    async fn send(&mut self, client: &Client, file: &LocalFile) -> Result<ftjob::Uploaded, Error> {
        if !self.in_parts && file.bytes <= WHOLE_BYTES {
            return client.upload_noted(file, &mut self.ledger.notes()).await;
        }
        let uploads = &self.ledger.entry.uploads;
        let done = uploads.iter().find(|upload| upload.sha256 == file.sha256).cloned();
        let ledger = &mut self.ledger;
        let mut keep = |upload: &ftjob::PartialUpload| {
            ledger.entry.uploads.retain(|other| other.sha256 != upload.sha256);
            ledger.entry.uploads.push(upload.clone());
            ledger.note(Stage::Begun).map_err(std::io::Error::other)
        };
        client.upload_in_parts(file, done, &mut keep).await
    }

    fn keep_id(&mut self, index: usize, id: &FileId, reused: bool) -> Result<(), Error> {
        let entry = &mut self.ledger.entry;
        let file = &mut entry.files[index];
        (file.id, file.reused) = (Some(id.clone()), reused);
        entry.uploads.retain(|upload| upload.sha256 != file.sha256);
        self.ledger.note(Stage::Begun).map_err(|error| Error::Record(std::io::Error::other(error)))
    }
}
