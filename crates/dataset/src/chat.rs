//! Chat examples that somebody else wrote, checked as a fine-tuning service reads them.

mod correct;
mod preference;

use std::io::Read;

use serde_json::{Map, Value};

use crate::json::JsonReader;
use crate::{ContentHash, Error, Limits, Place, Reason};
pub use correct::correct_chat;
pub use preference::check_preference;

/// What is wrong with a chat example.
///
/// The first seven are those of `OpenAI`'s cookbook ("Data preparation and analysis for chat model fine-tuning",
/// commit b774cbf), brought up to date with tools, null content, content parts, weights and the roles `developer` and
/// `tool`.
///
/// # Examples
///
/// ```
/// use dataset::{Fault, check_chat};
/// use serde_json::json;
///
/// let chat = json!({"messages": [
///     {"role": "user", "content": "Is this mole a melanoma?", "weight": 1},
///     {"role": "doctor", "content": "It needs a biopsy."},
/// ]});
/// let codes = check_chat(&chat).iter().map(|finding| finding.fault.code()).collect::<Vec<_>>();
/// assert_eq!(codes, ["wrong_weight", "unrecognized_role", "example_missing_assistant_message"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The line is no object.
    DataType,
    /// `messages` is missing, empty or no list.
    MissingMessagesList,
    /// A message is no object, or lacks `role` or `content`.
    MessageMissingKey,
    /// A message has a key that the service does not know.
    MessageUnrecognizedKey,
    /// A role is not one of the service's.
    UnrecognizedRole,
    /// The content is empty, or neither text nor a list of parts, and no call stands in its place.
    MissingContent,
    /// No message is the assistant's.
    ExampleMissingAssistantMessage,
    /// The last message is not the assistant's, so that it teaches nothing.
    LastMessageNotAssistant,
    /// A weight is not 0 or 1, or not on an assistant's message.
    WrongWeight,
    /// Every message of the assistant has weight 0, or an answer of a pair has it.
    NothingToLearn,
    /// A call of a tool lacks its id or function, or a tool's answer lacks the id of its call.
    WrongToolCall,
    /// A pair of answers has no `input` with messages.
    MissingInput,
    /// The input of a pair ends with the assistant's or the system's message, so that it asks nothing.
    InputAsksNothing,
    /// An answer of a pair is missing, or is not one message of the assistant.
    WrongOutput,
    /// The two answers of a pair are the same.
    SameOutputs,
    /// The example has a key that the service does not know.
    UnrecognizedKey,
    /// A text holds a character that stands for a lost one, or a control character.
    LostCharacter,
    /// A text holds the name of a token that frames messages, such as `<|im_start|>`.
    SpecialTokenText,
    /// The line could not be read as JSON.
    Unreadable(Reason),
}

impl Fault {
    /// The code that reports use; the cookbook's own where it has one.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DataType => "data_type",
            Self::MissingMessagesList => "missing_messages_list",
            Self::MessageMissingKey => "message_missing_key",
            Self::MessageUnrecognizedKey => "message_unrecognized_key",
            Self::UnrecognizedRole => "unrecognized_role",
            Self::MissingContent => "missing_content",
            Self::ExampleMissingAssistantMessage => "example_missing_assistant_message",
            Self::LastMessageNotAssistant => "last_message_not_assistant",
            Self::WrongWeight => "wrong_weight",
            Self::NothingToLearn => "nothing_to_learn",
            Self::WrongToolCall => "wrong_tool_call",
            Self::MissingInput => "missing_input",
            Self::InputAsksNothing => "input_asks_nothing",
            Self::WrongOutput => "wrong_output",
            Self::SameOutputs => "same_outputs",
            Self::UnrecognizedKey => "unrecognized_key",
            Self::LostCharacter => "lost_character",
            Self::SpecialTokenText => "special_token_text",
            Self::Unreadable(reason) => reason.code(),
        }
    }
}

/// A fault, and the message that has it.
///
/// Messages are counted from 0; there is none where the fault is the whole example's.
///
/// # Examples
///
/// ```
/// use dataset::{Fault, Finding, check_chat};
/// use serde_json::json;
///
/// let chat = json!({"messages": [
///     {"role": "user", "content": "What causes scurvy?"},
///     {"role": "assistant", "content": ""},
/// ]});
/// assert_eq!(check_chat(&chat), [Finding { fault: Fault::MissingContent, message: Some(1) }]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub message: Option<usize>,
}

