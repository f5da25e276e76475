//! `prepare-data check`: chat files that somebody else made, judged as a service will read them.

mod print;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use dataset::{
    ChatReader, CheckedChat, ContentHash, Limits, Output, check_chat, commit, content_text,
    correct_chat,
};
use serde::Serialize;
use serde_json::Value;
use tokens::{Message, default_epochs};

use crate::budget::price_table;
use crate::counter::Counter;
use crate::counts::Counts;
use crate::input::{Input, Source};
use crate::phi::{self, Identified, Phi};
use crate::report::{IdentifierReport, REPORT_VERSION};
use crate::spread::Spread;

/// How many faulty examples a report lists; all are counted.
const LISTED: usize = 1000;

/// Check chat files before they are uploaded, and count their tokens.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Chat examples as JSON lines, a JSON array or a Parquet file, also compressed; the second file is compared with
    /// the first, and so on.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the examples without a fault here, one on a line; needs a single FILE.
    ///
    /// Unknown keys, weights on other messages than the assistant's and messages after its last one are removed first.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// The model to be tuned; its encoding counts the tokens.
    #[arg(long, value_name = "MODEL", default_value = "smollm2-135m-instruct")]
    base_model: String,
    /// Prices, limits and shutdown dates of models as TOML, in place of the bundled table.
    #[arg(long, value_name = "FILE")]
    price_table: Option<PathBuf>,
    /// What to do about identifiers of patients: say how many there are, or name them and fail.
    #[arg(long, default_value = "report", value_name = "report|fail", value_parser = phi)]
    phi: Phi,
    /// Print the report as JSON instead of the summary.
    #[arg(long)]
    json: bool,
}

/// What was found in one file.
#[derive(Debug, Serialize)]
struct FileReport {
    path: Source,
    bytes: u64,
    sha256: String,
    examples: u64,
    faulty: u64,
    by_fault: BTreeMap<&'static str, u64>,
    faults: Vec<FaultyMessage>,
    repeats: u64,
    in_earlier_files: u64,
    without_system: u64,
    without_user: u64,
    over_limit: u64,
    billable_tokens: u64,
    default_epochs: u32,
    written: u64,
    corrected: u64,
    messages: Option<Spread>,
    total_tokens: Option<Spread>,
    assistant_tokens: Option<Spread>,
    identifiers: IdentifierReport,
}

/// One fault by its place; never its text.
#[derive(Clone, Debug, Serialize)]
struct FaultyMessage {
    line: u64,
    index: u64,
    fault: &'static str,
    message: Option<usize>,
}

#[derive(Debug, Serialize)]
struct CheckReport {
    version: u32,
    tool: &'static str,
    base_model: String,
    encoding: String,
    doubt: Option<String>,
    limit: Option<usize>,
    files: Vec<FileReport>,
}

/// Runs the check; bad files end it with [`Exit::BadData`] after the report.
pub(crate) fn check(
    arguments: &CheckArguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    if arguments.write.is_some() && arguments.files.len() > 1 {
        return Err(Failure::new(Exit::Usage, anyhow!("--write needs a single FILE")));
    }
    let prices = price_table(arguments.price_table.as_deref())?;
    let models_dir = environment.cache_dir().join("models");
    let counter = Counter::for_model(&arguments.base_model, &models_dir)?;
    let limit = prices.model(&arguments.base_model).and_then(|row| row.max_training_tokens);
    let mut output = arguments.write.as_deref().map(Output::create).transpose()?;
    let mut seen = HashMap::new();
    let mut files = Vec::new();
    for (index, path) in arguments.files.iter().enumerate() {
        let mut tally = FileTally::new(&counter, limit, index);
        let input =
            tally.read(&Source::from(path.clone()), &mut seen, output.as_mut(), terminal)?;
        files.push(tally.report(Source::from(path.clone()), &input, arguments.phi));
    }
    let identified = arguments.phi == Phi::Fail
        && files.iter().any(|file: &FileReport| file.identifiers.found > 0);
    let written = match output.filter(|_| !identified) {
        Some(output) => commit(vec![output.finish()?], &[])?.pop(),
        None => None,
    };
    let report = CheckReport {
        version: REPORT_VERSION,
        tool: concat!("prepare-data ", env!("CARGO_PKG_VERSION")),
        base_model: arguments.base_model.clone(),
        encoding: counter.name().to_owned(),
        doubt: counter.doubt().map(str::to_owned),
        limit,
        files,
    };
    for file in &report.files {
        print::warn(file, terminal);
        if identified {
            phi::name(&file.identifiers, terminal);
        }
    }
    let text = if arguments.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        report.files.iter().map(|file| print::summary(file, &report)).collect()
    };
    terminal.out.write_all(text.as_bytes())?;
    let good = written.as_ref().map_or_else(
        || report.files.iter().all(|file| file.faulty == 0 && file.examples > 0),
        |written| written.lines > 0,
    );
    Ok(if good && !identified { Exit::Done } else { Exit::BadData })
}

/// What the check can do about identifiers: it does not change texts.
fn phi(text: &str) -> Result<Phi, &'static str> {
    match text {
        "report" => Ok(Phi::Report),
        "fail" => Ok(Phi::Fail),
        _ => Err("expected report or fail"),
    }
}

