//! The file that the answers to many questions are written to, and gone on with after a stop.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::answer::Answer;
use crate::assistant::Assistant;
use crate::error::Error;
use crate::question::Question;

/// The version of a line's format.
const VERSION: u64 = 1;
/// So many answers are written before the disk is waited for; a killed process loses none of them, a power cut may.
const LINES_A_SYNC: usize = 32;

/// The answers to many questions, one JSON object a line.
///
/// Each answer is appended as it comes, so that a process that is killed leaves at most an unfinished last line, which is
/// taken away when the file is opened again. Where there was no file before, only its owner may read it.
/// [`AnswerFile::finish`] puts the lines into the questions' order. A line
/// says by its `key` which question it answers: a hash of the question, its id and how it was asked.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{AnswerFile, Assistant, ManyOptions, Question};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes.", "Yes."]).await?;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("answers.jsonl");
/// let assistant = Assistant::new(client, "ft:tiny");
/// let questions = ["Is a fever common?", "Is a cough?"].map(Question::new).to_vec();
/// let mut file = AnswerFile::open(&path, &assistant, &questions)?;
/// let missing = file.missing();
/// let asked = missing.iter().map(|&index| questions[index].clone()).collect();
/// let mut many = assistant.ask_many(asked, &ManyOptions::default());
/// while let Some(outcome) = many.next().await {
///     let index = missing[outcome.index];
///     file.write(index, &questions[index], &outcome.result)?;
/// }
/// file.sync()?; // not even a power cut takes them now
/// file.finish()?;
/// assert!(AnswerFile::open(&path, &assistant, &questions)?.missing().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AnswerFile {
    path: PathBuf,
    file: File,
    /// Where the next line goes.
    end: u64,
    keys: Vec<String>,
    /// Where each question's line is.
    lines: Vec<Option<Line>>,
    unsynced: usize,
    is_repaired: bool,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    at: u64,
    bytes: u64,
    is_answer: bool,
}

/// Why a file of answers cannot be used.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{AnswerFile, AnswerFileError, Assistant, Question};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([]).await?;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.md");
/// std::fs::write(&path, "# Ward round\n")?;
/// let assistant = Assistant::new(client, "ft:tiny");
/// let error = AnswerFile::open(&path, &assistant, &[Question::new("Is a fever common?")]).unwrap_err();
/// assert!(matches!(error, AnswerFileError::Foreign { line: 1, .. }));
/// assert_eq!(std::fs::read_to_string(&path)?, "# Ward round\n", "nobody's notes are written over");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerFileError {
    /// The file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error("{}: another process writes to it", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line is not one that was written here.
    #[error("{}, line {line}: not an answer to many questions", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A later program wrote a line.
    #[error("{}, line {line}: field `version` is {version}, and this program reads up to {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The version it says.
        version: u64,
    },
    /// A line answers none of the questions, or one that was asked of another model or in another way.
    #[error("{}, line {line}: answers another question, or was asked differently", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
}

