//! Questions, as a file of many holds them.

use std::io::BufRead;

use serde_json::{Map, Value};
use wire::{ChatMessage, Role};

/// A line longer than this is no question.
const LONGEST_LINE_BYTES: u64 = 16 << 20;

/// A question of many, perhaps with what was said before it.
///
/// # Examples
///
/// ```
/// use inference::Question;
///
/// let file = r#"{"id": "q1", "question": "Is a fever common?"}
/// "Is a cough?"
/// "#;
/// let questions = Question::read_all(file.as_bytes())?;
/// assert_eq!(questions[0].id, Some("q1".into()));
/// assert_eq!(questions[1], Question::new("Is a cough?"));
/// assert_eq!(questions[1].text(), "Is a cough?");
/// # Ok::<(), inference::QuestionsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Question {
    /// What its asker calls it: a text or a number.
    pub id: Option<Value>,
    /// What is asked; a system prompt at its beginning goes before the assistant's own.
    pub messages: Vec<ChatMessage>,
}

/// Why a line is no question; its text is not quoted.
///
/// # Examples
///
/// ```
/// use inference::{Question, QuestionError};
///
/// let error = Question::parse(r#"{"question": " "}"#).unwrap_err();
/// assert!(matches!(error, QuestionError::Blank("question")));
/// assert_eq!(error.to_string(), "field `question` is blank or no text");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// The line is no JSON.
    #[error("not JSON (column {column})")]
    Json {
        /// Where it stops being JSON, counted from 1.
        column: usize,
    },
    /// The line is JSON without a question.
    #[error("no question: neither a text nor an object with `question` or `messages`")]
    NoQuestion,
    /// The question is blank.
    #[error("field `{0}` is blank or no text")]
    Blank(&'static str),
    /// The messages are none of a chat.
    #[error("field `messages` is no list of chat messages that ends with a user's")]
    Messages,
    /// The id is neither a text nor a number.
    #[error("field `{0}` is neither a text nor a number")]
    Id(&'static str),
}

/// Why the questions of a file cannot be used.
///
/// # Examples
///
/// ```
/// use inference::{Question, QuestionsError};
///
/// let error = Question::read_all("\"Is a fever common?\"\n{}\n".as_bytes()).unwrap_err();
/// assert!(matches!(error, QuestionsError::Line { line: 2, .. }));
/// assert!(matches!(Question::read_all(std::io::empty()), Err(QuestionsError::Empty)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionsError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// A line is no question.
    #[error("line {line}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// Why.
        source: QuestionError,
    },
    /// A line is longer than a question can be.
    #[error("line {line} is longer than {LONGEST_LINE_BYTES} bytes")]
    Long {
        /// The line, counted from 1.
        line: usize,
    },
    /// There is no question at all.
    #[error("no question in it")]
    Empty,
}

impl Question {
    /// A question without an id.
    pub fn new(text: impl Into<String>) -> Self {
        Self { id: None, messages: vec![ChatMessage::new(Role::User, text.into())] }
    }

    /// The text of the last message, which is what is asked.
    pub fn text(&self) -> String {
        self.messages.last().map(ChatMessage::text).unwrap_or_default()
    }

    /// Reads one line of a file of questions.
    ///
    /// A line is a JSON text, an object with `question` (or `Question`, as records have it), or one with chat
    /// `messages`; an `id` or `custom_id` is kept. An assistant's message at the end is the answer that is already known
    /// there, as in training data: it is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use inference::Question;
    ///
    /// assert_eq!(Question::parse(r#""What causes a fever?""#)?, Question::new("What causes a fever?"));
    /// let question = Question::parse(r#"{"id": 7, "question": "What causes a fever?"}"#)?;
    /// assert_eq!((question.id, question.messages.len()), (Some(7.into()), 1));
    /// let row = r#"{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}"#;
    /// assert_eq!(Question::parse(row)?.text(), "Why?");
    /// assert!(Question::parse("{}").is_err());
    /// # Ok::<(), inference::QuestionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`QuestionError`], whose variants say what the line lacks.
    pub fn parse(line: &str) -> Result<Self, QuestionError> {
        match serde_json::from_str(line) {
            Ok(Value::String(text)) if text.trim().is_empty() => {
                Err(QuestionError::Blank("question"))
            }
            Ok(Value::String(text)) => Ok(Self::new(text)),
            Ok(Value::Object(fields)) => Self::of_fields(fields),
            Ok(_) => Err(QuestionError::NoQuestion),
            Err(error) => Err(QuestionError::Json { column: error.column() }),
        }
    }

    fn of_fields(mut fields: Map<String, Value>) -> Result<Self, QuestionError> {
        let id = id(&mut fields)?;
        if let Some(Value::Object(body)) = fields.remove("body") {
            // A line of a batch's input.
            fields = body;
        }
        if let Some(messages) = fields.remove("messages") {
            return Ok(Self { id, messages: chat(messages)? });
        }
        for name in ["question", "Question"] {
            match fields.remove(name) {
                Some(Value::String(text)) if !text.trim().is_empty() => {
                    return Ok(Self { id, ..Self::new(text) });
                }
                Some(_) => return Err(QuestionError::Blank(name)),
                None => {}
            }
        }
        Err(QuestionError::NoQuestion)
    }

