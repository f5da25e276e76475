//! What a run did, as JSON.

use dataset::{Format, Fraction, Rejection, Written};
use serde::Serialize;
use std::collections::BTreeMap;
use template::{Fingerprint, Template};

use crate::against::Contamination;
use crate::arguments::Splitting;
use crate::download::Origin;
use crate::input::Source;
use crate::lengths::Lengths;
use crate::overlong::OverlongReport;
use crate::phi::Phi;

/// The version of the report's format; a reader should refuse a greater one.
pub const REPORT_VERSION: u32 = 1;

/// The report of one run. It names records by their place and never holds their text.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// The tool and its version.
    pub tool: &'static str,
    /// What was read.
    pub inputs: Vec<InputReport>,
    /// How many records the inputs held: `train + valid + rejected`.
    pub read: u64,
    /// How many of them are for training.
    pub train: u64,
    /// How many of them are for validation.
    pub valid: u64,
    /// How many of them were left out.
    pub rejected: u64,
    /// How many were left out for each reason.
    pub rejected_by_reason: BTreeMap<&'static str, u64>,
    /// The first thousand records that were left out.
    pub rejected_records: Vec<RejectedRecord>,
    /// Kept examples whose own text holds the template's headings, so that an answer like it is split elsewhere.
    pub ambiguous: u64,
    /// Records that are longer than the model is trained on.
    pub overlong: OverlongReport,
    /// Records that say the same, or nearly the same.
    pub repeats: RepeatReport,
    /// Problems of benchmarks that stand in records.
    pub contamination: ContaminationReport,
    /// Identifiers of patients in the kept records.
    pub identifiers: IdentifierReport,
    /// How reasoning and response were joined.
    pub template: Template,
    /// The system message of every example.
    pub system_prompt: String,
    /// Names template and system prompt together.
    pub fingerprint: Fingerprint,
    /// The seed of the split.
    pub seed: u64,
    /// How the sides were chosen.
    pub split: Splitting,
    /// The share asked for validation.
    pub valid_fraction: Fraction,
    /// The training file, unless nothing was to be written.
    pub train_file: Option<Written>,
    /// The validation file, if there is one.
    pub valid_file: Option<Written>,
    /// Whether a validation file of an earlier run was removed.
    pub removed_valid_file: bool,
    /// How many tokens there are.
    pub tokens: TokenReport,
    /// How long the examples are.
    pub lengths: Lengths,
    /// What training will cost.
    pub budget: Budget,
    /// What asking the tuned model will cost, where prices are known.
    pub asking: Option<Asking>,
}

/// An input that was read.
#[derive(Clone, Debug, Serialize)]
pub struct InputReport {
    /// Its path as given.
    pub path: Source,
    /// Where it was fetched from, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How many bytes were read.
    pub bytes: u64,
    /// The SHA-256 of these bytes, in hexadecimal.
    pub sha256: String,
    /// What its content turned out to be.
    pub format: Option<Format>,
    /// How many records it held.
    pub read: u64,
    /// How many of them were left out.
    pub rejected: u64,
}

/// A record that was left out.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedRecord {
    /// The input that it stands in.
    pub source: Source,
    /// Its place there, the reason and the field at fault.
    #[serde(flatten)]
    pub rejection: Rejection,
    /// The earlier record that it repeats, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_of: Option<RecordPlace>,
    /// The problem that it holds, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contamination: Option<Contamination>,
    /// How many tokens it has, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
}

/// A record by its place.
#[derive(Clone, Debug, Serialize)]
pub struct RecordPlace {
    /// The input that it stands in.
    pub source: Source,
    /// How many records stand before it there.
    pub index: u64,
}

/// What was found of repeats.
#[derive(Clone, Debug, Serialize)]
pub struct RepeatReport {
    /// Records that say the same as an earlier one, which are left out.
    pub exact: u64,
    /// Kept records whose question is nearly that of an earlier one, which stand on its side.
    pub near: u64,
    /// From which share of common three-word runs questions are nearly the same.
    pub threshold: f64,
    /// The first thousand near repeats, each with a record that it resembles.
    pub near_pairs: Vec<NearPair>,
}

