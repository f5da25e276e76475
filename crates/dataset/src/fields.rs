//! What the three fields of a record are called.

/// The names under which question, reasoning and response are looked for, the preferred one first.
///
/// A record may hold several of a field's names; the one that stands first in the list is read then. Names are
/// compared letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// Names of the question.
    pub question: Vec<String>,
    /// Names of the reasoning.
    pub reasoning: Vec<String>,
    /// Names of the response.
    pub response: Vec<String>,
}

impl Default for FieldNames {
    /// The names of the dataset `medical-o1-reasoning-SFT`.
    fn default() -> Self {
        let names = |name: &str| vec![name.to_owned()];
        Self {
            question: names("Question"),
            reasoning: names("Complex_CoT"),
            response: names("Response"),
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
