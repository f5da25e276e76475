//! The run from arguments to exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, Terminal};
use dataset::{Finished, Output, Split, commit};

use crate::arguments::{Arguments, Command};
use crate::budget;
use crate::check::check;
use crate::config::Config;
use crate::counter::Counter;
use crate::gather::{Gathered, TEMPORARY, gather};
use crate::lengths::Lengths;
use crate::manifest::{Manifest, Side};
use crate::overlong::Overlong;
use crate::page::page;
use crate::phi::{self, Phi};
use crate::report::{
    ContaminationReport, REPORT_VERSION, RecordPlace, RepeatReport, Report, TokenReport,
};
use crate::sides::{each_side, side_tokens, sides};
use crate::summary::{count, number, summary};
use crate::tally::Tally;
use crate::warnings;

/// The definition of the tool's command line, for manual pages and completions.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the tool with `args` (without the program's name) and returns how it ended.
pub fn run(args: Vec<OsString>, environment: &Environment, terminal: &mut Terminal<'_>) -> Exit {
    let arguments: Arguments = match cli::parse(args, terminal) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    cli::trace(environment, arguments.verbose);
    let outcome = match &arguments.command {
        Some(Command::Check(arguments)) => check(arguments, environment, terminal),
        None => Config::resolve(arguments, environment)
            .and_then(|config| prepare(&config, terminal))
            .map(|()| Exit::Done),
    };
    match outcome {
        Ok(exit) => exit,
        Err(failure) => cli::report(terminal, &failure),
    }
}

fn prepare(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let prices = &config.prices;
    let counter = Counter::for_model(&config.base_model, &config.models_dir)?;
    let origin = match &config.download {
        Some(download) => Some(download.fetch(config.inputs[0].path(), terminal)?),
        None => None,
    };
    let mut gathered = gather(config, &counter, origin, terminal)?;
    warnings::rejections(&gathered.tally, terminal);
    if gathered.spool.is_empty() {
        return Err(nothing_usable(gathered)?);
    }
    let (split, repeats) = sides(config, &mut gathered)?;
    let sides = each_side(&split, gathered.kept.len());
    let mut report = report(config, &counter, (&gathered, &sides, repeats))?;
    if config.phi == Phi::Fail && !gathered.identified.is_empty() {
        return Err(identified(config, &report, &gathered.tally, terminal)?);
    }
    if config.overlong == Overlong::Fail && report.overlong.applied && report.overlong.records > 0 {
        return Err(overlong(config, &report, &gathered.tally)?);
    }
    if !config.dry_run {
        write(config, gathered, (&split, &sides), &mut report)?;
    }
    warnings::files(config, &report, prices, terminal);
    let text = if config.json { json(&report)? } else { summary(&report) };
    terminal.out.write_all(text.as_bytes())?;
    Ok(())
}

/// The failure of a run that found no record to write; the list of rejected ones is written all the same.
fn nothing_usable(gathered: Gathered) -> anyhow::Result<Failure> {
    let Gathered { tally, rejects, inputs, .. } = gathered;
    if let Some(rejects) = rejects {
        commit(vec![rejects.finish()?], &[])?;
    }
    let from = inputs.first().map_or_else(String::new, |input| input.path.to_string());
    let read = count(tally.read, "record");
    let error = anyhow!("no usable record: {read} read, {} left out", tally.rejected);
    Ok(Failure::new(Exit::BadData, error.context(from)))
}

/// The failure of a run that must not find an identifier of a patient; its report is written all the same.
fn identified(
    config: &Config,
    report: &Report,
    tally: &Tally,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Failure> {
    commit(reports(config, report, tally)?, &[])?;
    phi::name(&report.identifiers, terminal);
    let error = anyhow!("identifiers of patients: {}", phi::counts(&report.identifiers));
    Ok(Failure::new(Exit::BadData, error)
        .hint("--phi redact puts the kind in the place of each; --report FILE lists them"))
}

/// The failure of a run that must not find a record that is too long; its report is written all the same.
fn overlong(config: &Config, report: &Report, tally: &Tally) -> anyhow::Result<Failure> {
    commit(reports(config, report, tally)?, &[])?;
    let found = &report.overlong;
    let limit = number(found.limit.unwrap_or(0) as u64);
    let first = found.places.first().map(|place| {
        let RecordPlace { source, index } = &place.record;
        format!(", the first at index {index} of {source} with {}", number(place.tokens as u64))
    });
    let records = count(found.records, "record");
    let error = anyhow!("{records} longer than {limit} tokens{}", first.unwrap_or_default());
    Ok(Failure::new(Exit::BadData, error).hint(
        "--overlong reject leaves them out, --overlong trim-reasoning shortens their reasoning",
    ))
}

/// The reports that were asked for, not yet in place.
fn reports(config: &Config, report: &Report, tally: &Tally) -> anyhow::Result<Vec<Finished>> {
    let paths = config.outputs.reports.iter().filter(|_| !config.dry_run);
    let written = paths.map(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension
            .is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"))
        {
            let mut output = Output::create(path)?;
            output
                .write_all(page(report, tally)?.as_bytes())
                .with_context(|| path.display().to_string())?;
            Ok(output.finish()?)
        } else {
            json_file(report, path)
        }
    });
    written.collect()
}

