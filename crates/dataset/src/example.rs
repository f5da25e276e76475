//! A record as the fine-tuning service reads it.

use serde::{Deserialize, Serialize};
use template::{RenderError, Template};

use crate::Record;

/// Who speaks a message.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// One line of a training or validation file.
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
    /// # Errors
    ///
    /// None that is known: texts and their names can always be written.
    pub fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        let size = self.messages.iter().map(|message| message.content.len() + 40).sum::<usize>();
        let mut line = Vec::with_capacity(size + size / 16);
        serde_json::to_writer(&mut line, self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Role and content of each message, as token counters take them.
    pub fn turns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.messages.iter().map(|message| (message.role.name(), message.content.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
