//! What this project's own client does at a server of the dialect: every call it has, so that each request is one that the
//! server takes and each answer one that the client reads.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ftjob::{Client, Finished, JobSpec, LocalFile, Method, Recipe, RunKey, Timing, Update};
use transport::{Endpoint, Key, Misread, Provider, Retry, Settings};
use wire::{ChatMessage, ChatRequest, FileId, JobId, JobStatus};

use crate::conformance::{Fault, Outcome, Target, rows};

/// No content that the cases upload is longer.
const LIMIT: u64 = 1 << 20;
/// Between two looks at a job.
const PAUSE: Duration = Duration::from_millis(50);

/// What is asked of the server beside its requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It does what it is asked to: what was sent is there, and jobs come to their ends.
    Deeds,
    /// It only judges requests and makes answers up, as a mock does, so that an answer may be about something else.
    Words,
}

struct Half {
    client: Client,
    expect: Expect,
    model: String,
    folder: tempfile::TempDir,
}

/// Runs every call of the client at `target`, those that make jobs only with `with_jobs`, and hands each outcome to `tell`.
///
/// # Errors
///
/// A [`Fault`] where no client can be made for the target, or no model is named that it could ask for.
pub async fn run(
    target: &Target,
    (with_jobs, expect): (bool, Expect),
    tell: &mut dyn FnMut(&Outcome),
) -> Result<Vec<Outcome>, Fault> {
    let half = Half::new(target, expect)?;
    let mut all = Vec::new();
    let mut judge = |case: &'static str, worked: Result<(), Fault>| {
        let outcome = Outcome { case, fault: worked.err() };
        tell(&outcome);
        all.push(outcome);
    };
    judge("the model is looked up", half.model().await);
    judge("a file is sent once, fetched and deleted", half.file().await);
    judge("a file in parts is the same file", half.parts().await);
    judge("an answer comes whole and as a stream", half.chat().await);
    if with_jobs {
        judge("one key makes one job, which pauses, resumes and is cancelled", half.job().await);
        judge("a job is followed to its model, each event once", half.followed().await);
    }
    Ok(all)
}

impl Half {
    fn new(target: &Target, expect: Expect) -> Result<Self, Fault> {
        let key = Key::new(&target.key)?;
        let endpoint = Endpoint::new(Provider::OpenAi, &target.base_url, Some(key))?;
        let settings = Settings { retry: Retry::never(), ..Settings::default() };
        let second = Duration::from_secs(1);
        let timing =
            Timing { poll: PAUSE, longest_poll: second, file_poll: PAUSE, ..Timing::default() };
        let client = Client::new(transport::Client::new(endpoint, settings)?, timing);
        let model = target.model.clone().context("no model is named to train and ask")?;
        Ok(Self { client, expect, model, folder: tempfile::tempdir()? })
    }