fn report(
    config: &Config,
    counter: &Counter,
    (gathered, sides, repeats): (&Gathered, &[Side], RepeatReport),
) -> anyhow::Result<Report> {
    let Gathered { inputs, tally, kept, .. } = gathered;
    let prices = &config.prices;
    let limit = config.limit(counter);
    let [train, valid] = side_tokens(kept, sides, limit).context(TEMPORARY)?;
    let validating = sides.iter().filter(|side| **side == Side::Valid).count();
    let training = sides.len() - validating;
    Ok(Report {
        version: REPORT_VERSION,
        tool: concat!("prepare-data ", env!("CARGO_PKG_VERSION")),
        inputs: inputs.clone(),
        read: tally.read,
        train: training as u64,
        valid: validating as u64,
        rejected: tally.rejected,
        rejected_by_reason: tally.by_reason.clone(),
        rejected_records: tally.listed.clone(),
        ambiguous: tally.ambiguous,
        overlong: tally.overlong.clone(),
        repeats,
        contamination: ContaminationReport {
            problems: gathered.problems,
            contaminated: tally.contaminated,
            dropped: config.against.drop_contaminated,
            records: tally.contaminations.clone(),
        },
        identifiers: gathered.identified.report(config.phi),
        template: config.template.clone(),
        system_prompt: config.system_prompt.clone(),
        fingerprint: template::fingerprint(&config.template, &config.system_prompt),
        seed: config.seed,
        split: config.splitting,
        valid_fraction: config.valid_fraction,
        train_file: None,
        valid_file: None,
        removed_valid_file: false,
        tokens: TokenReport {
            base_model: config.base_model.clone(),
            encoding: counter.name().to_owned(),
            doubt: counter.doubt().map(str::to_owned),
            limit,
            train,
            valid,
        },
        lengths: Lengths::of(tally, limit),
        asking: budget::asking(&config.base_model, prices, (training, train)),
        budget: budget::budget(&config.base_model, counter, prices, (training, train.billable)),
    })
}

/// Writes all files and puts them in place together; the report then says what was written.
fn write(
    config: &Config,
    gathered: Gathered,
    (split, sides): (&Split, &[Side]),
    report: &mut Report,
) -> anyhow::Result<()> {
    let Gathered { mut spool, kept, tally, rejects, .. } = gathered;
    let outputs = &config.outputs;
    let both = [(&split.train[..], &*outputs.train), (&split.valid[..], &*outputs.valid)];
    let parts = if split.valid.is_empty() { &both[..1] } else { &both };
    let mut files = spool.copies(parts)?;
    let removals: &[&Path] = if split.valid.is_empty() { &[&outputs.valid] } else { &[] };
    let mut written = files.iter().map(|file| file.written().clone());
    (report.train_file, report.valid_file) = (written.next(), written.next());
    // Giving up so much of the disk takes time, which the files' way there takes as well.
    drop(spool);
    report.removed_valid_file = removals.iter().any(|path| path.exists());
    let manifest = Manifest::new(report, &kept, sides);
    files.push(json_file(&manifest, &outputs.manifest)?);
    files.extend(reports(config, report, &tally)?);
    if let Some(rejects) = rejects {
        files.push(rejects.finish()?);
    }
    commit(files, removals)?;
    Ok(())
}

fn json(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

fn json_file<T: serde::Serialize>(value: &T, path: &Path) -> anyhow::Result<Finished> {
    let mut output = Output::create(path)?;
    serde_json::to_writer_pretty(&mut output, value)
        .map_err(std::io::Error::from)
        .and_then(|()| output.write_all(b"\n"))
        .with_context(|| path.display().to_string())?;
    Ok(output.finish()?)
}
