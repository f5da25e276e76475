//! A line before each call that costs, and one with the outline of its answer before that is read.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ftjob::{Journal, Step};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::JobId;

const VERSION: u32 = 1;
const CREATE: &str = "create";

/// The journal of one run.
#[derive(Debug)]
pub(crate) struct Notes {
    path: PathBuf,
}

impl Notes {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn add(&self, note: &Value) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        // A process that was killed while it wrote leaves half a line; what follows begins on its own.
        file.write_all(format!("\n{note}\n").as_bytes())?;
        file.sync_data()?;
        if is_new {
            super::sync_folder(folder);
        }
        Ok(())
    }
}

impl Journal for Notes {
    fn intend(&mut self, step: Step<'_>) -> io::Result<()> {
        self.add(&json!({"version": VERSION, "intended": named(step), "sha256": content(step)}))
    }

    fn answered(&mut self, step: Step<'_>, outline: &str) -> io::Result<()> {
        let outline = serde_json::from_str(outline).unwrap_or_else(|_| Value::from(outline));
        self.add(&json!({"version": VERSION, "answered": named(step), "sha256": content(step), "outline": outline}))
    }

    fn is_open(&self, step: Step<'_>) -> bool {
        let Ok(text) = fs::read_to_string(&self.path) else { return false };
        let mut notes = text.lines().filter_map(|line| serde_json::from_str::<Note>(line).ok());
        let about = |note: &Note| {
            let name = note.intended.as_deref().or(note.answered.as_deref());
            name == Some(named(step)) && note.sha256.as_deref() == content(step)
        };
        notes.rfind(about).is_some_and(|note| note.intended.is_some())
    }
}

fn named(step: Step<'_>) -> &'static str {
    match step {
        Step::Upload(_) => "upload",
        Step::Create => CREATE,
        _ => "other",
    }
}

fn content(step: Step<'_>) -> Option<&str> {
    match step {
        Step::Upload(sha256) => Some(sha256),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Note {
    intended: Option<String>,
    sha256: Option<String>,
    answered: Option<String>,
    outline: Option<Value>,
}

/// The job that the service answered with last.
pub(super) fn created(path: &Path) -> anyhow::Result<Option<JobId>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| path.display().to_string())?,
    };
    let notes = text.lines().filter_map(|line| serde_json::from_str::<Note>(line).ok());
    let answers = notes.filter(|note| note.answered.as_deref() == Some(CREATE));
    let id = |note: Note| note.outline?.get("id")?.as_str()?.parse::<JobId>().ok();
    Ok(answers.filter_map(id).next_back())
}
