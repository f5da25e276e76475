//! The events of a job, each once, in the order in which they were told.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};
use wire::{Event, Metrics};

/// The file of a run's events.
#[derive(Debug)]
pub(crate) struct Events {
    path: PathBuf,
    file: Option<File>,
    /// What was told by earlier processes, oldest first.
    pub(crate) told: Vec<Event>,
}

impl Events {
    /// Reads the events in the file at `path`; half a line, left by a process that was killed, is cut off.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let context = || path.display().to_string();
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.with_context(context)?,
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if whole < bytes.len() {
            let file = OpenOptions::new().write(true).open(path).with_context(context)?;
            file.set_len(whole as u64).with_context(context)?;
        }
        let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let told = lines.map(serde_json::from_slice).collect::<Result<_, _>>();
        let told = told.with_context(context)?;
        Ok(Self { path: path.to_owned(), file: None, told })
    }

    /// The events of the run in `folder`.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        Self::open(&folder.join(super::EVENTS))
    }

    /// Their ids.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.told.iter().map(|event| event.id.clone()).collect()
    }

    /// Adds an event, its words replaced by `words`, before it is shown.
    pub(crate) fn add(&mut self, event: &Event, words: &str) -> std::io::Result<()> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            self.file = Some(file);
        }
        let kept = Event {
            message: words.to_owned(),
            data: event.data.as_ref().map(numbers),
            extra: Map::new(),
            ..event.clone()
        };
        let mut line = serde_json::to_vec(&kept)?;
        line.push(b'\n');
        self.file.as_mut().expect("it was opened above").write_all(&line)
    }
}

/// The members of an event's data that are numbers; others may hold words.
pub(crate) fn numbers(data: &Value) -> Value {
    let Some(members) = data.as_object() else { return Value::Null };
    let kept = members.iter().filter(|(_, value)| value.is_number() || value.is_boolean());
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The numbers of every event that has some.
pub(crate) fn metrics(events: &[Event]) -> impl Iterator<Item = Metrics> {
    events.iter().filter_map(Event::read_metrics)
}
