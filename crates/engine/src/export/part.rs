//! A file or folder that is written under another name until it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// What is being written; removed when it is dropped unfinished.
pub(super) struct Part {
    path: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Part {
    /// Something that will be `target`; what an earlier try left is removed.
    pub(super) fn of(target: &Path) -> Result<Self, Error> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part =
            Self { path: target.with_file_name(name), target: target.to_owned(), finished: false };
        remove(&part.path).map_err(|source| Error::file(&part.path, source))?;
        Ok(part)
    }

    /// Where it is meanwhile.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, in place of what has that name.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let fault = |source| Error::file(&self.target, source);
        if self.path.is_dir() {
            for entry in fs::read_dir(&self.path).map_err(fault)? {
                let file = entry.and_then(|entry| File::open(entry.path())).map_err(fault)?;
                file.sync_all().map_err(fault)?;
            }
            // A folder cannot be renamed over one that holds something.
            remove(&self.target).map_err(fault)?;
        }
        fs::rename(&self.path, &self.target).map_err(fault)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            // Whoever dropped it has an error of its own to tell.
            let _ = remove(&self.path);
        }
    }
}

/// Removes a file or folder, where there is one.
fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
