//! Answers on disk, so that nothing is asked twice.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as Turns, OwnedMutexGuard};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of a line's format; a file with a greater one is refused.
const VERSION: u32 = 1;

/// A file of answers that cannot be used.
///
/// # Examples
///
/// ```
/// use evaluation::{Answers, AnswersError};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("answers.jsonl");
/// std::fs::write(&path, "no answer\n")?;
/// assert!(matches!(Answers::open(&path), Err(AnswersError::Line { line: 1, .. })));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswersError {
    /// The file cannot be opened, read or written.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another run uses the file.
    #[error("{}: another run uses it", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line before the last is none of this format.
    #[error("{}: line {line}: no recorded answer of version {VERSION}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
}

/// Answers by the hash of their requests, in a file that only grows.
///
/// Each answer is on the disk before it is used, one JSON object a line. A line that a crash cut off is dropped and
/// asked again. The file holds questions and answers word for word, and only its owner may read it.
///
/// # Examples
///
/// ```
/// use evaluation::{Answers, AnswersError};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("answers.jsonl");
/// assert!(Answers::open(&path)?.is_empty());
/// // A run that was killed left one answer, and half of another.
/// let line = r#"{"version":1,"key":"5f","request":{},"answer":{"choices":[]}}"#;
/// std::fs::write(&path, format!("{line}\n{}", &line[..30]))?;
/// let answers = Answers::open(&path)?;
/// assert_eq!(answers.len(), 1);
/// assert!(matches!(Answers::open(&path), Err(AnswersError::InUse { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Answers {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    known: HashMap<String, Value>,
    under_way: HashMap<String, Arc<Turns<()>>>,
}

/// The right to ask a request; whoever has the same one to ask waits until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    answers: &'a Answers,
    key: String,
    _held: OwnedMutexGuard<()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.answers.lock().under_way.remove(&self.key);
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<Q> {
    version: u32,
    key: String,
    request: Q,
    answer: Value,
}

impl Answers {
    /// Opens the file at `path`, or makes it; one process at a time may.
    ///
    /// # Errors
    ///
    /// [`AnswersError`], whose variants say what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, AnswersError> {
        let fail = |source| AnswersError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(fail)?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => AnswersError::InUse { path: path.to_owned() },
            std::fs::TryLockError::Error(source) => fail(source),
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(fail)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut known = HashMap::new();
        for (index, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let line: Option<Line<IgnoredAny>> = serde_json::from_slice(line).ok();
            let bad = || AnswersError::Line { path: path.to_owned(), line: index + 1 };
            let line = line.filter(|line| line.version <= VERSION).ok_or_else(bad)?;
            known.insert(line.key, line.answer);
        }
        file.set_len(whole as u64).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        let state = Mutex::new(State { file, known, under_way: HashMap::new() });
        Ok(Self { path: path.to_owned(), state })
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.lock().known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The answer to the request with this key.
    pub(crate) fn find(&self, key: &str) -> Option<Value> {
        self.lock().known.get(key).cloned()
    }

    /// Waits until nobody else asks the request with this key; what they were answered can be found then.
    pub(crate) async fn turn(&self, key: &str) -> Turn<'_> {
        let turns = Arc::clone(self.lock().under_way.entry(key.to_owned()).or_default());
        let held = turns.lock_owned().await;
        Turn { answers: self, key: key.to_owned(), _held: held }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an answer on the disk, with the request as it was sent.
    pub(crate) fn keep(
        &self,
        key: &str,
        request: &impl Serialize,
        answer: Value,
    ) -> Result<(), AnswersError> {
        let fail = |source| AnswersError::File { path: self.path.clone(), source };
        let line = Line { version: VERSION, key: key.to_owned(), request, answer };
        let mut text = serde_json::to_vec(&line).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        let mut state = self.lock();
        state.file.write_all(&text).and_then(|()| state.file.sync_data()).map_err(fail)?;
        state.known.insert(line.key, line.answer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_again_and_a_cut_line_is_dropped() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("answers.jsonl");
        let answers = Answers::open(&path)?;
        answers.keep("k1", &"question", Value::from("one"))?;
        answers.keep("k2", &"question", Value::from("two"))?;
        assert!(matches!(Answers::open(&path), Err(AnswersError::InUse { .. })));
        drop(answers);
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, &text[..text.len() - 3])?;
        let answers = Answers::open(&path)?;
        assert_eq!((answers.find("k1"), answers.find("k2")), (Some(Value::from("one")), None));
        answers.keep("k3", &"question", Value::from("three"))?;
        drop(answers);
        assert_eq!(Answers::open(&path)?.len(), 2);
        Ok(())
    }

    #[test]
    fn a_line_of_something_else_is_named() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("answers.jsonl");
        std::fs::write(&path, "{\"version\":9,\"key\":\"k\",\"request\":1,\"answer\":1}\n")?;
        let error = Answers::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("line 1: no recorded answer of version 1"), "{error}");
        Ok(())
    }
}
