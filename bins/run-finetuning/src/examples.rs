//! The files to train and measure on, checked before anything is sent.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use cli::Terminal;
use dataset::{ChatReader, CheckedChat, ContentHash, Fault, Limits, content_text};
use ftjob::{LocalFile, Method};
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

/// How a file of examples is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) counter: Option<&'a Counter>,
    pub(crate) method: Method,
}

/// The reader of what `method` learns from.
pub(crate) fn reader<R: Read>(input: R, method: Method) -> ChatReader<R> {
    match method {
        Method::Preferences { .. } => ChatReader::of_preferences(input, Limits::default()),
        _ => ChatReader::new(input, Limits::default()),
    }
}

impl Examples {
    /// Reads the file at `path` to its end; its words go to `words`.
    pub(crate) async fn read(
        path: &Path,
        reading: Reading<'_>,
        words: &mut Words,
        terminal: &Terminal<'_>,
    ) -> anyhow::Result<Self> {
        let file = LocalFile::read(path).await?;
        let mut examples = Self {
            file,
            count: 0,
            tokens: reading.counter.map(|_| 0),
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
        for checked in reader(input, reading.method) {
            examples.take(&checked.with_context(named)?, reading, words).with_context(named)?;
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
        reading: Reading<'_>,
        words: &mut Words,
    ) -> anyhow::Result<()> {
        let line = checked.place.line;
        for finding in &checked.findings {
            if !is_oddity(finding.fault) {
                let message = finding.message.map(|index| format!(" in message {index}"));
                let message = message.unwrap_or_default();
                let other = other_method(checked, finding.fault).unwrap_or_default();
                bail!("line {line}: {}{message}{other}", finding.fault.code());
            }
            self.oddities.entry(finding.fault.code()).or_insert((0, line)).0 += 1;
        }
        let messages = checked.messages();
        let pairs = matches!(reading.method, Method::Preferences { .. });
        if self.count == 0 {
            // Of a pair the worse answer stands last.
            self.learn_form(&messages[..messages.len() - usize::from(pairs)]);
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
        if let Some(counter) = reading.counter {
            self.count_tokens(counter, &texts, (pairs, line));
        }
        Ok(())
    }

    /// Counts an example's tokens; a pair is read as its conversation with each of the answers.
    fn count_tokens(
        &mut self,
        counter: &Counter,
        texts: &[(&str, String)],
        (pairs, line): (bool, u64),
    ) {
        let lengths = match texts.split_last() {
            Some((worse, better)) if pairs => {
                let conversation = &better[..better.len().saturating_sub(1)];
                vec![counter.count(better), counter.count(conversation.iter().chain([worse]))]
            }
            _ => vec![counter.count(texts)],
        };
        let within = lengths.iter().map(|length| (*length).min(counter.limit) as u64);
        *self.tokens.get_or_insert(0) += within.sum::<u64>();
        if lengths.iter().any(|length| *length > counter.limit) {
            self.cut.get_or_insert((0, line)).0 += 1;
        }
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
    fn learn_form(&mut self, messages: &[&Value]) {
        let system = messages.iter().find(|message| message["role"] == "system");
        self.system_prompt = system.map(|system| content_text(system)).unwrap_or_default();
        let answer = messages.last().map(|last| content_text(last)).unwrap_or_default();
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

/// What to do about a line that another way of training reads.
fn other_method(checked: &CheckedChat, fault: Fault) -> Option<&'static str> {
    let has = |key: &str| checked.value.as_ref().is_some_and(|value| value.get(key).is_some());
    match fault {
        Fault::MissingMessagesList if has("preferred_output") => {
            Some("; pairs of answers are trained on with --method dpo")
        }
        Fault::MissingInput if has("messages") => {
            Some("; examples of good answers are trained on without --method dpo")
        }
        _ => None,
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
    fn count<'a>(&self, texts: impl IntoIterator<Item = &'a (&'a str, String)>) -> usize {
        let turns = texts.into_iter().map(|(role, text)| (*role, text.as_str()));
        self.constants.count(&self.encoding, turns).total
    }
}
