//! What became of every record, as JSON.

use dataset::Written;
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::ledger::{Kept, Ledger};
use crate::report::Report;

/// The version of the manifest's format; a reader should refuse a greater one.
pub const MANIFEST_VERSION: u32 = 1;

/// Which file an example went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Train,
    Valid,
}

/// The manifest of a run: what it was made of and by, and each kept record's content hash and side.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest<'a> {
    version: u32,
    #[serde(flatten)]
    report: Excerpt<'a>,
    records: Records<'a>,
}

/// The part of the report that says how to make the same files again.
#[derive(Debug, Serialize)]
struct Excerpt<'a> {
    tool: &'a str,
    inputs: &'a [crate::report::InputReport],
    read: u64,
    train: u64,
    valid: u64,
    rejected: u64,
    rejected_by_reason: &'a std::collections::BTreeMap<&'static str, u64>,
    template: &'a template::Template,
    system_prompt: &'a str,
    fingerprint: &'a template::Fingerprint,
    seed: u64,
    split: crate::arguments::Splitting,
    near_threshold: f64,
    phi: crate::phi::Phi,
    overlong: crate::overlong::Overlong,
    valid_fraction: dataset::Fraction,
    train_file: Option<&'a Written>,
    valid_file: Option<&'a Written>,
    tokens: &'a crate::report::TokenReport,
}

impl<'a> Manifest<'a> {
    pub(crate) fn new(report: &'a Report, kept: &'a Ledger, sides: &'a [Side]) -> Self {
        let excerpt = Excerpt {
            tool: report.tool,
            inputs: &report.inputs,
            read: report.read,
            train: report.train,
            valid: report.valid,
            rejected: report.rejected,
            rejected_by_reason: &report.rejected_by_reason,
            template: &report.template,
            system_prompt: &report.system_prompt,
            fingerprint: &report.fingerprint,
            seed: report.seed,
            split: report.split,
            near_threshold: report.repeats.threshold,
            phi: report.identifiers.phi,
            overlong: report.overlong.policy,
            valid_fraction: report.valid_fraction,
            train_file: report.train_file.as_ref(),
            valid_file: report.valid_file.as_ref(),
            tokens: &report.tokens,
        };
        Self { version: MANIFEST_VERSION, report: excerpt, records: Records { kept, sides } }
    }
}

/// The kept records in input order, written without being held a second time.
#[derive(Debug)]
struct Records<'a> {
    kept: &'a Ledger,
    sides: &'a [Side],
}

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row {
            content: dataset::ContentHash,
            side: Side,
            input: u32,
            index: u64,
        }
        let mut rows = serializer.serialize_seq(Some(self.kept.len()))?;
        for (kept, &side) in self.kept.iter().zip(self.sides) {
            let Kept { content, input, index, .. } = kept.map_err(S::Error::custom)?;
            rows.serialize_element(&Row { content, side, input, index })?;
        }
        rows.end()
    }
}
