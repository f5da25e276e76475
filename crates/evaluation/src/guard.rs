//! Whether a model is measured on what it was trained on, or asked otherwise than it was trained.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use dataset::{Benchmark, ChatReader, Error, Limits, Place, Record, Rule, content_text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use template::{Fingerprint, Template};

use crate::holdout::Holdout;

/// The greatest version of a manifest that is read.
const MANIFEST_VERSION: u64 = 1;

/// What the guards found; with leaks, every number of the report may be too good.
///
/// # Examples
///
/// ```
/// use evaluation::guard::Guard;
///
/// let guard: Guard = serde_json::from_str(
///     r#"{"checked": ["holdout with the manifest"], "unchecked": [], "mismatches": [],
///         "leaks": [{"set": "holdout", "id": "5f", "found_by": "manifest", "line": null}]}"#,
/// )?;
/// assert_eq!(guard.leaks[0].id, "5f");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// What was compared with what, in words.
    pub checked: Vec<String>,
    /// What could not be compared, and why.
    pub unchecked: Vec<String>,
    /// Measured items that stand in the training data.
    pub leaks: Vec<Leak>,
    /// How the model is asked otherwise than it was trained.
    pub mismatches: Vec<String>,
}

/// A measured item that stands in the training data.
///
/// # Examples
///
/// ```
/// use evaluation::guard::{Leak, Questions};
///
/// let mut questions = Questions::default();
/// questions.add("medqa", "17", "Which vitamin prevents scurvy?");
/// let training = r#"{"messages": [{"role": "user", "content": "WHICH vitamin prevents scurvy?"}]}"#;
/// let Leak { set, id, found_by, line } = &questions.find_in(training.as_bytes())?[0];
/// assert_eq!((set.as_str(), id.as_str()), ("medqa", "17"));
/// assert_eq!((found_by.as_str(), *line), ("question", Some(1)));
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// The item's set.
    pub set: String,
    /// Its id.
    pub id: String,
    /// How it was found: `manifest`, `question`, or the rule of an overlap.
    pub found_by: String,
    /// Where in the training file, if it was found there: the line.
    pub line: Option<u64>,
}

/// The parts of `prepare-data`'s manifest that guards need.
///
/// # Examples
///
/// ```
/// use dataset::{Example, Place, Record};
/// use evaluation::guard::Manifest;
/// use evaluation::holdout::read_holdout;
/// use serde_json::json;
/// use template::{Template, fingerprint};
///
/// let [question, reasoning, response] = ["Scurvy?", "Gums bleed.", "Vitamin C."].map(str::to_owned);
/// let record = Record { place: Place::default(), question, reasoning, response };
/// let manifest = json!({
///     "version": 1,
///     "fingerprint": fingerprint(&Template::Headed, ""),
///     "records": [{"content": record.content_hash(), "side": "train"}],
/// });
/// let manifest = Manifest::parse(&manifest.to_string())?;
/// assert_eq!(manifest.fingerprint(), &fingerprint(&Template::Headed, ""));
/// // The record that was trained on stands in the file to measure on.
/// let holdout = Example::new(&record, &Template::Headed, "")?.to_line();
/// let leaks = manifest.leaks(&read_holdout(&holdout[..])?, &Template::Headed);
/// assert_eq!(leaks[0].found_by, "manifest");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    version: u64,
    fingerprint: Fingerprint,
    records: Vec<ManifestRecord>,
}

#[derive(Clone, Debug, Deserialize)]
struct ManifestRecord {
    content: String,
    side: String,
}

/// A manifest that cannot be used.
///
/// # Examples
///
/// ```
/// use evaluation::guard::{Manifest, ManifestError};
///
/// assert!(matches!(Manifest::parse("{}"), Err(ManifestError::Json(_))));
/// let later = format!(r#"{{"version": 9, "fingerprint": "{}", "records": []}}"#, "0f".repeat(32));
/// assert!(matches!(Manifest::parse(&later), Err(ManifestError::Version(9))));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is no manifest.
    #[error("no manifest of prepare-data")]
    Json(#[source] serde_json::Error),
    /// A later program wrote it.
    #[error("field `version` is {0}, and this program reads up to {MANIFEST_VERSION}")]
    Version(u64),
}

impl Manifest {
    /// Reads the manifest in `text`.
    ///
    /// # Errors
    ///
    /// [`ManifestError`], where it is none or of a later version.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_str(text).map_err(ManifestError::Json)?;
        if manifest.version > MANIFEST_VERSION {
            return Err(ManifestError::Version(manifest.version));
        }
        Ok(manifest)
    }

    /// The fingerprint of the template and system prompt that the files were made with.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The held-out records that the manifest says were for training, by the content of their halves.
    pub fn leaks(&self, records: &[Holdout], template: &Template) -> Vec<Leak> {
        let sides: HashMap<&str, &str> =
            self.records.iter().map(|row| (row.content.as_str(), row.side.as_str())).collect();
        let trained = |record: &&Holdout| {
            content(record, template)
                .is_some_and(|content| sides.get(content.as_str()) == Some(&"train"))
        };
        records
            .iter()
            .filter(trained)
            .map(|record| leak(("holdout", &record.id), "manifest", None))
            .collect()
    }
}

/// The name that the manifest gives to a record's content; none where the answer's halves cannot be told exactly.
fn content(record: &Holdout, template: &Template) -> Option<String> {
    let (before, between) = match template {
        Template::Headed => ("## Thinking\n\n", "\n\n## Final Response\n\n"),
        Template::Think => ("<think>\n", "\n</think>\n\n"),
        _ => return None,
    };
    let (reasoning, response) = record.reference.strip_prefix(before)?.split_once(between)?;
    let record = Record {
        place: Place::default(),
        question: record.question(),
        reasoning: reasoning.to_owned(),
        response: response.to_owned(),
    };
    Some(record.content_hash().to_string())
}

