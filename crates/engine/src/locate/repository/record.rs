//! What was fetched, noted beside it: so that it is found, checked and told from again without the hub.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::HubModel;
use crate::locate::error::LocateError;
use crate::locate::{Found, Located, digest};

/// The note's name in the model's folder.
const NAME: &str = "medtune-source.json";
/// The note's version.
const VERSION: u32 = 1;

/// A model's note.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    repository: String,
    revision: String,
    commit: String,
    /// The GGUF file, where the model is one.
    file: Option<String>,
    files: Vec<File>,
}

/// A file as it was received.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    name: String,
    bytes: u64,
    sha256: String,
}

impl File {
    pub(super) fn new(name: &str, bytes: u64, sha256: String) -> Self {
        Self { name: name.to_owned(), bytes, sha256 }
    }
}

impl Record {
    pub(super) fn new(model: &HubModel, commit: &str, files: Vec<File>) -> Self {
        Self {
            version: VERSION,
            repository: model.repository().to_owned(),
            revision: model.revision().to_owned(),
            commit: commit.to_owned(),
            file: model.file().map(|file| super::last(file).to_owned()),
            files,
        }
    }

    /// Reads the note of `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, LocateError> {
        let path = folder.join(NAME);
        let bytes = fs::read(&path).map_err(LocateError::file(&path))?;
        let fault = |reason: String| LocateError::Note { path: path.clone(), reason };
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|error| fault(error.to_string()))?;
        let plain = |file: &File| Path::new(&file.name).file_name() == Some(file.name.as_ref());
        if record.version != VERSION || !record.files.iter().all(plain) {
            return Err(fault(format!("version {} is not known", record.version)));
        }
        Ok(record)
    }

    /// Writes the note into `folder`, which is not in its place yet.
    pub(super) fn write(&self, folder: &Path) -> Result<(), LocateError> {
        let path = folder.join(NAME);
        let text = serde_json::to_vec_pretty(self).expect("texts and numbers are JSON");
        fs::write(&path, text).map_err(LocateError::file(&path))
    }

    /// Whether `folder` still holds what was received.
    pub(super) fn check(&self, folder: &Path) -> Result<(), LocateError> {
        self.files.iter().try_for_each(|file| {
            let right = digest::Right { name: &file.name, bytes: file.bytes, sha256: &file.sha256 };
            digest::check_file(&folder.join(&file.name), right)
        })
    }

    /// The model in its place.
    pub(super) fn located(&self, folder: PathBuf, from: Found) -> Located {
        let extension = if self.file.is_some() { "gguf" } else { "safetensors" };
        let weights = self.files.iter().filter(|file| super::is_a(&file.name, extension));
        let sha256 =
            digest::of_weights(weights.map(|file| (file.name.clone(), file.sha256.clone())));
        let path = match &self.file {
            Some(file) => folder.join(file),
            None => folder,
        };
        Located { path, sha256, from }
    }
}
