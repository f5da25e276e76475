//! The data folder: its layout, and the lock that gives it to one server at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// A data folder that this process alone uses, until dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    // Held for its lock, which ends with the process whatever happens to it.
    _lock: File,
}

impl Folder {
    /// Takes `root`, making it and its parts where they are missing, and removes what an interrupted upload left.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Folder { path: root.to_owned(), source };
        fs::create_dir_all(root).map_err(fail)?;
        let root = root.canonicalize().map_err(fail)?;
        let lock = lock(&root)?;
        let folder = Self { root, _lock: lock };
        if folder.temporary().exists() {
            fs::remove_dir_all(folder.temporary()).map_err(fail)?;
        }
        for part in [folder.temporary(), folder.blobs(), folder.adapters(), folder.training()] {
            fs::create_dir_all(part).map_err(fail)?;
        }
        Ok(folder)
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("medtune.sqlite")
    }

    /// Things being written; everything here is rubbish after a restart.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// File contents, each named by its SHA-256.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Finished adapters, a folder for each job.
    pub(crate) fn adapters(&self) -> PathBuf {
        self.root.join("adapters")
    }

    /// Training states to go on from, a folder for each unfinished job.
    pub(crate) fn training(&self) -> PathBuf {
        self.root.join("training")
    }

    /// What the program that trains job `id` says, added to what it said before.
    pub(crate) fn log(&self, id: &str) -> io::Result<File> {
        let logs = self.root.join("logs");
        fs::create_dir_all(&logs)?;
        File::options().create(true).append(true).open(logs.join(format!("{id}.log")))
    }

    /// Moves the finished folder `from` to `to`, in place of whatever is there.
    pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        let parent = to.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        for entry in fs::read_dir(from)? {
            File::open(entry?.path())?.sync_all()?;
        }
        fs::rename(from, to)?;
        sync_folder(parent)
    }
}

/// Makes a rename in `path` outlast a power cut.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix lets a folder be opened and synced.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| Error::Folder { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: root.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::Folder { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_refused_and_old_temporary_files_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        fs::write(folder.temporary().join("half"), "x").unwrap();
        assert!(matches!(Folder::open(root.path()), Err(Error::InUse { .. })));
        drop(folder);
        let folder = Folder::open(root.path()).unwrap();
        assert!(!folder.temporary().join("half").exists());
    }
}