/// Two records whose questions are nearly the same.
#[derive(Clone, Debug, Serialize)]
pub struct NearPair {
    /// The earlier one.
    pub first: RecordPlace,
    /// The later one.
    pub second: RecordPlace,
    /// The share of three-word runs that they have in common, rounded to thousandths.
    pub similarity: f64,
}

/// What was found of benchmarks.
#[derive(Clone, Debug, Serialize)]
pub struct ContaminationReport {
    /// How many problems were looked for.
    pub problems: u64,
    /// How many records hold one.
    pub contaminated: u64,
    /// Whether these were left out.
    pub dropped: bool,
    /// The first thousand of them.
    pub records: Vec<ContaminatedRecord>,
}

/// A record that holds a problem of a benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct ContaminatedRecord {
    /// The record.
    pub record: RecordPlace,
    /// The problem and how it was found.
    #[serde(flatten)]
    pub contamination: Contamination,
}

/// What was found of identifiers of patients.
#[derive(Clone, Debug, Serialize)]
pub struct IdentifierReport {
    /// What was to be done about them.
    pub phi: Phi,
    /// How many were found.
    pub found: u64,
    /// How many records hold one.
    pub records: u64,
    /// How many of each kind.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// The first thousand of them.
    pub places: Vec<IdentifierPlace>,
}

/// Where an identifier of a patient stands; never the text.
#[derive(Clone, Debug, Serialize)]
pub struct IdentifierPlace {
    /// The record.
    #[serde(flatten)]
    pub record: RecordPlace,
    /// The question, the reasoning or the response; in a chat the text's JSON pointer.
    pub field: String,
    /// The kind's code.
    pub kind: &'static str,
    /// The first byte of the field that belongs to it.
    pub start: usize,
    /// The first byte after it.
    pub end: usize,
}

/// The tokens of both files.
#[derive(Clone, Debug, Serialize)]
pub struct TokenReport {
    /// The model that they were counted for.
    pub base_model: String,
    /// The encoding that counted.
    pub encoding: String,
    /// Why the counts are only an estimate; nothing where the base model's own encoding counted.
    pub doubt: Option<String>,
    /// The most tokens of an example that training uses, where a limit is known.
    pub limit: Option<usize>,
    /// The training file's tokens.
    pub train: SideTokens,
    /// The validation file's tokens.
    pub valid: SideTokens,
}

/// The tokens of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SideTokens {
    /// Of the questions alone.
    pub question: u64,
    /// Of the reasoning alone.
    pub reasoning: u64,
    /// Of the responses alone.
    pub response: u64,
    /// Of everything: the three, system prompt, headings, and what frames the messages.
    pub total: u64,
    /// Of everything, each example only up to the limit.
    pub billable: u64,
    /// Of the longest example.
    pub longest: u64,
    /// How many examples are longer than the limit.
    pub over_limit: u64,
}

/// What asking the tuned model will cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Asking {
    /// For how many questions.
    pub questions: u64,
    /// The mean tokens of a question, with the system prompt and what frames the messages.
    pub input_tokens: u64,
    /// The mean tokens of reasoning and response.
    pub output_tokens: u64,
    /// What all the questions cost together.
    pub usd: f64,
}

/// What training on the file will cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Budget {
    /// Money, for a service's model.
    Cost {
        /// The model whose price it is.
        model: String,
        /// Tokens of the training file that are charged for each epoch.
        tokens: u64,
        /// Epochs by the published rule for this many examples.
        epochs: u32,
        /// The price.
        usd_per_million: f64,
        /// Tokens x epochs x price.
        usd: f64,
        /// The day on which the price was true.
        as_of: String,
    },
    /// Time, for a model on this machine.
    Time {
        /// Tokens of the training file, passed through the model once an epoch.
        tokens: u64,
        /// How fast this machine trains, by a short measurement.
        tokens_per_second: f64,
        /// Tokens divided by that.
        seconds_per_epoch: f64,
        /// Epochs by the published rule for this many examples.
        epochs: u32,
    },
    /// Neither is known.
    Unknown {
        /// Why.
        reason: String,
    },
}
