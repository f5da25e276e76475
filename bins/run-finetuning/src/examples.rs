//! The files to train and measure on, checked before anything is sent.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use ftjob::LocalFile;
use serde::Deserialize;
use template::Template;
use tokens::{ChatConstants, Encoding};
use wire::{ChatMessage, Role};

/// The longest line to read; the services' own limits are far below it.
const LINE_LIMIT: usize = 16 << 20;

/// A checked file.
#[derive(Debug)]
pub(crate) struct Examples {
    pub(crate) file: LocalFile,
    /// How many there are.
    pub(crate) count: usize,
    /// Their tokens by the base model's encoding, each up to `limit`, where there is one.
    pub(crate) tokens: Option<u64>,
    /// The system message of the first.
    pub(crate) system_prompt: String,
    /// How the first one's answer is written.
    pub(crate) template: Template,
}

#[derive(Deserialize)]
struct Row {
    messages: Vec<ChatMessage>,
}

/// What counts tokens, and the most that are trained of one example.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) encoding: Encoding,
    pub(crate) constants: ChatConstants,
    pub(crate) limit: usize,
}

impl Examples {
    /// Reads the file at `path` to its end.
    pub(crate) async fn read(path: &Path, counter: Option<&Counter>) -> anyhow::Result<Self> {
        let file = LocalFile::read(path).await?;
        let mut examples = Self {
            file,
            count: 0,
            tokens: counter.map(|_| 0),
            system_prompt: String::new(),
            template: Template::Plain,
        };
        let mut lines = Lines::open(path)?;
        while let Some((number, line)) = lines.next()? {
            let at = || format!("{}, line {number}", path.display());
            examples.take(line, counter).with_context(at)?;
        }
        if examples.count == 0 {
            bail!("{}: no examples", path.display());
        }
        Ok(examples)
    }

    fn take(&mut self, line: &[u8], counter: Option<&Counter>) -> anyhow::Result<()> {
        // The parser's own words would quote the record.
        let row: Row = serde_json::from_slice(line).map_err(|error| {
            anyhow!(
                "no object with a list `messages` of {{role, content}} (column {})",
                error.column()
            )
        })?;
        let answer = row.messages.last().filter(|message| message.role == Role::Assistant);
        let answer =
            answer.ok_or_else(|| anyhow!("the last message is not the assistant's"))?.text();
        if answer.trim().is_empty() {
            bail!("the assistant's message is blank");
        }
        if self.count == 0 {
            let system = row.messages.iter().find(|message| message.role == Role::System);
            self.system_prompt = system.map(ChatMessage::text).unwrap_or_default();
            let marked = [Template::Headed, Template::Think];
            let template =
                marked.into_iter().find(|marked| marked.split(&answer).reasoning.is_some());
            self.template = template.unwrap_or(Template::Plain);
        }
        self.count += 1;
        if let (Some(counter), Some(tokens)) = (counter, &mut self.tokens) {
            *tokens += counter.count(&row.messages) as u64;
        }
        Ok(())
    }
}

impl Counter {
    fn count(&self, messages: &[ChatMessage]) -> usize {
        let texts: Vec<(String, String)> =
            messages.iter().map(|message| (message.role.to_string(), message.text())).collect();
        let turns = texts.iter().map(|(role, text)| (role.as_str(), text.as_str()));
        self.constants.count(&self.encoding, turns).total.min(self.limit)
    }
}

/// The lines of a file that are not blank, with their numbers, in memory one at a time.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::new(file),
            line: Vec::new(),
            number: 0,
        })
    }

    fn next(&mut self) -> anyhow::Result<Option<(u64, &[u8])>> {
        loop {
            self.line.clear();
            self.number += 1;
            let limit = LINE_LIMIT as u64;
            let mut reader = std::io::Read::take(&mut self.reader, limit);
            let read = reader
                .read_until(b'\n', &mut self.line)
                .with_context(|| self.path.display().to_string())?;
            if read == 0 {
                return Ok(None);
            }
            if read == LINE_LIMIT {
                bail!(
                    "{}, line {}: longer than {LINE_LIMIT} bytes",
                    self.path.display(),
                    self.number
                );
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.number, self.line.trim_ascii())))
    }
}