/// Questions that are measured, to be looked for in training data.
///
/// # Examples
///
/// ```
/// use evaluation::guard::Questions;
///
/// let mut questions = Questions::default();
/// questions.add("medqa", "17", "A man of 60 has had crushing pain in his chest for an hour and sweats. What next?");
/// let training = r#"{"messages": [{"role": "user", "content": "A man of 60 has had crushing pain in his chest
///  for an hour and sweats. Name the drug."}, {"role": "assistant", "content": "Aspirin."}]}"#.replace('\n', "");
/// assert_eq!(questions.find_in(training.as_bytes())?[0].found_by, "64 characters");
/// assert!(questions.find_in(r#"{"messages": [{"role": "user", "content": "Scurvy?"}]}"#.as_bytes())?.is_empty());
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Questions {
    benchmark: Benchmark,
    exact: HashMap<String, usize>,
    names: Vec<(String, String)>,
}

impl Questions {
    /// Adds a question of the set, with its id there.
    pub fn add(&mut self, set: &str, id: &str, question: &str) {
        self.exact.entry(normal(question)).or_insert(self.names.len());
        self.benchmark.add(question);
        self.names.push((set.to_owned(), id.to_owned()));
    }

    /// The questions that stand in the chats of `training`, each once.
    ///
    /// They are found by equality or by `dataset`'s overlap rules. The rules are 64 characters, 13 words, or the whole
    /// of a short question in a row; what system messages say does not count.
    ///
    /// # Errors
    ///
    /// [`dataset::Error`], where the file cannot be read to its end.
    pub fn find_in(&self, training: impl Read) -> Result<Vec<Leak>, Error> {
        let mut found: BTreeMap<usize, Leak> = BTreeMap::new();
        for chat in ChatReader::new(training, Limits::default()) {
            let chat = chat?;
            let messages = chat.value.as_ref().and_then(|value| value["messages"].as_array());
            let spoken =
                messages.into_iter().flatten().filter(|message| message["role"] != "system");
            for text in spoken.map(|message: &Value| content_text(message)) {
                let exact = self.exact.get(&normal(&text)).map(|at| (*at, "question"));
                let overlap =
                    || self.benchmark.find(&text).map(|found| (found.problem, rule(found.rule)));
                if let Some((at, found_by)) = exact.or_else(overlap) {
                    let (set, id) = &self.names[at];
                    let leak = || leak((set, id), found_by, Some(chat.place.line));
                    found.entry(at).or_insert_with(leak);
                }
            }
        }
        Ok(found.into_values().collect())
    }
}

fn leak((set, id): (&str, &str), found_by: &str, line: Option<u64>) -> Leak {
    Leak { set: set.to_owned(), id: id.to_owned(), found_by: found_by.to_owned(), line }
}

const fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Characters => "64 characters",
        Rule::Words => "13 words",
        Rule::Whole => "whole question",
    }
}

fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "A 45-year-old man comes to the clinic with three days of fever, cough, and chest pain that is worse on breathing in.";

    fn holdout(question: &str) -> Holdout {
        let messages = vec![wire::ChatMessage::new(wire::Role::User, question)];
        let reference = "## Thinking\n\nWhy.\n\n## Final Response\n\nWhat.".to_owned();
        Holdout { id: "h".to_owned(), messages, reference }
    }

    #[test]
    fn questions_in_the_training_file_are_found_whole_or_in_part() -> anyhow::Result<()> {
        let mut questions = Questions::default();
        for (id, question) in
            [("a", LONG), ("b", "Why so?"), ("c", "What is the dose of amoxicillin here?")]
        {
            questions.add("set", id, question);
        }
        let row = |text: &str| {
            serde_json::json!({"messages": [{"role": "system", "content": LONG}, {"role": "user", "content": text},
                {"role": "assistant", "content": "x"}]})
            .to_string()
        };
        let training =
            [row("other"), row(&format!("Yesterday: {LONG} What now?")), row(" why SO?")]
                .join("\n");
        let leaks = questions.find_in(training.as_bytes())?;
        let shown: Vec<_> = leaks
            .iter()
            .map(|leak| format!("{} {} {:?}", leak.id, leak.found_by, leak.line))
            .collect();
        assert_eq!(shown, ["a 64 characters Some(2)", "b question Some(3)"]);
        Ok(())
    }

    #[test]
    fn a_record_of_the_training_side_of_the_manifest_is_a_leak() -> anyhow::Result<()> {
        let record = holdout("Why?");
        let hash = content(&record, &Template::Headed).unwrap_or_default();
        let manifest = |side: &str| {
            let fingerprint = template::fingerprint(&Template::Headed, "").to_string();
            let text = serde_json::json!({"version": 1, "fingerprint": fingerprint, "seed": 42,
                "records": [{"content": hash, "side": side, "input": 0, "index": 0}]});
            Manifest::parse(&text.to_string())
        };
        let records = [record.clone()];
        assert_eq!(manifest("valid")?.leaks(&records, &Template::Headed), []);
        let leaks = manifest("train")?.leaks(&records, &Template::Headed);
        assert_eq!(leaks, [leak(("holdout", "h"), "manifest", None)]);
        assert!(matches!(Manifest::parse("{}"), Err(ManifestError::Json(_))));
        Ok(())
    }
}
