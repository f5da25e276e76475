//! What a report holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use template::Fingerprint;

use crate::compare::{Comparison, Preferred};
use crate::guard::Guard;
use crate::item::Item;
use crate::judge::Tally;
use crate::measure::Measure;
use crate::statistics::Calibration;

mod agreement;
mod asked;

pub use self::agreement::{Agreement, agreements, preference_agreement};
pub use self::asked::asked_differently;

/// Everything about one run; the same input, seed and answers give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`Report::VERSION`].
    pub version: u32,
    /// The tool and its version.
    pub tool: String,
    /// What the model must not be used for.
    pub notice: String,
    /// The model and how it was asked.
    pub model: ModelInfo,
    /// What it was measured on.
    pub data: Vec<Data>,
    /// What bootstrap intervals and samples of problems are drawn from.
    pub seed: u64,
    /// Leaks and mismatches.
    pub guard: Guard,
    /// The numbers.
    pub measures: Vec<Measure>,
    /// How often each way of reading an answer applied, by set.
    #[serde(default)]
    pub read_by: BTreeMap<String, BTreeMap<String, usize>>,
    /// How sure the model was of its choices, where log-likelihoods were measured.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// The judges and their prompts; the first one's verdicts are those that are counted.
    #[serde(default)]
    pub judges: Vec<JudgeInfo>,
    /// How far two judges agree, question by question.
    #[serde(default, deserialize_with = "agreement::lenient")]
    pub agreement: Vec<Agreement>,
    /// What was asked for and could not be measured, and why.
    #[serde(default)]
    pub unmeasured: Vec<String>,
    /// Every question, answer and value.
    pub items: Vec<Item>,
}

/// A model and how it was asked.
///
/// # Examples
///
/// ```
/// use evaluation::report::Report;
///
/// let json = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/report.json"));
/// let model = Report::parse(json)?.model;
/// assert_eq!((model.service.as_str(), model.template.as_str()), ("local", "headed"));
/// assert_eq!(model.temperature, Some(0.0));
/// # Ok::<(), evaluation::report::ReportError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its id.
    pub id: String,
    /// The model that it was trained from; the same where it is no tuned one.
    pub base_model: String,
    /// Where the base lies on the Hugging Face hub, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_on_hub: Option<String>,
    /// Where it was asked, such as `local` or a host.
    pub service: String,
    /// The system prompt.
    pub system_prompt: String,
    /// The name of the template.
    pub template: String,
    /// The fingerprint of both.
    pub fingerprint: Fingerprint,
    /// How freely answers were drawn.
    pub temperature: Option<f64>,
    /// The most tokens of an answer.
    pub max_tokens: Option<u64>,
    /// What answers were drawn from.
    pub sampling_seed: Option<i64>,
    /// Parameters that the service does not take, and that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A file, or a part of one, that was measured on.
///
/// # Examples
///
/// ```
/// let data: evaluation::report::Data = serde_json::from_str(
///     r#"{"set": "medqa", "file": "medqa.jsonl", "sha256": "5f", "items_in_file": 1273, "items": 200}"#,
/// )?;
/// assert!(data.items < data.items_in_file, "a sample was measured");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// The set.
    pub set: String,
    /// The file's name; `built in` for sets of the program.
    pub file: String,
    /// The SHA-256 of the file.
    pub sha256: String,
    /// How many items it holds.
    pub items_in_file: usize,
    /// How many of them were measured.
    pub items: usize,
}

