//! What was begun, on disk before it is begun: so that a rerun finds the job instead of buying a second one.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ftjob::RunKey;
use serde::{Deserialize, Serialize};
use wire::JobId;

/// The version of the file's format.
const VERSION: u32 = 1;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// The job is about to be asked for, or was.
    Begun,
    /// The service has made it.
    Created,
    /// It came to its end.
    Ended,
}

/// One run, as its file holds it; no record's text and no key is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    version: u32,
    pub(crate) key: RunKey,
    pub(crate) stage: Stage,
    /// Where the job is: a service's address, or `local`.
    pub(crate) service: String,
    pub(crate) base_model: String,
    pub(crate) job_id: Option<JobId>,
    /// The model, where the run ended with one.
    pub(crate) model: Option<String>,
}

/// The file of the runs of one recipe on the same files.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    pub(crate) entry: Entry,
    /// What the run before this one left, if it came to its end.
    pub(crate) earlier: Option<Entry>,
}

impl Ledger {
    /// Opens the file of `what` in `folder`: an open run is gone on with, else a new one is prepared, not yet written.
    pub(crate) fn open(
        folder: &Path,
        what: &str,
        service: &str,
        base_model: &str,
    ) -> anyhow::Result<Self> {
        let path = folder.join(format!("{what}.json"));
        let found = read(&path)?;
        let fresh = || Entry {
            version: VERSION,
            key: RunKey::new(what),
            stage: Stage::Begun,
            service: service.to_owned(),
            base_model: base_model.to_owned(),
            job_id: None,
            model: None,
        };
        Ok(match found {
            Some(entry) if entry.stage != Stage::Ended => Self { path, entry, earlier: None },
            earlier => Self { path, entry: fresh(), earlier },
        })
    }

    /// Whether an earlier process began this run and did not see its end.
    pub(crate) fn is_resumed(&self) -> bool {
        self.entry.key.is_resumed()
    }

    /// Writes that the run stands at `stage`, whole and synced, before anything that builds on it.
    pub(crate) fn note(&mut self, stage: Stage) -> anyhow::Result<()> {
        self.entry.stage = stage;
        write(&self.path, &self.entry).with_context(|| self.path.display().to_string())
    }

    /// The same recipe on the same files as a new run, once this one was given up.
    pub(crate) fn anew(&self, folder: &Path) -> anyhow::Result<Self> {
        Self::open(folder, &self.entry.key.what, &self.entry.service, &self.entry.base_model)
    }

    /// Gives the run up: the next one begins anew.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| self.path.display().to_string())
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Entry>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| path.display().to_string())?,
    };
    let entry: Entry =
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
    if entry.version > VERSION {
        bail!(
            "{}: version {}, and this program reads up to {VERSION}",
            path.display(),
            entry.version
        );
    }
    Ok(Some(entry))
}

fn write(path: &Path, entry: &Entry) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut file, entry)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The name must last as well as the content; where folders cannot be opened, the system takes care of it.
    if let Ok(folder) = fs::File::open(folder) {
        folder.sync_all().ok();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_run_is_gone_on_with_and_an_ended_one_is_not() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let open = || Ledger::open(&folder.path().join("runs"), "what", "local", "m");
        let mut first = open()?;
        assert!(!first.is_resumed());
        first.note(Stage::Begun)?;
        let mut second = open()?;
        assert!(second.is_resumed() && second.entry.key.which == first.entry.key.which);
        second.note(Stage::Ended)?;
        let third = open()?;
        assert!(!third.is_resumed() && third.entry.key.which != first.entry.key.which);
        assert_eq!(third.earlier.map(|entry| entry.stage), Some(Stage::Ended));
        Ok(())
    }

    #[test]
    fn a_broken_or_later_file_is_named_and_not_passed_over() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut ledger = Ledger::open(folder.path(), "what", "local", "m")?;
        ledger.entry.version = VERSION + 1;
        ledger.note(Stage::Begun)?;
        let open = || Ledger::open(folder.path(), "what", "local", "m");
        assert!(open().is_err_and(|error| error.to_string().contains("what.json")));
        fs::write(folder.path().join("what.json"), "{")?;
        assert!(open().is_err_and(|error| error.to_string().contains("what.json")));
        Ok(())
    }
}
