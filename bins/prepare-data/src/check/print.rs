//! What the check found, as a person reads it.

use std::fmt::Write;

use cli::Terminal;

use super::{CheckReport, FileReport};
use crate::phi::counts;
use crate::summary::{count, number};

/// How many faults are named one by one.
const NAMED: usize = 10;
/// The fewest training examples that a hosted service accepts.
const SERVICE_MINIMUM: u64 = 10;
/// The largest file that the service takes in one request.
const SERVICE_BYTES: u64 = 512 << 20;

/// Names faults by place, and what else may stop a job.
pub(super) fn warn(file: &FileReport, terminal: &mut Terminal<'_>) {
    let path = &file.path;
    let mut lines: Vec<String> = Vec::new();
    for fault in file.faults.iter().take(NAMED) {
        let place = fault.message.map_or_else(String::new, |index| format!(", message {index}"));
        lines.push(format!("line {}{place}: {}", fault.line, fault.fault));
    }
    let all: u64 = file.by_fault.values().sum();
    if all > NAMED as u64 {
        lines.push(format!("and {} more", count(all - NAMED as u64, "fault")));
    }
    if file.examples < SERVICE_MINIMUM {
        let examples = count(file.examples, "example");
        lines.push(format!(
            "{examples}, and the service asks for at least {SERVICE_MINIMUM} to train on"
        ));
    }
    if file.bytes > SERVICE_BYTES {
        lines.push(format!(
            "{} bytes, and the service takes {}",
            number(file.bytes),
            number(SERVICE_BYTES)
        ));
    }
    if file.repeats > 0 {
        lines.push(format!("{} of one before it", count(file.repeats, "repeat")));
    }
    if file.in_earlier_files > 0 {
        lines.push(format!("{} also in an earlier file", count(file.in_earlier_files, "example")));
    }
    for line in lines {
        // Whoever closed the stream does not want to know.
        let _ = writeln!(terminal.err, "warning: {path}: {line}");
    }
}

/// The figures of one file.
pub(super) fn summary(file: &FileReport, report: &CheckReport) -> String {
    let mut text = format!(
        "{}: {}, {} with a fault\n",
        file.path,
        count(file.examples, "example"),
        number(file.faulty)
    );
    for (fault, found) in &file.by_fault {
        let _ = writeln!(text, "  {:>8}  {fault}", number(*found));
    }
    let _ = writeln!(
        text,
        "  {} without a system message, {} without a user message",
        file.without_system, file.without_user
    );
    if file.written > 0 {
        let written = count(file.written, "example");
        let _ = writeln!(text, "  {written} written, {} of them corrected", number(file.corrected));
    }
    if file.identifiers.found > 0 {
        let _ = writeln!(text, "  identifiers of patients: {}", counts(&file.identifiers));
    }
    let _ = write!(text, "  for {}, counted by {}", report.base_model, report.encoding);
    if let Some(doubt) = &report.doubt {
        let _ = write!(text, " (an estimate: {doubt})");
    }
    text.push('\n');
    for (name, spread) in [
        ("messages", &file.messages),
        ("tokens", &file.total_tokens),
        ("assistant's tokens", &file.assistant_tokens),
    ] {
        if let Some(spread) = spread {
            let _ = writeln!(text, "  {name:<20}{spread}");
        }
    }
    if let Some(limit) = report.limit {
        let _ = writeln!(
            text,
            "  {} over the limit of {} tokens, which will lose the end",
            count(file.over_limit, "example"),
            number(limit as u64)
        );
    }
    let _ = writeln!(
        text,
        "  {} to train on in an epoch; the service chooses {} for this many examples",
        count(file.billable_tokens, "token"),
        count(u64::from(file.default_epochs), "epoch"),
    );
    text
}
