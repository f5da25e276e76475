//! What the three fields of a record are called.

/// The names under which question, reasoning and response are looked for, the preferred one first.
///
/// A record may hold several of a field's names; the one that stands first in the list is read then. Names are
/// compared letter by letter.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, FieldNames, Limits, Reader};
///
/// let json = r#"[{"vignette": "Fever, stiff neck.", "Complex_CoT": "Meninges?", "Response": "Tap the spine."}]"#;
/// let names = FieldNames { question: vec!["vignette".to_owned()], ..FieldNames::default() };
/// let mut reader = Reader::new(json.as_bytes(), Limits::default()).with_names(names);
/// let Some(Ok(Entry::Record(record))) = reader.next() else { panic!("a record is expected") };
/// assert_eq!(record.question, "Fever, stiff neck.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// Names of the question.
    pub question: Vec<String>,
    /// Names of the reasoning.
    pub reasoning: Vec<String>,
    /// Names of the response.
    pub response: Vec<String>,
}

/// Names of the question in public datasets; the first is that of `medical-o1-reasoning-SFT`.
const QUESTION: [&str; 8] = [
    "Question",
    "question",
    "original_question_en",
    "Open-ended Verifiable Question",
    "prompt",
    "instruction",
    "input",
    "query",
];
/// Names of the reasoning.
const REASONING: [&str; 8] = [
    "Complex_CoT",
    "complex_cot",
    "reasoning",
    "chain_of_thought",
    "cot",
    "CoT",
    "rationale",
    "thinking",
];
/// Names of the response.
const RESPONSE: [&str; 7] = [
    "Response",
    "response",
    "answer",
    "final_answer",
    "Ground-True Answer",
    "output",
    "completion",
];

impl Default for FieldNames {
    /// The names of the dataset `medical-o1-reasoning-SFT`, then names that others use.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            question: names(&QUESTION),
            reasoning: names(&REASONING),
            response: names(&RESPONSE),
        }
    }
}

impl FieldNames {
    pub(crate) fn lists(&self) -> [&[String]; 3] {
        [&self.question, &self.reasoning, &self.response]
    }

    /// Which field `key` names, and how far back in that field's list.
    pub(crate) fn find(&self, key: &str) -> Option<(usize, usize)> {
        self.lists()
            .iter()
            .enumerate()
            .find_map(|(field, names)| Some((field, names.iter().position(|name| name == key)?)))
    }
}
