//! Which batch is under way, on disk before it is begun.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wire::{BatchId, FileId};

use super::BatchError;

/// The version of the file's format.
const VERSION: u32 = 1;

/// What is known of the batch that is under way; no question and no key is in it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    version: u32,
    /// The service's address.
    service: String,
    /// What the batch's metadata call the run.
    pub(super) run: String,
    pub(super) input_file_id: Option<FileId>,
    pub(super) batch_id: Option<BatchId>,
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    pub(super) entry: Entry,
    is_begun: bool,
}

impl Journal {
    /// Opens the journal at `path`: what it holds is gone on with, else a run is prepared and not yet written.
    pub(super) fn open(path: &Path, service: &str) -> Result<Self, BatchError> {
        let fail = |source| BatchError::Journal { path: path.to_owned(), source };
        let fresh = || Entry {
            version: VERSION,
            service: service.to_owned(),
            run: uuid::Uuid::new_v4().to_string(),
            input_file_id: None,
            batch_id: None,
        };
        let entry: Option<Entry> = match fs::read(path) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| fail(error.into()))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(fail(error)),
        };
        if let Some(entry) = &entry
            && entry.version > VERSION
        {
            let text = format!("version {}, and this program reads up to {VERSION}", entry.version);
            return Err(fail(io::Error::new(ErrorKind::InvalidData, text)));
        }
        if let Some(entry) = entry.as_ref().filter(|entry| entry.service != service) {
            let service = entry.service.clone();
            return Err(BatchError::Elsewhere { path: path.to_owned(), service });
        }
        let is_begun = entry.is_some();
        Ok(Self { path: path.to_owned(), entry: entry.unwrap_or_else(fresh), is_begun })
    }

    /// Whether a run before this one left something to go on with.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Writes what is known, whole and synced.
    pub(super) fn note(&mut self) -> Result<(), BatchError> {
        let path = self.path.clone();
        self.is_begun = true;
        self.write().map_err(|source| BatchError::Journal { path, source })
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &self.entry)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        // The name must last as well as the content; where folders cannot be opened, the system takes care of it.
        if let Ok(folder) = fs::File::open(folder) {
            folder.sync_all().ok();
        }
        Ok(())
    }

    /// Takes the file away: the answers are written.
    pub(super) fn end(self) -> Result<(), BatchError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(BatchError::Journal { path: self.path, source: error })
            }
            _ => Ok(()),
        }
    }
}
