//! A folder of the per-user cache that several processes may fill at once.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::Progress;
use super::error::LocateError;

/// The folder of one model or repository.
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Opens the folder and makes it where it is missing.
    pub(super) fn open(folder: PathBuf) -> Result<Self, LocateError> {
        fs::create_dir_all(&folder).map_err(LocateError::file(&folder))?;
        Ok(Self { folder })
    }

    /// A place in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until no other process fetches into this folder. The system lifts the lock when its process ends in any way.
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

    /// The folder that one commit's files gather in for `place`; what an interrupted process left there is gone on with.
    pub(super) fn unfinished_of(&self, place: &str, commit: &str) -> Result<PathBuf, LocateError> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let commit: String = commit.chars().take(40).map(plain).collect();
        let folder = self.folder.join(format!(".hub-{place}-{commit}"));
        fs::create_dir_all(&folder).map_err(LocateError::file(&folder))?;
        Ok(folder)
    }

    /// Removes the folders whose names begin so. Call it under the lock, when nobody else is writing.
    pub(super) fn remove_beginning_with(&self, prefix: &str) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(%error, "cannot remove an unfinished download");
            }
        }
    }

    /// Gives a complete file or folder its final name, in place of a damaged one.
    pub(super) fn place(from: &Path, to: &Path) -> Result<(), LocateError> {
        let removed = if to.is_dir() { fs::remove_dir_all(to) } else { Ok(()) };
        removed.and_then(|()| fs::rename(from, to)).map_err(LocateError::file(to))
    }
}
