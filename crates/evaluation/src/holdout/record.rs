//! Chat examples as questions with a reference.

use std::collections::HashMap;
use std::io::Read;

use dataset::{ChatReader, Fault, Limits, Place};
use serde_json::Value;
use template::Template;
use wire::{ChatMessage, Role};

/// A held-out chat: what is asked, and what the reference answers.
///
/// # Examples
///
/// ```
/// use evaluation::holdout::read_holdout;
/// use template::Template;
///
/// let chat = r###"{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Scurvy?"},
/// {"role": "assistant", "content": "## Thinking\n\nGums bleed.\n\n## Final Response\n\nVitamin C."}]}"###;
/// let record = &read_holdout(chat.replace('\n', " ").as_bytes())?[0];
/// assert_eq!((record.system_prompt().as_str(), record.question().as_str()), ("Be brief.", "Scurvy?"));
/// assert_eq!(record.with_reference().len(), record.messages.len() + 1);
/// assert_eq!(&record.reference[record.border(&Template::Headed)..], "Vitamin C.");
/// # Ok::<(), evaluation::holdout::HoldoutError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Holdout {
    /// A name for its content, wherever it stands.
    pub id: String,
    /// The conversation up to the answer.
    pub messages: Vec<ChatMessage>,
    /// The reference answer, as it stands in the file.
    pub reference: String,
}

/// A hold-out file that cannot be used.
///
/// # Examples
///
/// ```
/// use evaluation::holdout::{HoldoutError, read_holdout};
///
/// let asked_only = r#"{"messages": [{"role": "user", "content": "Scurvy?"}]}"#;
/// let error = read_holdout(asked_only.as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "index 0, line 1: example_missing_assistant_message");
/// assert!(matches!(read_holdout("[]".as_bytes()), Err(HoldoutError::Empty)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldoutError {
    /// The file cannot be read to its end.
    #[error(transparent)]
    Read(#[from] dataset::Error),
    /// A row is no chat example that a model could be measured on.
    #[error("{place}: {}{}", fault.code(), message.map(|at| format!(" in message {at}")).unwrap_or_default())]
    Row {
        /// Where it stands.
        place: Place,
        /// What is wrong.
        fault: Fault,
        /// The message that has the fault, counted from 0.
        message: Option<usize>,
    },
    /// There is no row in it.
    #[error("holds no chat example")]
    Empty,
}

impl Holdout {
    /// The last thing that the user says.
    pub fn question(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message.role == Role::User);
        last.map(ChatMessage::text).unwrap_or_default()
    }

    /// The system prompt, empty where there is none.
    pub fn system_prompt(&self) -> String {
        let first = self.messages.first();
        let first = first.filter(|first| matches!(first.role, Role::System | Role::Developer));
        first.map(ChatMessage::text).unwrap_or_default()
    }

    /// The whole conversation, the reference answer at its end.
    pub fn with_reference(&self) -> Vec<ChatMessage> {
        let answer = ChatMessage::new(Role::Assistant, self.reference.as_str());
        self.messages.iter().cloned().chain([answer]).collect()
    }

    /// The byte of the reference at which its response begins, 0 where it marks none.
    pub fn border(&self, template: &Template) -> usize {
        let halves = template.split(&self.reference);
        match halves.reasoning {
            Some(_) if !halves.response.is_empty() => {
                self.reference.rfind(&halves.response).unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// Reads chat JSONL or a JSON array of chats, compressed or not.
///
/// The last message of each is the reference.
///
/// # Examples
///
/// ```
/// use evaluation::holdout::read_holdout;
///
/// let line = r#"{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Vitamin C."}]}"#;
/// let records = read_holdout(format!("{line}\n{line}\n").as_bytes())?;
/// assert_eq!(records[0].reference, "Vitamin C.");
/// // The same chat twice is measured twice, under two names.
/// assert_eq!(records[1].id, format!("{}-2", records[0].id));
/// # Ok::<(), evaluation::holdout::HoldoutError>(())
/// ```
///
/// # Errors
///
/// [`HoldoutError`]: no row is left out silently, since that would change what is measured.
pub fn read_holdout(input: impl Read) -> Result<Vec<Holdout>, HoldoutError> {
    let mut records = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for chat in ChatReader::new(input, Limits::default()) {
        let chat = chat?;
        let fatal = chat.findings.iter().find(|finding| !is_harmless(finding.fault));
        if let Some(finding) = fatal {
            let (fault, message) = (finding.fault, finding.message);
            return Err(HoldoutError::Row { place: chat.place, fault, message });
        }
        let unread =
            || HoldoutError::Row { place: chat.place, fault: Fault::DataType, message: None };
        let messages = chat.value.as_ref().map_or(&Value::Null, |value| &value["messages"]);
        let mut messages: Vec<ChatMessage> =
            serde_json::from_value(messages.clone()).map_err(|_| unread())?;
        let answer = messages.pop().ok_or_else(unread)?;
        let content = chat.content_hash().map(|hash| hash.to_string()).unwrap_or_default();
        let times = seen.entry(content.clone()).or_insert(0);
        *times += 1;
        let id = if *times == 1 { content } else { format!("{content}-{times}") };
        records.push(Holdout { id, messages, reference: answer.text() });
    }
    if records.is_empty() { Err(HoldoutError::Empty) } else { Ok(records) }
}

/// Faults that a service would refuse in training, and that do not matter for measuring.
fn is_harmless(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::UnrecognizedKey
            | Fault::MessageUnrecognizedKey
            | Fault::WrongWeight
            | Fault::NothingToLearn
            | Fault::LostCharacter
            | Fault::SpecialTokenText
    )
}