/// A judge, and what it was asked.
///
/// # Examples
///
/// ```
/// use evaluation::judge::{CORRECTNESS, Question};
/// use evaluation::report::JudgeInfo;
///
/// let judge = JudgeInfo {
///     name: "judge".to_owned(),
///     model: "big".to_owned(),
///     service: "api.openai.com".to_owned(),
///     prompts: [(Question::Correctness.name().to_owned(), CORRECTNESS.to_owned())].into(),
///     tallies: Vec::new(),
///     left_out: Vec::new(),
/// };
/// assert!(serde_json::to_string(&judge)?.contains("VERDICT: correct"), "a reader sees what was asked");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeInfo {
    /// Its name in verdicts, which is that of its model where one judge has it.
    #[serde(default)]
    pub name: String,
    /// Its model.
    pub model: String,
    /// Where it was asked.
    pub service: String,
    /// The prompts by what they ask, with the names of the texts in braces.
    pub prompts: BTreeMap<String, String>,
    /// What it said, counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tallies: Vec<Tally>,
    /// Parameters that the service does not take, and that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// Two runs, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// [`Report::VERSION`].
    pub version: u32,
    /// The tool and its version.
    pub tool: String,
    /// What the models must not be used for.
    pub notice: String,
    /// The first model.
    pub base: ModelInfo,
    /// The second model.
    pub tuned: ModelInfo,
    /// What the bootstrap draws from.
    pub seed: u64,
    /// What the guards of both runs found.
    pub guards: [Guard; 2],
    /// In what else than the model the two runs differ.
    pub asked_differently: Vec<String>,
    /// The judges of preferences.
    pub judges: Vec<JudgeInfo>,
    /// What they prefer, counted.
    pub preferred: Vec<Preferred>,
    /// How far two judges agree.
    pub agreement: Option<Agreement>,
    /// The differences.
    pub comparison: Comparison,
}

/// A text that is no report.
///
/// # Examples
///
/// ```
/// use evaluation::report::{Report, ReportError};
///
/// assert!(matches!(Report::parse("[]"), Err(ReportError::Json(_))));
/// let error = Report::parse(r#"{"version": 9}"#).unwrap_err();
/// assert_eq!(error.to_string(), "field `version` is 9, and this program reads up to 1");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// It is no report of this program.
    #[error("no report of evaluate")]
    Json(#[source] serde_json::Error),
    /// A later program wrote it.
    #[error("field `version` is {version}, and this program reads up to {}", Report::VERSION)]
    Version {
        /// The version it says.
        version: u64,
    },
}

impl Report {
    /// The version of the format.
    pub const VERSION: u32 = 1;

    /// Reads a report.
    ///
    /// # Errors
    ///
    /// [`ReportError`], where the text is none or of a later version.
    pub fn parse(text: &str) -> Result<Self, ReportError> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(ReportError::Json)?;
        match value["version"].as_u64() {
            Some(version) if version > u64::from(Self::VERSION) => {
                Err(ReportError::Version { version })
            }
            _ => serde_json::from_value(value).map_err(ReportError::Json),
        }
    }

    /// What a condition's name stands for.
    ///
    /// That is a measure's value by its name; with `.low` or `.high` behind it, an end of its interval. A metric's bare
    /// name stands for all sets together, or for the only set that has it.
    pub fn find(&self, name: &str) -> Option<f64> {
        let (measure, end) = match name.rsplit_once('.') {
            Some((measure, end @ ("low" | "high"))) => (measure, Some(end)),
            _ => (name, None),
        };
        let exact = self.measures.iter().find(|one| one.name() == measure);
        let only = || {
            let mut of_metric = self.measures.iter().filter(|one| one.metric.name() == measure);
            of_metric.next().filter(|_| of_metric.next().is_none())
        };
        let found = exact.or_else(only)?;
        match end {
            None => Some(found.value),
            Some("low") => found.interval.map(|interval| interval.low),
            Some(_) => found.interval.map(|interval| interval.high),
        }
    }
}

impl ComparisonReport {
    /// What a condition's name stands for: `accuracy.difference`, `.base`, `.tuned`, `.p`, `.low` and `.high`.
    ///
    /// The ends are those of the difference's interval.
    pub fn find(&self, name: &str) -> Option<f64> {
        let (metric, part) = name.rsplit_once('.')?;
        let rows = &self.comparison.differences;
        let exact = rows.iter().find(|row| row.name() == metric);
        let only = || {
            let mut of_metric = rows.iter().filter(|row| row.metric.name() == metric);
            of_metric.next().filter(|_| of_metric.next().is_none())
        };
        let row = exact.or_else(only)?;
        match part {
            "difference" => Some(row.difference),
            "base" => Some(row.base),
            "tuned" => Some(row.tuned),
            "p" => row.p,
            "low" => row.interval.map(|interval| interval.low),
            "high" => row.interval.map(|interval| interval.high),
            _ => None,
        }
    }
}
