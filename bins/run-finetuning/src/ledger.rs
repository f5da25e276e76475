//! What was begun, on disk before it is begun: so that a rerun finds the job instead of buying a second one.
//!
//! Every run has a folder of its own. `run.json` says how far it has come and is replaced whole; `journal.jsonl` gets a
//! line before each call that costs and one with the outline of its answer; `events.jsonl` gets a line for each event.

mod entry;
mod journal;
mod events;
mod lock;

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wire::FileId;

pub(crate) use self::entry::{Best, Entry, Planned, SentFile, Stage, Subject};
pub(crate) use self::events::{Events, metrics, numbers};
pub(crate) use self::journal::Notes;
use self::lock::Lock;

const RUN: &str = "run.json";
const JOURNAL: &str = "journal.jsonl";
const EVENTS: &str = "events.jsonl";
/// Enough of the key to tell recipes apart in a name.
const KEY_LETTERS: usize = 8;

/// A run with its folder; nobody else works on the same recipe and files while it is held.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    pub(crate) entry: Entry,
    /// What the run before this one left, if it came to its end.
    pub(crate) earlier: Option<Entry>,
    /// The file of version 1 that the run was read from, to be put aside.
    old: Option<PathBuf>,
    _lock: Lock,
}

impl Ledger {
    /// Opens the run of `subject` in `root`: an open one is gone on with, else a new one is prepared, not yet written.
    pub(crate) fn open(
        root: &Path,
        subject: Subject,
        now: jiff::Timestamp,
    ) -> anyhow::Result<Self> {
        let what = subject.what.clone();
        let lock = Lock::take(root, &what)?;
        let same = |(_, entry): &(PathBuf, Entry)| entry.key.what == what;
        let mut found: Vec<_> = all(root)?.into_iter().filter(same).collect();
        let old = root.join(format!("{what}.json"));
        if found.is_empty()
            && let Some(entry) = entry::read(&old)?
        {
            found.push((old.clone(), entry));
        }
        // The newest stands first.
        let mut found = found.into_iter();
        let newest = found.next();
        match newest {
            Some((place, entry)) if entry.stage.is_open() => {
                let is_old = place == old;
                let folder = if is_old { fresh(root, &what, now) } else { place };
                let old = is_old.then_some(old);
                let entry = entry.completed(subject);
                let mut ledger = Self { folder, entry, earlier: None, old, _lock: lock };
                ledger.recover()?;
                Ok(ledger)
            }
            newest => {
                let ended = newest.into_iter().chain(found).map(|(_, entry)| entry);
                let earlier = ended.into_iter().find(|entry| entry.stage == Stage::Ended);
                let folder = fresh(root, &what, now);
                let entry = Entry::new(subject, now);
                Ok(Self { folder, entry, earlier, old: None, _lock: lock })
            }
        }
    }

    /// Opens the run in `folder` to go on with it.
    pub(crate) fn reopen(root: &Path, folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(RUN);
        let entry = entry::read(&path)?.with_context(|| format!("{}: no run", path.display()))?;
        let lock = Lock::take(root, &entry.key.what)?;
        let folder = folder.to_owned();
        let mut ledger = Self { folder, entry, earlier: None, old: None, _lock: lock };
        ledger.recover()?;
        Ok(ledger)
    }

    /// Takes the job's id from the journal where the process ended between the answer and its note.
    fn recover(&mut self) -> anyhow::Result<()> {
        if self.entry.job_id.is_none() && self.entry.stage == Stage::Begun {
            self.entry.job_id = journal::created(&self.folder.join(JOURNAL))?;
        }
        Ok(())
    }

    /// The name of the run, by which a person calls it.
    pub(crate) fn name(&self) -> String {
        name(&self.folder)
    }

    /// The run's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether an earlier process began this run and did not see its end.
    pub(crate) fn is_resumed(&self) -> bool {
        self.entry.key.is_resumed()
    }

    /// Begins the run anew in its folder, as one that no job belongs to.
    pub(crate) fn renew(&mut self) {
        self.entry.key = ftjob::RunKey::new(&self.entry.key.what);
        self.entry.job_id = None;
    }

    /// Writes that the run stands at `stage`, whole and synced, before anything that builds on it.
    pub(crate) fn note(&mut self, stage: Stage) -> anyhow::Result<()> {
        self.entry.stage = stage;
        write(&self.folder.join(RUN), &self.entry)?;
        if let Some(old) = self.old.take() {
            let put_aside = fs::rename(&old, self.folder.join("run.v1.json"));
            put_aside.with_context(|| old.display().to_string())?;
        }
        Ok(())
    }

    /// Where calls that cost are noted.
    pub(crate) fn notes(&self) -> Notes {
        Notes::new(self.folder.join(JOURNAL))
    }

    /// The events told so far.
    pub(crate) fn events(&self) -> anyhow::Result<Events> {
        Events::open(&self.folder.join(EVENTS))
    }
}

/// Every run in `root`, newest first.
pub(crate) fn all(root: &Path) -> anyhow::Result<Vec<(PathBuf, Entry)>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.with_context(|| root.display().to_string())?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        if let Some(entry) = entry::read(&folder.join(RUN))? {
            runs.push((folder, entry));
        }
    }
    let begun = |entry: &Entry| (entry.begun_at, entry.begun_nanoseconds);
    runs.sort_by(|(a, first), (b, second)| begun(second).cmp(&begun(first)).then_with(|| b.cmp(a)));
    Ok(runs)
}

/// The id under which some run left the content `sha256` at `service`.
pub(crate) fn sent(root: &Path, service: &str, sha256: &str) -> anyhow::Result<Option<FileId>> {
    let there = |(_, entry): (PathBuf, Entry)| {
        let files = (entry.service == service).then_some(entry.files)?;
        files.into_iter().find(|file| file.sha256 == sha256)?.id
    };
    Ok(all(root)?.into_iter().find_map(there))
}

/// What a person calls the run in `folder`.
pub(crate) fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A folder for a new run, not made yet: by its time, so that names sort as runs were begun.
fn fresh(root: &Path, what: &str, now: jiff::Timestamp) -> PathBuf {
    let letters: String = what.chars().take(KEY_LETTERS).collect();
    let time = now.strftime("%Y%m%d-%H%M%S");
    let base = format!("{time}-{letters}");
    let names = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
    names.map(|name| root.join(name)).find(|path| !path.exists()).expect("names do not run out")
}

/// Writes `value` as JSON beside its place, synced, and renames it there.
pub(crate) fn write(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_folder(folder);
        Ok(())
    };
    written().with_context(|| path.display().to_string())
}

/// The name must last as well as the content; where folders cannot be opened, the system takes care of it.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        folder.sync_all().ok();
    }
}

#[cfg(test)]
mod tests;