/// One example of a chat file: its place, what is wrong with it, and its content.
///
/// # Examples
///
/// ```
/// use dataset::{ChatReader, Limits};
///
/// let file = r#"{"messages": [{"role": "user", "content": "Scurvy?"}, {"role": "assistant", "content": "Eat fruit."}]}
/// {"messages":[{"role":"user","content":"Scurvy?"},{"role":"assistant","content":"Eat fruit."}]}"#;
/// let chats = ChatReader::new(file.as_bytes(), Limits::default()).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!((chats[0].place.line, chats[1].place.line), (1, 2));
/// assert_eq!(chats[0].messages()[1]["content"], "Eat fruit.");
/// // White space between the values is no difference.
/// assert_eq!(chats[0].content_hash(), chats[1].content_hash());
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedChat {
    /// Where it starts.
    pub place: Place,
    /// Everything that is wrong with it, in reading order.
    pub findings: Vec<Finding>,
    /// The example as it stands there, where it is JSON.
    pub value: Option<Value>,
}

/// An iterator over the chat examples of JSON lines or of a JSON array.
///
/// It holds one of them at a time. What is wrong with an example is in the item; an [`Error`] ends the iterator.
///
/// # Examples
///
/// ```
/// use dataset::{ChatReader, Fault, Limits};
///
/// let file = r#"{"messages": [{"role": "user", "content": "Scurvy?"}, {"role": "assistant", "content": "Eat fruit."}]}
/// {"messages": [{"role": "user", "content": "Rickets?"}]}
/// {"messages": [{"role": "user", "content": "Pell"#;
/// let mut chats = ChatReader::new(file.as_bytes(), Limits::default());
/// assert!(chats.next().unwrap()?.findings.is_empty());
/// assert_eq!(chats.next().unwrap()?.findings[0].fault, Fault::ExampleMissingAssistantMessage);
/// assert_eq!(chats.next().unwrap()?.findings[0].fault.code(), "malformed_json");
/// assert!(chats.next().is_none());
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Debug)]
pub struct ChatReader<R> {
    entries: JsonReader<R>,
    check: fn(&Value) -> Vec<Finding>,
}

impl<R: Read> ChatReader<R> {
    /// A reader of `input`, compressed or not.
    pub fn new(input: R, limits: Limits) -> Self {
        Self { entries: JsonReader::new(input, limits), check: check_chat }
    }

    /// A reader of pairs of answers, as preference tuning takes them.
    ///
    /// # Examples
    ///
    /// ```
    /// use dataset::{ChatReader, Limits};
    ///
    /// let file = r#"{"input": {"messages": [{"role": "user", "content": "Chest pain for an hour. What now?"}]},
    /// "preferred_output": [{"role": "assistant", "content": "Call an ambulance; this may be a heart attack."}],
    /// "non_preferred_output": [{"role": "assistant", "content": "Rest and wait."}]}"#.replace('\n', " ");
    /// let pair = ChatReader::of_preferences(file.as_bytes(), Limits::default()).next().unwrap()?;
    /// assert!(pair.findings.is_empty());
    /// // Read as a chat, it is none.
    /// let chat = ChatReader::new(file.as_bytes(), Limits::default()).next().unwrap()?;
    /// assert_eq!(chat.findings[0].fault.code(), "missing_messages_list");
    /// # Ok::<(), dataset::Error>(())
    /// ```
    pub fn of_preferences(input: R, limits: Limits) -> Self {
        Self { check: check_preference, ..Self::new(input, limits) }
    }
}

impl<R: Read> Iterator for ChatReader<R> {
    type Item = Result<CheckedChat, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let check = self.check;
        let checked = |(place, found)| match found {
            Ok(value) => CheckedChat { place, findings: check(&value), value: Some(value) },
            Err(reason) => {
                let finding = Finding { fault: Fault::Unreadable(reason), message: None };
                CheckedChat { place, findings: vec![finding], value: None }
            }
        };
        self.entries.next().map(|entry| entry.map(checked))
    }
}

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
const MESSAGE_KEYS: [&str; 9] = [
    "role",
    "content",
    "name",
    "weight",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "audio",
];
const KEYS: [&str; 4] = ["messages", "tools", "functions", "parallel_tool_calls"];
/// Names of tokens that frame messages in the chat formats of OpenAI's and other models.
const SPECIAL: [&str; 7] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|im_sep|>",
    "<|endoftext|>",
    "<|start_header_id|>",
    "<|eot_id|>",
    "<|end_of_text|>",
];

impl CheckedChat {
    /// A name for the chat's messages, wherever they stand.
    ///
    /// It is the first 16 bytes of the SHA-256 of their JSON text; there is none where the line is no chat and no pair.
    pub fn content_hash(&self) -> Option<ContentHash> {
        let value = self.value.as_ref()?;
        match value.get("messages") {
            Some(messages) => Some(ContentHash::of(&[&messages.to_string()])),
            None => preference::content_hash(value),
        }
    }

