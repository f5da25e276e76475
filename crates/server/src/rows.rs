//! Rows of a training file: JSON lines of conversations or of preferences, checked as the hosted service does.
//!
//! A fault names the line (from 1) and the message (`messages[0]` is the first), and nothing of what they say.

mod preference;

use std::io::{BufRead, Read as _};

use engine::ChatMessage;
use serde_json::{Map, Value};

pub(crate) use preference::Pair;

/// What the rows of a file are to be, by the method of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Conversations,
    Preferences,
}

/// The rows of a file.
#[derive(Debug)]
pub(crate) enum Content {
    Conversations(Vec<Vec<ChatMessage>>),
    Preferences(Vec<Pair>),
}

impl Content {
    fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Conversations => Self::Conversations(Vec::new()),
            Kind::Preferences => Self::Preferences(Vec::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Conversations(conversations) => conversations.len(),
            Self::Preferences(pairs) => pairs.len(),
        }
    }
}

/// What is no fault, and yet worth a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Noticed {
    /// How many messages carry a speaker's name, which chat templates here have no place for.
    pub(crate) named_messages: usize,
    /// How many preferences have the same answer twice, which teaches nothing.
    pub(crate) equal_pairs: usize,
}

/// A file as it reads.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) content: Content,
    pub(crate) noticed: Noticed,
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum RowsError {
    Read,
    /// The file has more bytes than a job may train on.
    Large {
        most: u64,
    },
    /// What is wrong with the first bad line, and how many more are bad.
    Bad {
        line: usize,
        fault: String,
        more: usize,
    },
}

/// The longest line: far beyond the tokens that are trained on, and no danger to memory.
const LINE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads all rows, which are to be of this `kind`; blank lines and a byte order mark are passed over.
pub(crate) fn read(mut reader: impl BufRead, kind: Kind) -> Result<Rows, RowsError> {
    let mut rows = Rows { content: Content::empty(kind), noticed: Noticed::default() };
    let mut first_fault: Option<(usize, String)> = None;
    let (mut bad, mut line, mut bytes) = (0, 0, Vec::new());
    loop {
        bytes.clear();
        let mut line_of = reader.by_ref().take(LINE_BYTES + 1);
        if line_of.read_until(b'\n', &mut bytes).map_err(|_| RowsError::Read)? == 0 {
            break;
        }
        line += 1;
        if bytes.len() as u64 > LINE_BYTES {
            let fault = format!("the line has more than {LINE_BYTES} bytes");
            return Err(RowsError::Bad { line, fault, more: bad });
        }
        let text = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf") } else { None };
        let text = text.unwrap_or(&bytes).trim_ascii();
        if text.is_empty() {
            continue;
        }
        if let Err(fault) = rows.add(text) {
            bad += 1;
            first_fault.get_or_insert((line, fault));
        }
    }
    match first_fault {
        Some((line, fault)) => Err(RowsError::Bad { line, fault, more: bad - 1 }),
        None => Ok(rows),
    }
}

impl Rows {
    fn add(&mut self, text: &[u8]) -> Result<(), String> {
        let row = object(text)?;
        match &mut self.content {
            Content::Conversations(rows) => rows.push(conversation(&row, &mut self.noticed)?),
            Content::Preferences(rows) => rows.push(Pair::read(&row, &mut self.noticed)?),
        }
        Ok(())
    }
}

fn object(text: &[u8]) -> Result<Map<String, Value>, String> {
    let row: Value = serde_json::from_slice(text).map_err(|error| {
        let what = if error.is_eof() { "ends too early for JSON" } else { "is not valid JSON" };
        format!("the line {what} (column {})", error.column())
    })?;
    let Value::Object(row) = row else { return Err("the line is not a JSON object".to_owned()) };
    Ok(row)
}

/// What a row may hold beside its messages, as long as it is empty.
const TOOLS: [&str; 3] = ["tools", "functions", "parallel_tool_calls"];

