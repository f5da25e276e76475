//! A record as the fine-tuning service reads it.

use serde::{Deserialize, Serialize};
use template::{RenderError, Template};

use crate::Record;

/// Who speaks a message.
///
/// # Examples
///
/// ```
/// use dataset::{Message, Role};
///
/// let message: Message = serde_json::from_str(r#"{"role": "assistant", "content": "Give aspirin."}"#)?;
/// assert_eq!(message.role, Role::Assistant);
/// assert_eq!(message.role.name(), "assistant");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Whoever sets the task.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name as the service spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a chat.
///
/// # Examples
///
/// ```
/// use dataset::{Message, Role};
///
/// let message = Message { role: Role::User, content: "What causes \"scurvy\"?".to_owned() };
/// assert_eq!(serde_json::to_string(&message)?, r#"{"role":"user","content":"What causes \"scurvy\"?"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// One line of a training or validation file.
///
/// # Examples
///
/// ```
/// use dataset::{Example, Place, Record};
/// use template::Template;
///
/// let record = Record {
///     place: Place::default(),
///     question: "What causes scurvy?".to_owned(),
///     reasoning: "Gums bleed without collagen.".to_owned(),
///     response: "A lack of vitamin C.".to_owned(),
/// };
/// let example = Example::new(&record, &Template::Plain, "You are a physician.")?;
/// let turns = example.turns().collect::<Vec<_>>();
/// assert_eq!(turns[0], ("system", "You are a physician."));
/// assert_eq!(turns[2], ("assistant", "Gums bleed without collagen.\n\nA lack of vitamin C."));
/// assert!(example.to_line().starts_with(br#"{"messages":[{"role":"system","content":"You are a physician."}"#));
/// assert!(example.to_line().ends_with(b"A lack of vitamin C.\"}]}\n"));
/// # Ok::<(), template::RenderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The chat, ending with what the model is to learn to say.
    pub messages: Vec<Message>,
}

impl Example {
    /// The chat of `record`: system prompt, question, and its halves joined by `template`.
    ///
    /// An empty `system_prompt` gives a chat without a system message. No text is trimmed or changed.
    ///
    /// # Errors
    ///
    /// [`RenderError`] where a user's template fails on this record.
    pub fn new(
        record: &Record,
        template: &Template,
        system_prompt: &str,
    ) -> Result<Self, RenderError> {
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        let system = (!system_prompt.is_empty()).then(|| message(Role::System, system_prompt));
        let answer = template.render(&record.parts())?;
        let rest = [message(Role::User, &record.question), message(Role::Assistant, &answer)];
        Ok(Self { messages: system.into_iter().chain(rest).collect() })
    }

    /// The example as a line of a JSONL file, its end included.
    ///
    /// These are the same bytes as `serde_json` writes.
    pub fn to_line(&self) -> Vec<u8> {
        let size = self.messages.iter().map(|message| message.content.len() + 40).sum::<usize>();
        let mut line = Vec::with_capacity(size + size / 16);
        line.extend_from_slice(br#"{"messages":["#);
        for (number, message) in self.messages.iter().enumerate() {
            line.extend_from_slice(if number == 0 { br#"{"role":""# } else { br#",{"role":""# });
            line.extend_from_slice(message.role.name().as_bytes());
            line.extend_from_slice(br#"","content":""#);
            push_escaped(&mut line, message.content.as_bytes());
            line.extend_from_slice(br#""}"#);
        }
        line.extend_from_slice(b"]}\n");
        line
    }

    /// Role and content of each message, as token counters take them.
    pub fn turns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.messages.iter().map(|message| (message.role.name(), message.content.as_str()))
    }
}

/// Appends the inside of a JSON string; what needs no escape is copied in one go.
fn push_escaped(line: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = first_to_escape(text) {
        line.extend_from_slice(&text[..at]);
        match text[at] {
            b'"' => line.extend_from_slice(br#"\""#),
            b'\\' => line.extend_from_slice(br"\\"),
            b'\n' => line.extend_from_slice(br"\n"),
            b'\t' => line.extend_from_slice(br"\t"),
            b'\r' => line.extend_from_slice(br"\r"),
            0x08 => line.extend_from_slice(br"\b"),
            0x0C => line.extend_from_slice(br"\f"),
            control => {
                line.extend_from_slice(br"\u00");
                line.extend(
                    [control >> 4, control & 15]
                        .map(|digit| b"0123456789abcdef"[usize::from(digit)]),
                );
            }
        }
        text = &text[at + 1..];
    }
    line.extend_from_slice(text);
}

fn first_to_escape(text: &[u8]) -> Option<usize> {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let (blocks, rest) = text.as_chunks::<16>();
    // A block is looked at as a whole, which the compiler turns into few instructions.
    let found = |block: &[u8; 16]| block.iter().fold(false, |any, &byte| any | special(byte));
    match blocks.iter().position(found) {
        Some(block) => {
            Some(block * 16 + blocks[block].iter().position(|&byte| special(byte)).unwrap_or(0))
        }
        None => rest.iter().position(|&byte| special(byte)).map(|at| text.len() - rest.len() + at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_line_is_what_serde_json_writes(texts in proptest::collection::vec("[\\x00-\\x7fé発🧬]{0,40}|[ -z]{0,90}", 1..4)) {
            let roles = [Role::System, Role::User, Role::Assistant];
            let message = |(role, content): (Role, String)| Message { role, content };
            let example = Example { messages: roles.into_iter().zip(texts).map(message).collect() };
            let written = serde_json::to_string(&example).unwrap() + "\n";
            proptest::prop_assert_eq!(String::from_utf8(example.to_line()).unwrap(), written);
        }
    }

    fn check(system_prompt: &str) -> String {
        let record = Record {
            place: crate::Place::default(),
            question: "38 °C?".to_owned(),
            reasoning: "Over 37.5.\n".to_owned(),
            response: "“Fever”.".to_owned(),
        };
        let example = Example::new(&record, &Template::Headed, system_prompt).unwrap();
        serde_json::to_string(&example).unwrap()
    }

    #[test]
    fn an_example_is_the_line_that_the_service_reads() {
        insta::assert_snapshot!(check("Be brief."), @r###"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"38 °C?"},{"role":"assistant","content":"## Thinking\n\nOver 37.5.\n\n\n## Final Response\n\n“Fever”."}]}"###);
        assert!(check("").starts_with(r#"{"messages":[{"role":"user""#));
    }
}