impl AnswerFile {
    /// Opens the file at `path` for what `assistant` answers to `questions`; a missing one is made.
    ///
    /// # Errors
    ///
    /// See [`AnswerFileError`]; a file that holds anything else is left as it is.
    pub fn open(
        path: &Path,
        assistant: &Assistant,
        questions: &[Question],
    ) -> Result<Self, AnswerFileError> {
        let fail = |source| AnswerFileError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // Answers repeat what patients' records say: nobody else reads them, unless the file was there and says otherwise.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(AnswerFileError::InUse { path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(fail(source)),
        }
        let keys = keys(assistant, questions);
        let lines = vec![None; keys.len()];
        let path = path.to_owned();
        let mut opened = Self { path, file, end: 0, keys, lines, unsynced: 0, is_repaired: false };
        opened.read()?;
        Ok(opened)
    }

    /// The questions that have no answer yet, by their places; one that failed has none.
    pub fn missing(&self) -> Vec<usize> {
        let is_missing = |line: &Option<Line>| !line.is_some_and(|line| line.is_answer);
        let lines = self.lines.iter().enumerate();
        lines.filter(|(_, line)| is_missing(line)).map(|(index, _)| index).collect()
    }

    /// What each question is called in the file and at a service, by its place.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::{AnswerFile, Assistant, Question};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned([]).await?;
    /// let folder = tempfile::tempdir()?;
    /// let assistant = Assistant::new(client, "ft:tiny");
    /// let questions = ["Is a fever common?", "Is a fever common?"].map(Question::new);
    /// let file = AnswerFile::open(&folder.path().join("answers.jsonl"), &assistant, &questions)?;
    /// let [first, second] = file.keys() else { panic!("a key for each question") };
    /// assert_eq!(*second, format!("{first}-2"), "asked twice, answered twice");
    /// # Ok(())
    /// # }
    /// ```
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether an unfinished line was taken away when the file was opened.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::{AnswerFile, Assistant, Question};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned([]).await?;
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("answers.jsonl");
    /// std::fs::write(&path, r#"{"question":"Is a fever comm"#)?; // the process was killed here
    /// let assistant = Assistant::new(client, "ft:tiny");
    /// let file = AnswerFile::open(&path, &assistant, &[Question::new("Is a fever common?")])?;
    /// assert!(file.is_repaired());
    /// assert_eq!(file.missing(), [0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_repaired(&self) -> bool {
        self.is_repaired
    }

    /// Appends what came of the question at `index`.
    ///
    /// # Errors
    ///
    /// [`AnswerFileError::File`] where the disk does not take it.
    pub fn write(
        &mut self,
        index: usize,
        question: &Question,
        result: &Result<Answer, Error>,
    ) -> Result<(), AnswerFileError> {
        let fields = match result {
            Ok(answer) => of_answer(answer),
            Err(error) => of_error(error),
        };
        self.append(index, question, fields).map_err(|source| self.failure(source))?;
        if let Some(Some(line)) = self.lines.get_mut(index) {
            line.is_answer = result.is_ok();
        }
        Ok(())
    }

    fn append(
        &mut self,
        index: usize,
        question: &Question,
        fields: Map<String, Value>,
    ) -> io::Result<()> {
        let mut line = Map::new();
        line.extend(question.id.clone().map(|id| ("id".to_owned(), id)));
        line.insert("question".to_owned(), question.text().into());
        line.extend(fields);
        line.insert("key".to_owned(), self.keys[index].as_str().into());
        line.insert("version".to_owned(), VERSION.into());
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.file.seek(SeekFrom::Start(self.end))?;
        if let Err(error) = self.file.write_all(&text) {
            // What was written of the line is taken away now, or when the file is opened again.
            self.file.set_len(self.end).ok();
            return Err(error);
        }
        self.lines[index] = Some(Line { at: self.end, bytes: text.len() as u64, is_answer: true });
        self.end += text.len() as u64;
        self.unsynced += 1;
        if self.unsynced >= LINES_A_SYNC {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Waits until the disk holds what was written.
    ///
    /// # Errors
    ///
    /// [`AnswerFileError::File`] where the disk does not take it.
    pub fn sync(&mut self) -> Result<(), AnswerFileError> {
        self.unsynced = 0;
        self.file.sync_all().map_err(|source| self.failure(source))
    }

    /// Puts the lines into the questions' order, one for each, on disk before it returns.
    ///
    /// # Errors
    ///
    /// [`AnswerFileError::File`] where the disk does not take it; the file is then as it was.
    pub fn finish(mut self) -> Result<(), AnswerFileError> {
        let replaced = if self.is_in_order() { self.file.sync_all() } else { self.replace() };
        replaced.map_err(|source| self.failure(source))
    }

    fn is_in_order(&self) -> bool {
        let mut next = 0;
        for line in self.lines.iter().flatten() {
            if line.at != next {
                return false;
            }
            next += line.bytes;
        }
        next == self.end
    }

    fn replace(&mut self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut sorted = BufWriter::new(tempfile::NamedTempFile::new_in(folder)?);
        for line in self.lines.iter().flatten() {
            self.file.seek(SeekFrom::Start(line.at))?;
            io::copy(&mut (&self.file).take(line.bytes), &mut sorted)?;
        }
        let sorted = sorted.into_inner().map_err(io::IntoInnerError::into_error)?;
        sorted.as_file().set_permissions(self.file.metadata()?.permissions())?;
        sorted.as_file().sync_all()?;
        sorted.persist(&self.path)?;
        // The name must last as well as the content; where folders cannot be opened, the system takes care of it.
        if let Ok(folder) = File::open(folder) {
            folder.sync_all().ok();
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), AnswerFileError> {
        let places: HashMap<&str, usize> =
            self.keys.iter().enumerate().map(|(index, key)| (key.as_str(), index)).collect();
        let mut reader = BufReader::new(&self.file);
        let (mut bytes, mut end, mut unfinished) = (Vec::new(), 0, false);
        for line in 1.. {
            bytes.clear();
            let length =
                reader.read_until(b'\n', &mut bytes).map_err(|source| self.failure(source))?;
            if length == 0 {
                break;
            }
            if bytes.last() != Some(&b'\n') {
                unfinished = true;
                break;
            }
            let found: Option<Value> = serde_json::from_slice(&bytes).ok();
            let key = found.as_ref().and_then(|found| found["key"].as_str());
            let (Some(found), Some(key)) = (&found, key) else {
                return Err(AnswerFileError::Foreign { path: self.path.clone(), line });
            };
            let version = found["version"].as_u64().unwrap_or_default();
            if version > VERSION {
                return Err(AnswerFileError::Version { path: self.path.clone(), line, version });
            }
            let Some(&index) = places.get(key) else {
                return Err(AnswerFileError::Other { path: self.path.clone(), line });
            };
            let is_answer = found.get("error").is_none();
            // An error that was followed by an answer, and the other way round, is that answer.
            if is_answer || !self.lines[index].is_some_and(|line: Line| line.is_answer) {
                self.lines[index] = Some(Line { at: end, bytes: length as u64, is_answer });
            }
            end += length as u64;
        }
        drop(reader);
        if unfinished {
            self.unfinished(&bytes, end)?;
        }
        self.end = end;
        Ok(())
    }

    /// Takes the beginning of a line away, if it is one that was written here.
    fn unfinished(&mut self, bytes: &[u8], end: u64) -> Result<(), AnswerFileError> {
        const BEGINNINGS: [&[u8]; 2] = [br#"{"id":"#, br#"{"question":"#];
        let is_ours =
            |beginning: &[u8]| bytes.starts_with(beginning) || beginning.starts_with(bytes);
        if !BEGINNINGS.into_iter().any(is_ours) {
            let line = self.lines.iter().flatten().count() + 1;
            return Err(AnswerFileError::Foreign { path: self.path.clone(), line });
        }
        self.file.set_len(end).map_err(|source| self.failure(source))?;
        self.is_repaired = true;
        Ok(())
    }

    fn failure(&self, source: io::Error) -> AnswerFileError {
        AnswerFileError::File { path: self.path.clone(), source }
    }
}

fn of_answer(answer: &Answer) -> Map<String, Value> {
    let fields = json!({
        "model": answer.model, "reasoning": answer.reasoning, "response": answer.response,
        "complete": answer.complete, "finish_reason": answer.finish.as_str(), "usage": answer.usage,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn of_error(error: &Error) -> Map<String, Value> {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let service = match error {
        Error::Service { source, .. } | Error::NotReady { source, .. } => Some(source),
        _ => None,
    };
    let code = service.and_then(|source| match source {
        transport::Error::InStream(error) => error.code.as_deref(),
        source => source.refusal()?.code(),
    });
    let status = service.and_then(transport::Error::status);
    let fields = json!({"message": text, "status": status, "code": code});
    Map::from_iter([("error".to_owned(), fields)])
}

/// A name for each question as it is asked; the same question a second time is another one.
fn keys(assistant: &Assistant, questions: &[Question]) -> Vec<String> {
    let mut seen = HashMap::<String, usize>::new();
    let mut keys = Vec::with_capacity(questions.len());
    for question in questions {
        let request = assistant.request(question.messages.clone());
        let asked = json!([question.id, assistant.template, request]);
        let hash = Sha256::digest(asked.to_string().as_bytes());
        let half: [u8; 16] = hash[..16].try_into().expect("SHA-256 has 32 bytes");
        let key = format!("{:032x}", u128::from_be_bytes(half));
        let times = seen.entry(key.clone()).or_default();
        *times += 1;
        keys.push(if *times == 1 { key } else { format!("{key}-{times}") });
    }
    keys
}
