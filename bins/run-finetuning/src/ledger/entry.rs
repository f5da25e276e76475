//! A run, as its file holds it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ftjob::{PartialUpload, RunKey};
use serde::{Deserialize, Serialize};
use wire::{FileId, JobId};

use crate::origin::Origin;

/// The version of the file's format; version 1 was one file a recipe and had no more than the job.
const VERSION: u32 = 2;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Files are being sent, and the job is about to be asked for, or was.
    Begun,
    /// The service has made it.
    Created,
    /// It came to its end.
    Ended,
    /// The service refused: no job was made, and the next run begins anew.
    Refused,
}

impl Stage {
    /// Whether the same command goes on with it.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Begun | Self::Created)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Created => "created",
            Self::Ended => "ended",
            Self::Refused => "refused",
        }
    }
}

/// A file that a run sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SentFile {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    pub(crate) examples: usize,
    /// The id that the service gave it.
    pub(crate) id: Option<FileId>,
    /// Whether the service had it before this run.
    #[serde(default)]
    pub(crate) reused: bool,
}

/// What a run was expected to cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// Tokens of the training file, as far as each is trained.
    pub(crate) tokens: u64,
    pub(crate) epochs: u32,
    pub(crate) usd: Option<f64>,
}

/// A checkpoint, and the validation loss for which it is the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) model: String,
    pub(crate) step: Option<u64>,
    pub(crate) valid_loss: f64,
}

/// One run; no record's text and no key is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    version: u32,
    pub(crate) key: RunKey,
    pub(crate) stage: Stage,
    /// Where the job is: a service's address, or `local`.
    pub(crate) service: String,
    /// The provider's profile, and what was changed in it.
    #[serde(default)]
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) overrides: Vec<String>,
    pub(crate) base_model: String,
    /// The base model as it was named on the command line, which may be a path.
    #[serde(default)]
    pub(crate) base_model_named: Option<String>,
    #[serde(default)]
    pub(crate) data_dir: Option<PathBuf>,
    #[serde(default)]
    pub(crate) begun_at: i64,
    /// Of the second that `begun_at` names, so that of two runs in one the later is known.
    #[serde(default)]
    pub(crate) begun_nanoseconds: i32,
    #[serde(default)]
    pub(crate) files: Vec<SentFile>,
    /// How far uploads in parts have come.
    #[serde(default)]
    pub(crate) uploads: Vec<PartialUpload>,
    #[serde(default)]
    pub(crate) planned: Option<Planned>,
    pub(crate) job_id: Option<JobId>,
    /// How the job stood when it was last looked at.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// The model, where the run ended with one.
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) trained_tokens: Option<u64>,
    #[serde(default)]
    pub(crate) seconds: Option<u64>,
    #[serde(default)]
    pub(crate) valid_loss: Option<f64>,
    #[serde(default)]
    pub(crate) best: Option<Best>,
    /// Whether the files hold pairs of answers.
    #[serde(default)]
    pub(crate) preferences: bool,
    /// The sweep that the run is one of.
    #[serde(default)]
    pub(crate) sweep: Option<String>,
    /// The model that it goes on from.
    #[serde(default)]
    pub(crate) continued_from: Option<String>,
    /// How the examples were made, which is how the model wants to be asked.
    #[serde(default)]
    pub(crate) origin: Option<Origin>,
}

/// What a run is about, which does not change while it goes on.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The fingerprint of recipe, files and service.
    pub(crate) what: String,
    pub(crate) service: String,
    pub(crate) provider: String,
    pub(crate) overrides: Vec<String>,
    pub(crate) base_model: String,
    pub(crate) base_model_named: Option<String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) files: Vec<SentFile>,
    pub(crate) preferences: bool,
    pub(crate) sweep: Option<String>,
    pub(crate) continued_from: Option<String>,
    pub(crate) origin: Option<Origin>,
}

impl Entry {
    /// A run that has just been begun.
    pub(crate) fn new(subject: Subject, now: jiff::Timestamp) -> Self {
        Self {
            version: VERSION,
            key: RunKey::new(&subject.what),
            stage: Stage::Begun,
            service: subject.service,
            provider: subject.provider,
            overrides: subject.overrides,
            base_model: subject.base_model,
            base_model_named: subject.base_model_named,
            data_dir: subject.data_dir,
            begun_at: now.as_second(),
            begun_nanoseconds: now.subsec_nanosecond(),
            files: subject.files,
            uploads: Vec::new(),
            planned: None,
            job_id: None,
            status: None,
            model: None,
            trained_tokens: None,
            seconds: None,
            valid_loss: None,
            best: None,
            preferences: subject.preferences,
            sweep: subject.sweep,
            continued_from: subject.continued_from,
            origin: subject.origin,
        }
    }
}

impl Entry {
    /// The same with what version 1 did not hold, from a run of the same.
    pub(super) fn completed(mut self, subject: Subject) -> Self {
        if self.files.len() != subject.files.len() {
            self.files = subject.files;
        }
        if self.provider.is_empty() {
            self.provider = subject.provider;
            self.overrides = subject.overrides;
            self.base_model_named = subject.base_model_named;
            self.data_dir = subject.data_dir;
        }
        self.origin = self.origin.or(subject.origin);
        self
    }

    /// Notes that the service has this file no more.
    pub(crate) fn forget_file(&mut self, id: &FileId) {
        for file in self.files.iter_mut().filter(|file| file.id.as_ref() == Some(id)) {
            file.id = None;
        }
    }
}

/// The run in the file at `path`; `None` where there is none.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<Entry>> {
    let bytes = match fs::read(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        read => read.with_context(|| path.display().to_string())?,
    };
    let mut entry: Entry =
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
    if entry.version > VERSION {
        bail!(
            "{}: version {}, and this program reads up to {VERSION}",
            path.display(),
            entry.version
        );
    }
    entry.version = VERSION;
    Ok(Some(entry))
}
