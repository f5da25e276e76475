//! The run from arguments to exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use dataset::{Entry, Example, Files, Limits, Output, Reader, Split, Spool, commit, split};
use template::Template;
use tokens::PriceTable;

use crate::arguments::Arguments;
use crate::budget;
use crate::config::Config;
use crate::counter::Counter;
use crate::input::{Input, Seen};
use crate::report::{InputFile, REPORT_VERSION, Report, TokenReport};
use crate::summary::{number, summary};
use crate::tally::Tally;
use crate::warnings;

/// Runs the tool with `args` (without the program's name) and returns how it ended.
pub fn run(args: Vec<OsString>, environment: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    cli::trace(environment, arguments.verbose);
    match Config::resolve(arguments).and_then(|config| prepare(&config, terminal)) {
        Ok(()) => Exit::Done,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn prepare(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let prices = PriceTable::bundled();
    let (tally, spool, seen, counter) = read(config, terminal)?;
    warnings::rejections(config, &tally, terminal);
    if spool.is_empty() {
        let error = anyhow!("no usable record: {} read, {} left out", tally.read, tally.rejected);
        return Err(Failure::new(Exit::BadData, error.context(config.input.display().to_string())));
    }
    let split = split(spool.len(), config.valid_fraction, config.seed);
    let files = spool.write(&split, &config.train_output, &config.valid_output)?;
    let report = report(config, &prices, Run { tally, seen, counter, split, files });
    if let Some(path) = &config.report {
        write_report(&report, path)?;
    }
    warnings::files(config, &report, &prices, terminal);
    let text = if config.json { json(&report)? } else { summary(&report) };
    terminal.out.write_all(text.as_bytes())?;
    Ok(())
}

/// Reads the input to its end: good records to the spool, everything else to the tally.
fn read(
    config: &Config,
    terminal: &Terminal<'_>,
) -> Result<(Tally, Spool, Seen, Counter), Failure> {
    let mut input = Input::open(&config.input, terminal)?;
    let bar = input.bar();
    let counter = Counter::for_model(&config.base_model);
    let mut spool = Spool::new_in(folder_of(&config.train_output))?;
    let mut tally = Tally::default();
    for entry in Reader::new(&mut input, Limits::default()) {
        match entry.with_context(|| config.input.display().to_string()).or_exit(Exit::BadData)? {
            Entry::Rejection(rejection) => tally.reject(rejection),
            Entry::Record(record) => {
                let example = Example::new(&record, config.template, &config.system_prompt);
                tally.keep(&record, &example, &counter);
                tally.ambiguous += u64::from(!splits_again(config.template, &record));
                spool.push(&example).context("the temporary file of examples")?;
            }
        }
        if tally.read.is_multiple_of(256) {
            bar.set_message(format!("{} records", number(tally.read)));
        }
    }
    Ok((tally, spool, input.finish(), counter))
}

/// Whether an answer that is word for word this record's comes apart into the record's halves.
fn splits_again(template: Template, record: &dataset::Record) -> bool {
    if template == Template::Plain {
        return true;
    }
    let answer = template.split(&template.render(&record.reasoning, &record.response));
    answer.reasoning.as_deref() == Some(record.reasoning.trim())
        && answer.response == record.response.trim()
}

struct Run {
    tally: Tally,
    seen: Seen,
    counter: Counter,
    split: Split,
    files: Files,
}

fn report(config: &Config, prices: &PriceTable, run: Run) -> Report {
    let Run { tally, seen, counter, split, files } = run;
    let limit = prices.model(&config.base_model).and_then(|row| row.max_training_tokens);
    let [train, valid] = [&split.train, &split.valid].map(|side| tally.side(side, limit));
    Report {
        version: REPORT_VERSION,
        tool: concat!("prepare-data ", env!("CARGO_PKG_VERSION")),
        input: InputFile { path: config.input.clone(), bytes: seen.bytes, sha256: seen.sha256 },
        read: tally.read,
        train: split.train.len() as u64,
        valid: split.valid.len() as u64,
        rejected: tally.rejected,
        rejected_by_reason: tally.by_reason,
        rejected_records: tally.listed,
        ambiguous: tally.ambiguous,
        template: config.template,
        system_prompt: config.system_prompt.clone(),
        fingerprint: template::fingerprint(&config.template, &config.system_prompt),
        seed: config.seed,
        valid_fraction: config.valid_fraction,
        removed_valid_file: files.removed_valid,
        train_file: files.train,
        valid_file: files.valid,
        tokens: TokenReport {
            base_model: config.base_model.clone(),
            encoding: counter.name().to_owned(),
            exact: counter.is_exact(),
            limit,
            train,
            valid,
        },
        budget: budget::budget(&config.base_model, prices, split.train.len(), train.billable),
    }
}

fn json(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

fn write_report(report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut output = Output::create(path)?;
    output.write_all(json(report)?.as_bytes()).with_context(|| path.display().to_string())?;
    commit(vec![output], &[])?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}
