//! Many questions as batches, which a service answers within a day at its own pace.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use transport::{Refusal, Repeat, Route, Upload};
use wire::{
    Batch, BatchLine, BatchRequest, ChatCompletion, CreateBatch, ErrorBody, FileId, FileObject,
    Page, Purpose,
};

use crate::answer::Answer;
use crate::answers::{AnswerFile, AnswerFileError};
use crate::assistant::Assistant;
use crate::error::Error;
use crate::many::Tally;
use crate::question::Question;

mod journal;

use journal::Journal;

const ENDPOINT: &str = "/v1/chat/completions";
/// The name of the pair of a batch's metadata that says which run it is of.
const RUN: &str = "medtune_run";
/// Answers of this many bytes are read into memory at once.
const OUTPUT_LIMIT: u64 = 2 << 30;
/// How many pages of batches are looked through for one that was perhaps made.
const MOST_PAGES: usize = 20;

/// How questions are put into batches.
///
/// # Examples
///
/// ```
/// use inference::BatchOptions;
///
/// let options = BatchOptions::new("answers.jsonl.batch.json");
/// assert_eq!(options.most_requests, 50_000);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchOptions {
    /// The file that says which batch is under way, so that a later run finds it.
    pub journal: PathBuf,
    /// The most requests of one batch.
    pub most_requests: usize,
    /// The most bytes of one batch.
    pub most_bytes: usize,
    /// The first pause between two looks; they grow to the last.
    pub first_pause: Duration,
    /// The longest pause between two looks.
    pub longest_pause: Duration,
}