    /// The answer, or `None` where a mock's is about something else.
    fn told<T>(&self, answer: Result<T, ftjob::Error>) -> Result<Option<T>, Fault> {
        let is_stranger = |error: &ftjob::Error| {
            let answer = error.transport();
            matches!(answer, Some(transport::Error::Answer { source: Misread::Stranger, .. }))
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if self.expect == Expect::Words && is_stranger(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn does(&self) -> bool {
        self.expect == Expect::Deeds
    }

    /// A file of `count` rows that no other file is equal to.
    async fn local(&self, name: &str, count: usize) -> Result<LocalFile, Fault> {
        let path: PathBuf = self.folder.path().join(format!("{name}.jsonl"));
        let one = format!("{name} {}", self.folder.path().display());
        std::fs::write(&path, rows(count).replacen("one short sentence", &one, 1))?;
        Ok(LocalFile::read(&path).await?)
    }

    async fn uploaded(&self, name: &str, count: usize) -> Result<FileId, Fault> {
        let id = self.client.upload(&self.local(name, count).await?).await?;
        self.told(self.client.wait_for_file(&id).await)?;
        Ok(id)
    }

    async fn model(&self) -> Result<(), Fault> {
        let model = self.client.model(&self.model).await?;
        ensure!(!self.does() || model.id == self.model, "{}", model.id);
        Ok(())
    }

    async fn file(&self) -> Result<(), Fault> {
        let local = self.local("whole", 12).await?;
        let id = self.uploaded("whole", 12).await?;
        let there = self.told(self.client.still_has(&local, &id).await)?;
        let content = self.client.content(&id, LIMIT).await?;
        if self.does() {
            ensure!(there == Some(true), "the file that was sent is not there");
            ensure!(content == std::fs::read(&local.path)?, "the content came back another");
            let again = self.client.upload(&local).await?;
            ensure!(again == id, "the same content was taken twice, as {id} and {again}");
        }
        self.client.delete_file(&id).await?;
        let gone = self.told(self.client.file(&id).await)?;
        ensure!(!self.does() || gone == Some(None), "the deleted file is still there");
        Ok(())
    }

    async fn parts(&self) -> Result<(), Fault> {
        let local = self.local("parts", 12).await?;
        let client = self.client.clone().with_part_bytes(local.bytes.div_ceil(3));
        let mut kept = 0;
        let mut keep = |_: &ftjob::PartialUpload| {
            kept += 1;
            Ok(())
        };
        let sent = client.upload_in_parts(&local, None, &mut keep).await;
        ensure!(kept == 4, "three parts were noted {kept} times");
        let Some(sent) = self.told(sent)? else { return Ok(()) };
        if self.does() {
            let content = client.content(&sent.id, LIMIT).await?;
            ensure!(content == std::fs::read(&local.path)?, "the parts became another content");
        }
        client.delete_file(&sent.id).await?;
        Ok(())
    }

    async fn chat(&self) -> Result<(), Fault> {
        let question = ChatMessage::new(wire::Role::User, "What is the number behind 3?");
        let mut request = ChatRequest::new(self.model.clone(), vec![question]);
        (request.temperature, request.max_completion_tokens) = (Some(0.0), Some(4));
        let whole = self.client.transport().chat(&request).await?;
        let whole = whole.choices.first().context("an answer without choices")?.message.text();
        let stream = self.client.transport().chat_stream(&request).await;
        // A mock makes up no events.
        if self.expect == Expect::Words {
            return match stream {
                Ok(_) | Err(transport::Error::Answer { source: Misread::NoStream, .. }) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        let mut stream = stream?;
        let mut pieces = String::new();
        while let Some(chunk) = stream.next().await? {
            let piece = chunk.choices.first().and_then(|choice| choice.delta.content.as_deref());
            pieces.push_str(piece.unwrap_or_default());
        }
        ensure!(whole == pieces, "the stream says something else than the whole answer");
        Ok(())
    }

    fn spec(&self, training_file: &FileId, recipe: Recipe) -> JobSpec {
        let recipe = Recipe { model: self.model.clone(), seed: Some(7), ..recipe };
        JobSpec::new(recipe, training_file.clone())
    }

    async fn job(&self) -> Result<(), Fault> {
        let file = self.uploaded("job", 60).await?;
        let recipe = Recipe { epochs: Some(50), batch_size: Some(1), ..Recipe::default() };
        let spec = self.spec(&file, recipe);
        let key = RunKey::new("conformance");
        let created = self.client.create(&spec, &key).await?;
        let id = created.job.id;
        ensure!(!created.adopted, "the job {id} was there before it was asked for");
        let again = self.client.create(&spec, &key).await?;
        ensure!(!self.does() || (again.adopted && again.job.id == id), "a second job was made");
        self.until(&id, &JobStatus::Running).await?;
        self.told(self.client.pause(&id).await)?;
        self.until(&id, &JobStatus::Paused).await?;
        self.told(self.client.resume(&id).await)?;
        self.until(&id, &JobStatus::Running).await?;
        self.told(self.client.cancel(&id).await)?;
        self.until(&id, &JobStatus::Cancelled).await?;
        self.client.delete_file(&file).await?;
        Ok(())
    }

    /// Waits until the job stands so; a mock's jobs stand anyhow.
    async fn until(&self, id: &JobId, wanted: &JobStatus) -> Result<(), Fault> {
        loop {
            let job = self.told(self.client.job(id).await)?;
            match job.map(|job| job.status) {
                Some(status) if self.does() && status != *wanted => {
                    ensure!(!status.is_terminal(), "the job ended as {status} before {wanted}");
                }
                _ => return Ok(()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn followed(&self) -> Result<(), Fault> {
        let file = self.uploaded("train", 12).await?;
        let recipe = Recipe {
            suffix: Some("conform".to_owned()),
            epochs: Some(2),
            batch_size: Some(4),
            learning_rate_multiplier: Some(0.5),
            ..Recipe::default()
        };
        let mut spec = self.spec(&file, recipe);
        spec.validation_file = Some(self.uploaded("valid", 14).await?);
        let id = self.client.create(&spec, &RunKey::new("followed")).await?.job.id;
        if !self.does() {
            return self.asked(&id, &spec).await;
        }
        let mut told = Vec::new();
        let mut tell = |update: Update<'_>| {
            if let Update::Event(event) = update {
                told.push(event.id.clone());
            }
        };
        let finished = Finished::of(&self.client.follow(&id, &mut tell).await?)?;
        let events: Vec<String> =
            self.client.events(&id).await?.into_iter().map(|event| event.id).collect();
        ensure!(told == events && !told.is_empty(), "{} of {}", told.len(), events.len());
        let checkpoints = self.client.checkpoints(&id).await?;
        ensure!(!checkpoints.is_empty(), "two epochs leave no checkpoint");
        let results = finished.result_files.first().context("no results file")?;
        ensure!(!self.client.content(results, LIMIT).await?.is_empty(), "the results are empty");
        let model = self.client.model(&finished.model).await?;
        ensure!(model.id == finished.model, "{}", model.id);
        for file in [Some(spec.training_file), spec.validation_file].into_iter().flatten() {
            self.client.delete_file(&file).await?;
        }
        Ok(())
    }

    /// What is asked about a job, of a mock, whose jobs have no end; and for a job that learns from pairs.
    async fn asked(&self, id: &JobId, spec: &JobSpec) -> Result<(), Fault> {
        self.client.events(id).await?;
        self.client.checkpoints(id).await?;
        let method = Method::Preferences { beta: Some(0.2) };
        let recipe = Recipe { method, ..spec.recipe.clone() };
        let pairs = JobSpec { recipe, ..spec.clone() };
        let created = self.client.create(&pairs, &RunKey::new("pairs")).await?;
        if created.adopted {
            bail!("a mock's job was taken for one of pairs");
        }
        Ok(())
    }
}