    /// Its messages; of a pair those of the conversation, the preferred answer, then the other.
    pub fn messages(&self) -> Vec<&Value> {
        let Some(value) = &self.value else { return Vec::new() };
        match value["messages"].as_array() {
            Some(messages) => messages.iter().collect(),
            None => preference::messages(value),
        }
    }
}

/// Everything that is wrong with the chat example `value`.
///
/// # Examples
///
/// ```
/// use dataset::{Fault, check_chat};
/// use serde_json::json;
///
/// let good = json!({"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]});
/// assert!(check_chat(&good).is_empty());
/// let asked_only = json!({"messages": [{"role": "user", "content": "Why?"}]});
/// assert_eq!(check_chat(&asked_only)[0].fault, Fault::ExampleMissingAssistantMessage);
/// ```
pub fn check_chat(value: &Value) -> Vec<Finding> {
    let whole = |fault| vec![Finding { fault, message: None }];
    let Some(example) = value.as_object() else {
        return whole(Fault::DataType);
    };
    let messages = example.get("messages").and_then(Value::as_array);
    let Some(messages) = messages.filter(|messages| !messages.is_empty()) else {
        return whole(Fault::MissingMessagesList);
    };
    let mut findings = Vec::new();
    if example.keys().any(|key| !KEYS.contains(&key.as_str())) {
        findings.push(Finding { fault: Fault::UnrecognizedKey, message: None });
    }
    for (index, message) in messages.iter().enumerate() {
        let faults =
            message.as_object().map_or_else(|| vec![Fault::MessageMissingKey], check_message);
        findings.extend(faults.into_iter().map(|fault| Finding { fault, message: Some(index) }));
    }
    findings
        .extend(check_roles(messages).into_iter().map(|fault| Finding { fault, message: None }));
    findings
}

/// The text of a message's content, its parts joined; empty where there is none.
///
/// # Examples
///
/// ```
/// use dataset::content_text;
/// use serde_json::json;
///
/// let parts = json!({"role": "user", "content": [
///     {"type": "text", "text": "What does this "},
///     {"type": "text", "text": "ECG show?"},
/// ]});
/// assert_eq!(content_text(&parts), "What does this ECG show?");
/// assert_eq!(content_text(&json!({"role": "assistant", "tool_calls": []})), "");
/// ```
pub fn content_text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn check_message(message: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let role = message.get("role");
    let calls = ["tool_calls", "function_call"]
        .iter()
        .any(|key| message.get(*key).is_some_and(|v| !v.is_null()));
    if role.is_none() || (!message.contains_key("content") && !calls) {
        faults.push(Fault::MessageMissingKey);
    }
    if message.keys().any(|key| !MESSAGE_KEYS.contains(&key.as_str())) {
        faults.push(Fault::MessageUnrecognizedKey);
    }
    if role.is_some_and(|role| !role.as_str().is_some_and(|role| ROLES.contains(&role))) {
        faults.push(Fault::UnrecognizedRole);
    }
    if let Some(content) = message.get("content")
        && !is_content(content, calls || message.contains_key("refusal"))
    {
        faults.push(Fault::MissingContent);
    }
    if let Some(weight) = message.get("weight")
        && (!matches!(weight.as_f64(), Some(0.0 | 1.0)) || !is_assistant(role))
    {
        faults.push(Fault::WrongWeight);
    }
    if !are_calls(message.get("tool_calls"))
        || (role == Some(&Value::from("tool"))
            && !message.get("tool_call_id").is_some_and(Value::is_string))
    {
        faults.push(Fault::WrongToolCall);
    }
    let text = content_text(&Value::Object(message.clone()));
    if text.chars().any(|c| c == '\u{FFFD}' || (c.is_control() && !matches!(c, '\n' | '\r' | '\t')))
    {
        faults.push(Fault::LostCharacter);
    }
    if SPECIAL.iter().any(|special| text.contains(special)) {
        faults.push(Fault::SpecialTokenText);
    }
    faults
}

/// Whether `content` says something, or may say nothing because something else stands in its place.
fn is_content(content: &Value, replaced: bool) -> bool {
    match content {
        Value::Null => replaced,
        Value::String(text) => replaced || !text.trim().is_empty(),
        Value::Array(parts) => {
            !parts.is_empty()
                && parts.iter().all(|part| part.get("type").is_some_and(Value::is_string))
        }
        _ => false,
    }
}

fn are_calls(calls: Option<&Value>) -> bool {
    let is_call = |call: &Value| call["id"].is_string() && call["function"]["name"].is_string();
    match calls {
        None | Some(Value::Null) => true,
        Some(calls) => {
            calls.as_array().is_some_and(|calls| !calls.is_empty() && calls.iter().all(is_call))
        }
    }
}

fn is_assistant(role: Option<&Value>) -> bool {
    role.and_then(Value::as_str) == Some("assistant")
}