struct FileTally<'a> {
    counter: &'a Counter,
    limit: Option<usize>,
    file: usize,
    examples: u64,
    faulty: u64,
    by_fault: BTreeMap<&'static str, u64>,
    faults: Vec<FaultyMessage>,
    repeats: u64,
    in_earlier_files: u64,
    without_system: u64,
    without_user: u64,
    written: u64,
    corrected: u64,
    messages: Counts,
    total: Counts,
    assistant: Counts,
    identified: Identified,
}

impl<'a> FileTally<'a> {
    fn new(counter: &'a Counter, limit: Option<usize>, file: usize) -> Self {
        Self {
            counter,
            limit,
            file,
            examples: 0,
            faulty: 0,
            by_fault: BTreeMap::new(),
            faults: Vec::new(),
            repeats: 0,
            in_earlier_files: 0,
            without_system: 0,
            without_user: 0,
            written: 0,
            corrected: 0,
            messages: Counts::default(),
            total: Counts::default(),
            assistant: Counts::default(),
            identified: Identified::default(),
        }
    }

    /// Reads a file to its end; `seen` holds each chat so far with the number of its first file.
    fn read(
        &mut self,
        source: &Source,
        seen: &mut HashMap<ContentHash, usize>,
        mut output: Option<&mut Output>,
        terminal: &Terminal<'_>,
    ) -> Result<crate::input::Seen, Failure> {
        let mut input = Input::open(source, terminal)?;
        for chat in ChatReader::new(&mut input, Limits::default()) {
            let chat = chat.with_context(|| source.to_string()).or_exit(Exit::BadData)?;
            self.examples += 1;
            match chat.content_hash().map(|hash| seen.entry(hash)) {
                Some(Entry::Vacant(entry)) => {
                    entry.insert(self.file);
                }
                Some(Entry::Occupied(entry)) if *entry.get() == self.file => self.repeats += 1,
                Some(Entry::Occupied(_)) => self.in_earlier_files += 1,
                None => {}
            }
            self.judge(&chat);
            if let Some(value) = &chat.value {
                self.identified.chat(source, chat.place.index, value);
            }
            let Some(mut value) = chat.value else { continue };
            if chat.findings.is_empty() {
                self.measure(&value);
            }
            let Some(output) = &mut output else { continue };
            if !chat.findings.is_empty() {
                if correct_chat(&mut value).is_empty() || !check_chat(&value).is_empty() {
                    continue;
                }
                self.corrected += 1;
            }
            let line = value.to_string() + "\n";
            output.write_all(line.as_bytes()).context("the corrected file")?;
            self.written += 1;
        }
        Ok(input.finish())
    }

    fn judge(&mut self, chat: &CheckedChat) {
        self.faulty += u64::from(!chat.findings.is_empty());
        for finding in &chat.findings {
            *self.by_fault.entry(finding.fault.code()).or_default() += 1;
            if self.faults.len() < LISTED {
                self.faults.push(FaultyMessage {
                    line: chat.place.line,
                    index: chat.place.index,
                    fault: finding.fault.code(),
                    message: finding.message,
                });
            }
        }
    }

    fn measure(&mut self, value: &Value) {
        let messages = value["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let has = |role: &str| messages.iter().any(|message| message["role"] == role);
        self.without_system += u64::from(!has("system") && !has("developer"));
        self.without_user += u64::from(!has("user"));
        let texts: Vec<String> = messages.iter().map(content_text).collect();
        let turns: Vec<Message<'_>> = messages
            .iter()
            .zip(&texts)
            .map(|(message, content)| Message {
                role: message["role"].as_str().unwrap_or_default(),
                content,
                name: message["name"].as_str(),
            })
            .collect();
        let tokens = self.counter.messages(&turns);
        self.messages.add(messages.len() as u64);
        self.total.add(tokens.total as u64);
        self.assistant.add(tokens.assistant as u64);
    }

    fn report(self, path: Source, seen: &crate::input::Seen, phi: Phi) -> FileReport {
        let limit = self.limit.map_or(u64::MAX, |limit| limit as u64);
        let examples = usize::try_from(self.examples).unwrap_or(usize::MAX);
        let total = || self.total.iter();
        FileReport {
            path,
            bytes: seen.bytes,
            sha256: seen.sha256.clone(),
            examples: self.examples,
            faulty: self.faulty,
            by_fault: self.by_fault,
            faults: self.faults,
            repeats: self.repeats,
            in_earlier_files: self.in_earlier_files,
            without_system: self.without_system,
            without_user: self.without_user,
            over_limit: total().filter(|(tokens, _)| *tokens > limit).map(|(_, times)| times).sum(),
            billable_tokens: total().map(|(tokens, times)| tokens.min(limit) * times).sum(),
            default_epochs: default_epochs(examples),
            written: self.written,
            corrected: self.corrected,
            messages: Spread::of(&self.messages),
            total_tokens: Spread::of(&self.total),
            assistant_tokens: Spread::of(&self.assistant),
            identifiers: self.identified.report(phi),
        }
    }
}