fn conversation(
    row: &Map<String, Value>,
    noticed: &mut Noticed,
) -> Result<Vec<ChatMessage>, String> {
    if row.contains_key("preferred_output") {
        return Err("the line is a preference, which the method `dpo` is for".to_owned());
    }
    check_keys(row, &["messages"], &TOOLS)?;
    let conversation = messages(row, "messages", noticed)?;
    let learned =
        |message: &ChatMessage| message.role == "assistant" && message.weight != Some(0.0);
    if conversation.last().is_some_and(|last| last.role != "assistant") {
        return Err(format!(
            "messages[{}]: the last message must be the assistant's",
            conversation.len() - 1
        ));
    }
    if !conversation.iter().any(learned) {
        return Err("no assistant message has a weight other than 0".to_owned());
    }
    Ok(conversation)
}

/// The list of messages that `fields` has under `name`.
fn messages(
    fields: &Map<String, Value>,
    name: &str,
    noticed: &mut Noticed,
) -> Result<Vec<ChatMessage>, String> {
    let messages = match fields.get(name) {
        Some(Value::Array(messages)) if !messages.is_empty() => messages,
        Some(Value::Array(_)) => return Err(format!("`{name}` is empty")),
        Some(_) => return Err(format!("`{name}` is not a list")),
        None => return Err(format!("`{name}` is missing")),
    };
    let mut read = Vec::with_capacity(messages.len());
    for (index, value) in messages.iter().enumerate() {
        let at = |fault: String| format!("{name}[{index}]: {fault}");
        let Value::Object(fields) = value else { return Err(at("not a JSON object".to_owned())) };
        noticed.named_messages += usize::from(fields.contains_key("name"));
        read.push(message(fields).map_err(at)?);
    }
    Ok(read)
}

fn message(fields: &Map<String, Value>) -> Result<ChatMessage, String> {
    const TOOLS: [&str; 4] = ["function_call", "tool_calls", "tool_call_id", "audio"];
    check_keys(fields, &["role", "content", "name", "weight", "refusal"], &TOOLS)?;
    let role = match fields.get("role").and_then(Value::as_str) {
        Some("system" | "developer") => "system",
        Some("user") => "user",
        Some("assistant") => "assistant",
        Some("tool" | "function") => {
            return Err("`role` is a tool's: tools are not supported".to_owned());
        }
        Some(_) => return Err("`role` is none of system, user and assistant".to_owned()),
        None => return Err("`role` is missing or not a text".to_owned()),
    };
    let content = match fields.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => text_of(parts)?,
        Some(Value::Null) | None => return Err("`content` is missing".to_owned()),
        Some(_) => return Err("`content` is not a text".to_owned()),
    };
    if role == "assistant" && content.trim().is_empty() {
        return Err("`content` of the assistant is blank".to_owned());
    }
    let weight = match fields.get("weight") {
        None | Some(Value::Null) => None,
        Some(_) if role != "assistant" => {
            return Err("`weight` is only for the assistant's messages".to_owned());
        }
        Some(weight) => match weight.as_f64() {
            Some(0.0) => Some(0.0),
            Some(1.0) => Some(1.0),
            _ => return Err("`weight` is neither 0 nor 1".to_owned()),
        },
    };
    Ok(ChatMessage { role: role.to_owned(), content, weight })
}

fn text_of(parts: &[Value]) -> Result<String, String> {
    parts
        .iter()
        .map(|part| match (part.get("type").and_then(Value::as_str), part.get("text")) {
            (Some("text"), Some(Value::String(text))) => Ok(text.as_str()),
            _ => Err("`content` has a part that is not text".to_owned()),
        })
        .collect()
}