impl BatchOptions {
    /// `OpenAI`'s limits, 50,000 requests and 200 MB, and looks every few seconds at first, every minute later.
    pub fn new(journal: impl Into<PathBuf>) -> Self {
        Self {
            journal: journal.into(),
            most_requests: 50_000,
            most_bytes: 190_000_000,
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// Why a batch did not bring answers.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned_batches.rs"));
/// use inference::{AnswerFile, Assistant, BatchError, BatchOptions, Question};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned_batches("").await?;
/// let folder = tempfile::tempdir()?;
/// let options = BatchOptions::new(folder.path().join("batch.json"));
/// let other = r#"{"version": 1, "service": "https://api.openai.com/v1", "run": "r1", "batch_id": "batch_1"}"#;
/// std::fs::write(&options.journal, other)?;
/// let (assistant, questions) = (Assistant::new(client, "ft:tiny"), [Question::new("Is a fever common?")]);
/// let mut answers = AnswerFile::open(&folder.path().join("answers.jsonl"), &assistant, &questions)?;
/// let asked = assistant.ask_by_batch(&questions, &mut answers, &options, &mut |_| {}).await;
/// assert!(matches!(asked, Err(BatchError::Elsewhere { .. })), "that batch was paid for: it is not forgotten");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The service refused or did not answer; what it has begun goes on there.
    #[error("the batch")]
    Service(#[from] transport::Error),
    /// The service ended the batch without a line about any question.
    #[error("the batch {id} is {status} without an answer{}", if reason.is_empty() { "" } else { ": " }.to_owned() + reason)]
    Empty {
        /// The batch.
        id: String,
        /// How it ended.
        status: String,
        /// What the service says.
        reason: String,
    },
    /// The batch that is under way answers other questions, or was asked differently.
    #[error("{}: the batch that is under way, {id}, is of other questions or was asked differently", path.display())]
    Other {
        /// The file that says which batch is under way.
        path: PathBuf,
        /// The batch.
        id: String,
    },
    /// The file of answers cannot be written.
    #[error(transparent)]
    Answers(#[from] AnswerFileError),
    /// The file that says which batch is under way cannot be used.
    #[error("{}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The batch that is under way is at another service.
    #[error("{}: the batch that is under way is at {service}", path.display())]
    Elsewhere {
        /// The file.
        path: PathBuf,
        /// The address of the service.
        service: String,
    },
}

impl Assistant {
    /// Asks `questions` that `answers` does not hold yet by batches, and writes what comes of them there.
    ///
    /// `watch` is told how far each batch is. The journal is on disk before anything is made at the service, so that a run
    /// that stops at any point is gone on with by the next: no batch is made twice. A question that a batch fails to
    /// answer is written with its reason and asked again by the next run, not by this one.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned_batches.rs"));
    /// use inference::{AnswerFile, Assistant, BatchOptions, Question};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned_batches("Yes, in children.").await?;
    /// let folder = tempfile::tempdir()?;
    /// let assistant = Assistant::new(client, "ft:tiny");
    /// let questions = vec![Question::new("Is a fever common?")];
    /// let mut answers = AnswerFile::open(&folder.path().join("answers.jsonl"), &assistant, &questions)?;
    /// let options = BatchOptions::new(folder.path().join("answers.jsonl.batch.json"));
    /// let mut watch = |batch: &wire::Batch| println!("{} is {}", batch.id, batch.status);
    /// let tally = assistant.ask_by_batch(&questions, &mut answers, &options, &mut watch).await?;
    /// assert_eq!((tally.answered, tally.failed), (1, 0));
    /// assert!(answers.missing().is_empty());
    /// assert!(!options.journal.exists(), "nothing is under way any more");
    /// answers.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`BatchError`].
    pub async fn ask_by_batch(
        &self,
        questions: &[Question],
        answers: &mut AnswerFile,
        options: &BatchOptions,
        watch: &mut dyn FnMut(&Batch),
    ) -> Result<Tally, BatchError> {
        let mut tally = Tally::default();
        let mut told = HashSet::new();
        loop {
            let missing: Vec<usize> =
                answers.missing().into_iter().filter(|index| !told.contains(index)).collect();
            let service = self.client.endpoint().base_url();
            let mut journal = Journal::open(&options.journal, service)?;
            if missing.is_empty() && !journal.is_begun() {
                return Ok(tally);
            }
            let asking = Asking { assistant: self, questions, options };
            let batch = asking.batch(&mut journal, &missing, answers.keys()).await?;
            let batch = asking.wait(batch, watch).await?;
            let lines = asking.lines(&batch).await?;
            let (before, is_empty) = (told.len(), lines.is_empty());
            asking.write(lines, answers, (&mut tally, &mut told))?;
            if told.len() == before && !is_empty {
                let path = options.journal.clone();
                return Err(BatchError::Other { path, id: batch.id.to_string() });
            }
            answers.sync()?;
            journal.end()?;
            if is_empty {
                return Err(empty(&batch));
            }
        }
    }
}

fn empty(batch: &Batch) -> BatchError {
    let reasons = batch.errors.iter().flat_map(|errors| &errors.data);
    let reasons: Vec<_> = reasons.map(|error| error.message.as_str()).take(3).collect();
    BatchError::Empty {
        id: batch.id.to_string(),
        status: batch.status.to_string(),
        reason: reasons.join("; "),
    }
}

/// The questions of one call.
#[derive(Clone, Copy)]
struct Asking<'a> {
    assistant: &'a Assistant,
    questions: &'a [Question],
    options: &'a BatchOptions,
}

impl Asking<'_> {
    /// The batch that is under way, or a new one of what is missing.
    async fn batch(
        self,
        journal: &mut Journal,
        missing: &[usize],
        keys: &[String],
    ) -> Result<Batch, BatchError> {
        if let Some(id) = &journal.entry.batch_id {
            return Ok(self
                .assistant
                .client
                .get(&Route::new(["batches", id.as_str()]).map_err(transport::Error::from)?)
                .await?);
        }
        let is_resumed = journal.entry.input_file_id.is_some();
        let file = if let Some(file) = journal.entry.input_file_id.clone() {
            file
        } else {
            journal.note()?;
            let file = self.upload(missing, keys).await?;
            journal.entry.input_file_id = Some(file.clone());
            journal.note()?;
            file
        };
        let batch = match if is_resumed { self.find(&file).await? } else { None } {
            Some(batch) => batch,
            None => self.create(&file, &journal.entry.run).await?,
        };
        journal.entry.batch_id = Some(batch.id.clone());
        journal.note()?;
        Ok(batch)
    }

    async fn upload(self, missing: &[usize], keys: &[String]) -> Result<FileId, BatchError> {
        let folder = self.options.journal.parent().filter(|folder| !folder.as_os_str().is_empty());
        let fail = |source| BatchError::Journal { path: self.options.journal.clone(), source };
        let mut file =
            tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(fail)?;
        let mut bytes = 0;
        for &index in missing.iter().take(self.options.most_requests) {
            let request = BatchRequest {
                custom_id: keys[index].clone(),
                method: "POST".to_owned(),
                url: ENDPOINT.to_owned(),
                body: self.assistant.request(self.questions[index].messages.clone()),
            };
            let mut line = serde_json::to_vec(&request).map_err(|error| fail(error.into()))?;
            line.push(b'\n');
            bytes += line.len();
            if bytes > self.options.most_bytes && bytes > line.len() {
                break;
            }
            file.write_all(&line).map_err(fail)?;
        }
        file.flush().map_err(fail)?;
        let upload = Upload {
            path: file.path().to_owned(),
            filename: "questions.jsonl".to_owned(),
            purpose: Purpose::Batch,
            byte_order_mark: false,
            progress: None,
        };
        let route = Route::new(["files"]).map_err(transport::Error::from)?;
        let answer = self.assistant.client.upload(&route, upload, Repeat::Always).await?;
        let file: FileObject = answer.read()?;
        Ok(file.id)
    }

    async fn create(self, file: &FileId, run: &str) -> Result<Batch, BatchError> {
        let body = CreateBatch {
            input_file_id: file.clone(),
            endpoint: ENDPOINT.to_owned(),
            completion_window: "24h".to_owned(),
            metadata: Some([(RUN.to_owned(), run.to_owned())].into()),
            extra: wire::Extra::new(),
        };
        let route = Route::new(["batches"]).map_err(transport::Error::from)?;
        match self.assistant.client.post(&route, &body, Repeat::Unprocessed).await {
            Ok(batch) => Ok(batch),
            Err(error) if error.is_ambiguous() => {
                // The service may have made it all the same.
                self.find(file).await?.ok_or(BatchError::Service(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The batch of `file`, if there is one.
    async fn find(self, file: &FileId) -> Result<Option<Batch>, transport::Error> {
        let mut after = None::<String>;
        for _ in 0..MOST_PAGES {
            let mut route = Route::new(["batches"])?.with("limit", "100");
            if let Some(after) = &after {
                route = route.with("after", after);
            }
            let page: Page<Batch> = self.assistant.client.get(&route).await?;
            let last = page.data.last().map(|batch| batch.id.to_string());
            let is_of_file = |batch: &Batch| batch.input_file_id.as_ref() == Some(file);
            if let Some(found) = page.data.into_iter().find(is_of_file) {
                return Ok(Some(found));
            }
            if page.has_more == Some(false) || last.is_none() || last == after {
                break;
            }
            after = last;
        }
        Ok(None)
    }

    async fn wait(
        self,
        mut batch: Batch,
        watch: &mut dyn FnMut(&Batch),
    ) -> Result<Batch, BatchError> {
        let client = &self.assistant.client;
        let route = Route::new(["batches", batch.id.as_str()]).map_err(transport::Error::from)?;
        let mut pause = self.options.first_pause;
        loop {
            watch(&batch);
            if batch.status.is_terminal() {
                return Ok(batch);
            }
            client.settings().sleeper.sleep(pause).await;
            pause = pause.mul_f64(1.5).min(self.options.longest_pause);
            batch = client.get(&route).await?;
        }
    }

    /// What the service wrote of the batch's requests; a line that is none is passed over.
    async fn lines(self, batch: &Batch) -> Result<Vec<BatchLine>, BatchError> {
        let mut lines = Vec::new();
        for id in [&batch.output_file_id, &batch.error_file_id].into_iter().flatten() {
            let route = Route::new(["files", id.as_str(), "content"]);
            let route = route.map_err(transport::Error::from)?;
            let bytes = self.assistant.client.get_bytes(&route, OUTPUT_LIMIT).await?;
            let parsed = bytes.split(|byte| *byte == b'\n').map(serde_json::from_slice);
            lines.extend(parsed.filter_map(Result::ok));
        }
        Ok(lines)
    }

    fn write(
        self,
        lines: Vec<BatchLine>,
        answers: &mut AnswerFile,
        (tally, told): (&mut Tally, &mut HashSet<usize>),
    ) -> Result<(), BatchError> {
        let keys = answers.keys().iter().enumerate();
        let places: HashMap<String, usize> =
            keys.map(|(index, key)| (key.clone(), index)).collect();
        for line in lines {
            let Some(&index) = places.get(&line.custom_id) else { continue };
            let result = self.result(line);
            match &result {
                Ok(answer) => {
                    tally.answered += 1;
                    let usage = answer.usage.clone().unwrap_or_default();
                    tally.prompt_tokens += usage.prompt_tokens;
                    tally.completion_tokens += usage.completion_tokens;
                }
                Err(_) => tally.failed += 1,
            }
            answers.write(index, &self.questions[index], &result)?;
            told.insert(index);
        }
        Ok(())
    }

    fn result(self, line: BatchLine) -> Result<Answer, Error> {
        let Assistant { model, template, .. } = self.assistant;
        let no_choice = || Error::NoChoice { model: model.clone() };
        let error = match line.response {
            Some(response) if response.status_code == 200 => {
                let completion: ChatCompletion =
                    serde_json::from_value(response.body).map_err(|_| no_choice())?;
                return Answer::of(completion, model, template).ok_or_else(no_choice);
            }
            Some(response) => {
                let error = ErrorBody::read_value(&response.body).unwrap_or_default();
                return Err(Error::Service {
                    model: model.clone(),
                    source: transport::Error::Refused(Box::new(Refusal {
                        status: response.status_code,
                        error,
                        request_id: response.request_id,
                        attempts: 1,
                        retry_after: None,
                        limits: transport::RateLimits::default(),
                    })),
                });
            }
            None => line.error.unwrap_or_default(),
        };
        let source = transport::Error::InStream(Box::new(error));
        Err(Error::Service { model: model.clone(), source })
    }
}