    /// Reads a file of questions, one a line; blank lines are passed over.
    ///
    /// # Errors
    ///
    /// [`QuestionsError`], with the first line that is no question.
    pub fn read_all(mut input: impl BufRead) -> Result<Vec<Self>, QuestionsError> {
        let (mut questions, mut bytes) = (Vec::new(), Vec::new());
        for line in 1.. {
            bytes.clear();
            let mut limited = std::io::Read::take(&mut input, LONGEST_LINE_BYTES + 1);
            if limited.read_until(b'\n', &mut bytes).map_err(QuestionsError::Read)? == 0 {
                break;
            }
            if bytes.len() as u64 > LONGEST_LINE_BYTES {
                return Err(QuestionsError::Long { line });
            }
            let text = std::str::from_utf8(&bytes).map_err(|error| QuestionsError::Line {
                line,
                source: QuestionError::Json { column: error.valid_up_to() + 1 },
            })?;
            let text = if line == 1 { text.trim_start_matches('\u{feff}') } else { text };
            if !text.trim().is_empty() {
                let question = Self::parse(text.trim());
                questions.push(question.map_err(|source| QuestionsError::Line { line, source })?);
            }
        }
        if questions.is_empty() { Err(QuestionsError::Empty) } else { Ok(questions) }
    }
}

fn id(fields: &mut Map<String, Value>) -> Result<Option<Value>, QuestionError> {
    for name in ["id", "custom_id"] {
        match fields.remove(name) {
            Some(id @ (Value::String(_) | Value::Number(_))) => return Ok(Some(id)),
            Some(Value::Null) | None => {}
            Some(_) => return Err(QuestionError::Id(name)),
        }
    }
    Ok(None)
}

fn chat(messages: Value) -> Result<Vec<ChatMessage>, QuestionError> {
    let mut messages: Vec<ChatMessage> =
        serde_json::from_value(messages).map_err(|_| QuestionError::Messages)?;
    while messages.last().is_some_and(|message| message.role == Role::Assistant) {
        messages.pop();
    }
    for message in &mut messages {
        // Only training reads it.
        message.weight = None;
    }
    match messages.last() {
        Some(last) if last.role == Role::User && !last.text().trim().is_empty() => Ok(messages),
        _ => Err(QuestionError::Messages),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> String {
        match Question::parse(line) {
            Ok(question) => format!(
                "{:?} {:?} after {}",
                question.id,
                question.text(),
                question.messages.len() - 1
            ),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_shape_of_a_question_is_read_and_every_other_is_named() {
        insta::assert_snapshot!(check(r#""Why?""#), @r#"None "Why?" after 0"#);
        insta::assert_snapshot!(check(r#"{"id":"a","question":"Why?","extra":1}"#), @r#"Some(String("a")) "Why?" after 0"#);
        insta::assert_snapshot!(check(r#"{"Question":"Why?","Complex_CoT":"x","Response":"y"}"#), @r#"None "Why?" after 0"#);
        insta::assert_snapshot!(check(r#"{"messages":[{"role":"system","content":"S"},{"role":"user","content":"Why?"},{"role":"assistant","content":"So.","weight":1}]}"#), @r#"None "Why?" after 1"#);
        insta::assert_snapshot!(check(r#"{"custom_id":"q-1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Why?"}]}]}}"#), @r#"Some(String("q-1")) "Why?" after 0"#);
        insta::assert_snapshot!(check(""), @"not JSON (column 0)");
        insta::assert_snapshot!(check("Why?"), @"not JSON (column 1)");
        insta::assert_snapshot!(check("7"), @"no question: neither a text nor an object with `question` or `messages`");
        insta::assert_snapshot!(check("{}"), @"no question: neither a text nor an object with `question` or `messages`");
        insta::assert_snapshot!(check(r#"" ""#), @"field `question` is blank or no text");
        insta::assert_snapshot!(check(r#"{"question":null}"#), @"field `question` is blank or no text");
        insta::assert_snapshot!(check(r#"{"messages":[]}"#), @"field `messages` is no list of chat messages that ends with a user's");
        insta::assert_snapshot!(check(r#"{"messages":[{"role":"assistant","content":"x"}]}"#), @"field `messages` is no list of chat messages that ends with a user's");
        insta::assert_snapshot!(check(r#"{"id":[1],"question":"Why?"}"#), @"field `id` is neither a text nor a number");
    }

    #[test]
    fn a_file_is_read_line_by_line_and_a_bad_line_is_named() {
        let read = |text: &[u8]| Question::read_all(text);
        let questions = read("\u{feff}\"a\"\r\n\n {\"question\":\"b\"}\n\"c\"".as_bytes()).unwrap();
        assert_eq!(questions.iter().map(Question::text).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(matches!(read(b"\"a\"\n{}\n"), Err(QuestionsError::Line { line: 2, .. })));
        assert!(matches!(read(b"\"a\"\n\xff\n"), Err(QuestionsError::Line { line: 2, .. })));
        assert!(matches!(read(b"\n\n"), Err(QuestionsError::Empty)));
    }
}
