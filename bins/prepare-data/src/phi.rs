//! Identifiers of patients in what was read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cli::Terminal;
use dataset::Record;
use identifiers::{Finding, redact, scan};
use serde::Serialize;
use serde_json::Value;

use crate::input::Source;
use crate::report::{IdentifierPlace, IdentifierReport, RecordPlace};
use crate::summary::count;

/// How many identifiers a report lists; all are counted.
const LISTED: usize = 1000;

/// How many identifiers are named one by one.
const NAMED: usize = 5;

/// What to do about identifiers of patients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phi {
    /// Count them and say where they stand.
    #[default]
    Report,
    /// Put their kind in their place, such as `[PHONE]`.
    Redact,
    /// Write nothing if there is one.
    Fail,
}

/// The identifiers found so far, by place and kind, and none of their text.
#[derive(Debug, Default)]
pub(crate) struct Identified {
    found: u64,
    records: u64,
    by_kind: BTreeMap<&'static str, u64>,
    places: Vec<IdentifierPlace>,
}

/// What was found in a record's three texts, in their order.
pub(crate) type Found = [Vec<Finding>; 3];

/// Finds the identifiers in `record`, and removes them where that is asked for.
pub(crate) fn examine(record: &Record, phi: Phi) -> (Cow<'_, Record>, Found) {
    let found = [&record.question, &record.reasoning, &record.response].map(|text| scan(text));
    if phi != Phi::Redact || found.iter().all(Vec::is_empty) {
        return (Cow::Borrowed(record), found);
    }
    let mut clean = record.clone();
    for text in [&mut clean.question, &mut clean.reasoning, &mut clean.response] {
        *text = redact(text).into_owned();
    }
    (Cow::Owned(clean), found)
}

impl Identified {
    /// Counts what [`examine`] found in the record number `index` of `source`.
    pub(crate) fn record(&mut self, source: &Source, index: u64, found: &Found) {
        for (field, findings) in ["question", "reasoning", "response"].into_iter().zip(found) {
            self.add(source, index, field, findings);
        }
        self.records += u64::from(found.iter().any(|findings| !findings.is_empty()));
    }

    /// Counts what stands in any text of the example number `index` of `source`.
    pub(crate) fn chat(&mut self, source: &Source, index: u64, chat: &Value) {
        let before = self.found;
        walk(chat, &mut String::new(), &mut |field, text| {
            self.add(source, index, field, &scan(text));
        });
        self.records += u64::from(self.found > before);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found == 0
    }

    pub(crate) fn report(&self, phi: Phi) -> IdentifierReport {
        IdentifierReport {
            phi,
            found: self.found,
            records: self.records,
            by_kind: self.by_kind.clone(),
            places: self.places.clone(),
        }
    }

    fn add(&mut self, source: &Source, index: u64, field: &str, findings: &[Finding]) {
        self.found += findings.len() as u64;
        for finding in findings {
            *self.by_kind.entry(finding.kind.code()).or_default() += 1;
            if self.places.len() < LISTED {
                self.places.push(IdentifierPlace {
                    record: RecordPlace { source: source.clone(), index },
                    field: field.to_owned(),
                    kind: finding.kind.code(),
                    start: finding.range.start,
                    end: finding.range.end,
                });
            }
        }
    }
}

/// Calls `visit` with each text in `value` and its JSON pointer.
///
/// A key that is no plain word stands as `*` in the pointer, since it may be a patient's as well.
fn walk(value: &Value, pointer: &mut String, visit: &mut dyn FnMut(&str, &str)) {
    let mut inside = |part: &str, value: &Value| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(part);
        walk(value, pointer, visit);
        pointer.truncate(length);
    };
    match value {
        Value::String(text) => visit(pointer, text),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                inside(&index.to_string(), value);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let plain = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                inside(if plain { key } else { "*" }, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names the first identifiers by place and kind.
pub(crate) fn name(report: &IdentifierReport, terminal: &mut Terminal<'_>) {
    let listed = report.places.iter().take(NAMED).map(|place| {
        let IdentifierPlace { record, field, kind, start, end } = place;
        format!(
            "{}: index {}, {field}: {kind} at bytes {start}..{end}",
            record.source, record.index
        )
    });
    let rest = report.found.saturating_sub(NAMED as u64);
    let rest = (rest > 0).then(|| format!("and {} more", count(rest, "identifier")));
    for line in listed.chain(rest) {
        // Whoever closed the stream does not want to know.
        let _ = writeln!(terminal.err, "warning: {line}");
    }
}

/// How many there are and of what kinds, such as `2 in 1 record (EMAIL 1, PHONE 1)`.
pub(crate) fn counts(report: &IdentifierReport) -> String {
    let kinds: Vec<String> =
        report.by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let records = count(report.records, "record");
    format!("{} in {records} ({})", crate::summary::number(report.found), kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_searched_in_every_text_and_its_keys_are_not_repeated() {
        let chat = serde_json::json!({"messages": [
            {"role": "user", "content": [{"type": "text", "text": "Mail ana@example.org"}]},
            {"role": "assistant", "tool_calls": [{"function": {"arguments": "{\"ssn\": \"219-09-4321\"}"}}]},
        ], "Mrs Okafor": "ana@example.org"});
        let mut identified = Identified::default();
        identified.chat(&Source::from(std::path::PathBuf::from("a.jsonl")), 4, &chat);
        let report = identified.report(Phi::Report);
        assert_eq!(counts(&report), "3 in 1 record (EMAIL 2, SSN 1)");
        let places: Vec<String> =
            report.places.iter().map(|p| format!("{} {} {}", p.field, p.start, p.end)).collect();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        assert_eq!(
            sorted,
            [
                "/* 0 15",
                "/messages/0/content/0/text 5 20",
                "/messages/1/tool_calls/0/function/arguments 9 20"
            ]
        );
        assert!(!serde_json::to_string(&report).unwrap().contains("Okafor"));
    }
}
