//! One process at a time works on a recipe and its files.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Held as long as it lives; the system gives it back when the process ends, however that is.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is held for the lock on it")] File);

impl Lock {
    /// Takes the lock on the runs of `what` in `root`.
    pub(super) fn take(root: &Path, what: &str) -> anyhow::Result<Self> {
        let locks = root.join("locks");
        let path = locks.join(what);
        let open = || {
            fs::create_dir_all(&locks)?;
            File::options().create(true).append(true).open(&path)
        };
        let file = open().with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                bail!("another process works on this run ({} is locked)", path.display())
            }
            // A file system without locks: two processes would still find each other's job at the service.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self(file)),
        }
    }
}