fn check_keys(
    fields: &Map<String, Value>,
    known: &[&str],
    unsupported: &[&str],
) -> Result<(), String> {
    for (key, value) in fields {
        if known.contains(&key.as_str()) {
            continue;
        }
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if unsupported.contains(&key.as_str()) {
            if empty || *value == Value::Bool(true) || *value == Value::Bool(false) {
                continue;
            }
            return Err(format!("`{key}` is not supported"));
        }
        // A key may be anything, a patient's words too; only one that looks like a key is shown.
        let plain =
            key.len() <= 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return Err(if plain { format!("unknown key `{key}`") } else { "unknown key".to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#;

    fn check(text: &str) -> String {
        match read(text.as_bytes(), Kind::Conversations) {
            Ok(rows) => format!("{} rows", rows.content.len()),
            Err(RowsError::Bad { line, fault, more }) => format!("line {line}: {fault} (+{more})"),
            Err(error) => format!("{error:?}"),
        }
    }

    fn check_messages(messages: &str) -> String {
        check(&format!(r#"{{"messages":{messages}}}"#))
    }

    #[test]
    fn blank_lines_a_byte_order_mark_and_crlf_are_passed_over() {
        assert_eq!(check(&format!("\u{feff}{GOOD}\r\n\n{GOOD}")), "2 rows");
        assert_eq!(check(""), "0 rows");
    }

    #[test]
    fn the_first_bad_line_is_named_and_the_others_are_counted() {
        let text = format!("{GOOD}\n{{}}\n{GOOD}\n[1]\n");
        insta::assert_snapshot!(check(&text), @"line 2: `messages` is missing (+1)");
        insta::assert_snapshot!(check(&GOOD[..30]), @"line 1: the line ends too early for JSON (column 30) (+0)");
        insta::assert_snapshot!(check("{\"messages\":[]}"), @"line 1: `messages` is empty (+0)");
        insta::assert_snapshot!(check("{\"prompt\":\"x\"}"), @"line 1: unknown key `prompt` (+0)");
        insta::assert_snapshot!(check("{\"input\":{},\"preferred_output\":[]}"), @"line 1: the line is a preference, which the method `dpo` is for (+0)");
        insta::assert_snapshot!(check("\"x\""), @"line 1: the line is not a JSON object (+0)");
    }

    #[test]
    fn a_bad_message_is_named_by_its_index() {
        let user = r#"{"role":"user","content":"q"}"#;
        let check = |second: &str| check_messages(&format!("[{user},{second}]"));
        insta::assert_snapshot!(check(r#"{"role":"doctor","content":"a"}"#), @"line 1: messages[1]: `role` is none of system, user and assistant (+0)");
        insta::assert_snapshot!(check(r#"{"content":"a"}"#), @"line 1: messages[1]: `role` is missing or not a text (+0)");
        insta::assert_snapshot!(check(r#"{"role":"assistant","content":null}"#), @"line 1: messages[1]: `content` is missing (+0)");
        insta::assert_snapshot!(check(r#"{"role":"assistant","content":" "}"#), @"line 1: messages[1]: `content` of the assistant is blank (+0)");
        insta::assert_snapshot!(check(r#"{"role":"assistant","content":"a","weight":0.5}"#), @"line 1: messages[1]: `weight` is neither 0 nor 1 (+0)");
        insta::assert_snapshot!(check(r#"{"role":"assistant","content":"a","weight":0}"#), @"line 1: no assistant message has a weight other than 0 (+0)");
        insta::assert_snapshot!(check(r#"{"role":"assistant","content":"a","tool_calls":[{}]}"#), @"line 1: messages[1]: `tool_calls` is not supported (+0)");
        insta::assert_snapshot!(check(user), @"line 1: messages[1]: the last message must be the assistant's (+0)");
        insta::assert_snapshot!(check("3"), @"line 1: messages[1]: not a JSON object (+0)");
    }

    #[test]
    fn parts_of_text_and_the_developer_role_are_understood() {
        let row = br#"{"messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":"c","weight":1}]}"#;
        let row = object(row).unwrap();
        let conversation = conversation(&row, &mut Noticed::default()).unwrap();
        let first = &conversation[0];
        assert_eq!((first.role.as_str(), first.content.as_str()), ("system", "ab"));
    }
    const PREFERENCE: &str = r#"{"input":{"messages":[{"role":"user","content":"q"}]},"preferred_output":[{"role":"assistant","content":"a"}],"non_preferred_output":[{"role":"assistant","content":"b"}]}"#;

    proptest::proptest! {
        #[test]
        fn a_damaged_row_is_read_or_refused_and_its_text_is_in_no_fault(
            place in 0_usize..180, byte: u8, cut in 0_usize..200, preference: bool,
        ) {
            let (row, kind) = if preference {
                (PREFERENCE, Kind::Preferences)
            } else {
                (GOOD, Kind::Conversations)
            };
            let secret = row.replace("\"q\"", "\"SECRET\"");
            let mut bytes = secret.into_bytes();
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            bytes.truncate(cut.max(1));
            if let Err(error) = read(bytes.as_slice(), kind) {
                let fault = format!("{error:?}");
                proptest::prop_assert!(!fault.contains("SECRET"), "{fault}");
            }
        }
    }
}
