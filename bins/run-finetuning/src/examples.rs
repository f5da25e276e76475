//! The files to train and measure on, checked before anything is sent.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};
use cli::Terminal;
use dataset::{ChatReader, CheckedChat, ContentHash, Fault, Limits, content_text};
use ftjob::LocalFile;
use identifiers::Kind;
use serde_json::Value;
use template::Template;
use tokens::{ChatConstants, Encoding};

use crate::words::Words;

/// How many lines with identifiers are named.
const NAMED_LINES: usize = 5;

/// A checked file.
#[derive(Debug)]
pub(crate) struct Examples {
    pub(crate) file: LocalFile,
    /// How many there are.
    pub(crate) count: usize,
    /// Their tokens by the base model's encoding, each up to the limit, where there is one.
    pub(crate) tokens: Option<u64>,
    /// How many are longer than the limit, so that their ends are cut, and the line of the first.
    pub(crate) cut: Option<(usize, u64)>,
    /// What is odd and no reason to stop: how often, and the line of the first.
    pub(crate) oddities: BTreeMap<&'static str, (usize, u64)>,
    /// Names of the examples' contents, in their order.
    pub(crate) contents: Vec<ContentHash>,
    /// Identifiers of patients, by kind.
    pub(crate) identifiers: BTreeMap<Kind, usize>,
    /// The first lines with identifiers.
    pub(crate) identifier_lines: Vec<u64>,
    /// The system message of the first.
    pub(crate) system_prompt: String,
    /// How the first one's answer is written.
    pub(crate) template: Template,
}

/// What counts tokens, and the most that are trained of one example.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) encoding: Encoding,
    pub(crate) constants: ChatConstants,
    pub(crate) limit: usize,
}

impl Examples {
    /// Reads the file at `path` to its end; its words go to `words`.
    pub(crate) async fn read(
        path: &Path,
        counter: Option<&Counter>,
        words: &mut Words,
        terminal: &Terminal<'_>,
    ) -> anyhow::Result<Self> {
        let file = LocalFile::read(path).await?;
        let mut examples = Self {
            file,
            count: 0,
            tokens: counter.map(|_| 0),
            cut: None,
            oddities: BTreeMap::new(),
            contents: Vec::new(),
            identifiers: BTreeMap::new(),
            identifier_lines: Vec::new(),
            system_prompt: String::new(),
            template: Template::Plain,
        };
        let named = || path.display().to_string();
        check_lines(path)?;
        let bar = cli::bytes_progress(terminal, examples.file.bytes);
        bar.set_message("checking");
        let input = bar.wrap_read(File::open(path).with_context(named)?);
        for checked in ChatReader::new(input, Limits::default()) {
            examples.take(&checked.with_context(named)?, counter, words).with_context(named)?;
        }
        bar.finish_and_clear();
        if examples.count == 0 {
            bail!("{}: no examples", path.display());
        }
        Ok(examples)
    }

    fn take(
        &mut self,
        checked: &CheckedChat,
        counter: Option<&Counter>,
        words: &mut Words,
    ) -> anyhow::Result<()> {
        let line = checked.place.line;
        for finding in &checked.findings {
            if !is_oddity(finding.fault) {
                let message = finding.message.map(|index| format!(" in message {index}"));
                bail!("line {line}: {}{}", finding.fault.code(), message.unwrap_or_default());
            }
            self.oddities.entry(finding.fault.code()).or_insert((0, line)).0 += 1;
        }
        let messages = checked.value.as_ref().and_then(|value| value["messages"].as_array());
        let messages = messages.context("no messages")?;
        if self.count == 0 {
            self.learn_form(messages);
        }
        self.count += 1;
        self.contents.extend(checked.content_hash());
        let texts: Vec<(&str, String)> = messages
            .iter()
            .map(|message| (message["role"].as_str().unwrap_or_default(), content_text(message)))
            .collect();
        self.look_for_identifiers(&texts, line);
        for (_, text) in &texts {
            words.add(text);
        }
        if let (Some(counter), Some(tokens)) = (counter, &mut self.tokens) {
            let length = counter.count(&texts);
            *tokens += length.min(counter.limit) as u64;
            if length > counter.limit {
                self.cut.get_or_insert((0, line)).0 += 1;
            }
        }
        Ok(())
    }

    fn look_for_identifiers(&mut self, texts: &[(&str, String)], line: u64) {
        let found: Vec<_> = texts
            .iter()
            .flat_map(|(_, text)| identifiers::scan(text))
            .map(|found| found.kind)
            .collect();
        if !found.is_empty() && self.identifier_lines.len() < NAMED_LINES {
            self.identifier_lines.push(line);
        }
        for kind in found {
            *self.identifiers.entry(kind).or_default() += 1;
        }
    }

    /// Takes from the first example how the model is to be asked.
    fn learn_form(&mut self, messages: &[Value]) {
        let system = messages.iter().find(|message| message["role"] == "system");
        self.system_prompt = system.map(content_text).unwrap_or_default();
        let answer = messages.last().map(content_text).unwrap_or_default();
        let marked = [Template::Headed, Template::Think];
        let template = marked.into_iter().find(|marked| marked.split(&answer).reasoning.is_some());
        self.template = template.unwrap_or(Template::Plain);
    }

    /// How many of `other`'s examples stand here as well.
    pub(crate) fn shared_with(&self, other: &Self) -> usize {
        let own: HashSet<&ContentHash> = self.contents.iter().collect();
        other.contents.iter().filter(|content| own.contains(content)).count()
    }
}

/// What a service trains on all the same; all else it refuses after the upload.
fn is_oddity(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::LostCharacter
            | Fault::SpecialTokenText
            | Fault::UnrecognizedKey
            | Fault::MessageUnrecognizedKey
    )
}

/// Refuses what is no plain JSON lines, such as an array or a compressed file, which services do not read.
fn check_lines(path: &Path) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let mut reader = BufReader::new(File::open(path).with_context(named)?);
    let start = reader.fill_buf().with_context(named)?;
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => bail!("{}: a JSON array; services want one example a line", path.display()),
        Some(b'{') | None => Ok(()),
        Some(_) => bail!("{}: no JSON lines", path.display()),
    }
}

impl Counter {
    fn count(&self, texts: &[(&str, String)]) -> usize {
        let turns = texts.iter().map(|(role, text)| (*role, text.as_str()));
        self.constants.count(&self.encoding, turns).total
    }
}