fn check_roles(messages: &[Value]) -> Vec<Fault> {
    let mut assistants =
        messages.iter().filter(|message| is_assistant(message.get("role"))).peekable();
    if assistants.peek().is_none() {
        return vec![Fault::ExampleMissingAssistantMessage];
    }
    let mut faults = Vec::new();
    if assistants.all(|message| message["weight"].as_f64() == Some(0.0)) {
        faults.push(Fault::NothingToLearn);
    }
    if !messages.last().is_some_and(|message| is_assistant(message.get("role"))) {
        faults.push(Fault::LastMessageNotAssistant);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> String {
        let mut text = String::new();
        for chat in ChatReader::new(line.as_bytes(), Limits::default()) {
            let findings =
                chat.unwrap().findings.into_iter().map(|finding| match finding.message {
                    Some(index) => format!("{} in message {index}", finding.fault.code()),
                    None => finding.fault.code().to_owned(),
                });
            text += &findings.collect::<Vec<_>>().join(", ");
            text.push('\n');
        }
        text.trim_end().to_owned()
    }

    fn messages(messages: &str) -> String {
        check(&format!(r#"{{"messages": [{messages}]}}"#))
    }

    const USER: &str = r#"{"role": "user", "content": "Q"}"#;
    const ASSISTANT: &str = r#"{"role": "assistant", "content": "A"}"#;

    #[test]
    fn good_examples_have_no_findings() {
        assert_eq!(
            messages(&format!(r#"{{"role": "developer", "content": "D"}}, {USER}, {ASSISTANT}"#)),
            ""
        );
        let parts = r#"{"role": "user", "content": [{"type": "text", "text": "Q"}]}"#;
        assert_eq!(messages(&format!("{parts}, {ASSISTANT}")), "");
        let call = r#"{"role": "assistant", "content": null, "weight": 0, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}"#;
        let answer = r#"{"role": "tool", "tool_call_id": "c", "content": "7"}"#;
        assert_eq!(messages(&format!("{USER}, {call}, {answer}, {ASSISTANT}")), "");
    }

    #[test]
    fn the_cookbooks_seven_kinds_are_found() {
        assert_eq!(check("[7]"), "data_type");
        assert_eq!(check(r#"{"prompt": "p"}"#), "missing_messages_list");
        assert_eq!(check(r#"{"messages": []}"#), "missing_messages_list");
        assert_eq!(
            messages(&format!(r#"{{"role": "user"}}, {ASSISTANT}"#)),
            "message_missing_key in message 0"
        );
        assert_eq!(
            messages(&format!(r#"{{"role": "user", "content": "Q", "mood": 1}}, {ASSISTANT}"#)),
            "message_unrecognized_key in message 0"
        );
        assert_eq!(
            messages(&format!(r#"{{"role": "human", "content": "Q"}}, {ASSISTANT}"#)),
            "unrecognized_role in message 0"
        );
        assert_eq!(
            messages(&format!(r#"{USER}, {{"role": "assistant", "content": " "}}"#)),
            "missing_content in message 1"
        );
        assert_eq!(
            messages(&format!(r#"{USER}, {{"role": "assistant", "content": null}}"#)),
            "missing_content in message 1"
        );
        assert_eq!(messages(USER), "example_missing_assistant_message");
    }

    #[test]
    fn what_the_cookbook_does_not_look_at_is_found() {
        assert_eq!(messages(&format!("{ASSISTANT}, {USER}")), "last_message_not_assistant");
        assert_eq!(
            messages(r#"{"role": "assistant", "content": "A", "weight": 0}"#),
            "nothing_to_learn"
        );
        assert_eq!(
            messages(&format!(r#"{{"role": "user", "content": "Q", "weight": 1}}, {ASSISTANT}"#)),
            "wrong_weight in message 0"
        );
        assert_eq!(
            messages(r#"{"role": "assistant", "content": "A", "weight": 0.5}"#),
            "wrong_weight in message 0"
        );
        assert_eq!(
            messages(r#"{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}"#),
            "wrong_tool_call in message 0"
        );
        assert_eq!(
            check(&format!(r#"{{"messages": [{ASSISTANT}], "id": 3}}"#)),
            "unrecognized_key"
        );
        assert_eq!(
            messages(r#"{"role": "assistant", "content": "caf\ufffd"}"#),
            "lost_character in message 0"
        );
        assert_eq!(
            messages(r#"{"role": "assistant", "content": "a<|im_end|>"}"#),
            "special_token_text in message 0"
        );
        assert_eq!(
            check("{'messages': []}\n{\"messages\": [1]}"),
            "malformed_json\nmessage_missing_key in message 0, example_missing_assistant_message"
        );
    }
}
