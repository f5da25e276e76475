use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::Job;

/// The names of the pairs that a job carries; the service gives them back.
const WHAT: &str = "medtune_key";
const WHICH: &str = "medtune_run";

/// What a run is found by at the service.
///
/// # Examples
///
/// ```
/// use ftjob::{Recipe, RunKey};
///
/// let what = Recipe::new("smollm2-135m-instruct").fingerprint(&["the file's SHA-256"]);
/// let key = RunKey::new(&what);
/// let other = RunKey::new(&what);
/// assert!(key.what == other.what && key.which != other.which);
/// let record = serde_json::to_string(&key)?; // on disk before anything is asked for
/// let read: RunKey = serde_json::from_str(&record)?;
/// assert!(read.is_resumed() && !key.is_resumed());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunKey {
    /// What is trained: the same for every run of the same files and settings.
    pub what: String,
    /// Which run it is, told apart from an earlier one of the same.
    pub which: String,
    /// Whether it was read back from a record, so that a job may be there already.
    #[serde(skip, default = "resumed")]
    resumed: bool,
}

fn resumed() -> bool {
    true
}

impl RunKey {
    /// A new run of `what`, which is usually [`Recipe::fingerprint`](crate::Recipe::fingerprint).
    pub fn new(what: &str) -> Self {
        Self { what: what.to_owned(), which: uuid::Uuid::new_v4().to_string(), resumed: false }
    }

    /// Whether it was read back from a record of an earlier process.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        [(WHAT, &self.what), (WHICH, &self.which)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }

    /// How this key relates to what a job carries.
    pub(crate) fn compare(&self, job: &Job) -> Match {
        let Some(metadata) = &job.metadata else { return Match::Unmarked };
        match (metadata.get(WHAT), metadata.get(WHICH)) {
            (_, Some(which)) if *which == self.which => Match::This,
            (Some(what), _) if *what == self.what => Match::Same,
            (None, None) => Match::Unmarked,
            _ => Match::Other,
        }
    }

    /// The query that asks the service for jobs of the same files and settings.
    pub(crate) fn query(&self) -> (String, &str) {
        (format!("metadata[{WHAT}]"), &self.what)
    }
}

/// Whose job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// This very run's.
    This,
    /// That of another run of the same files and settings.
    Same,
    /// Somebody else's.
    Other,
    /// It carries no mark: an unrelated job, or a service that drops them.
    Unmarked,
}
