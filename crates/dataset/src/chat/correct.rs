//! Chat examples put right where what they teach does not depend on it.

use serde_json::{Map, Value};

use super::{Fault, KEYS, MESSAGE_KEYS, is_assistant};

/// Puts right what does not change what is learned, and tells which faults these were.
///
/// Keys that the service does not know are removed, and weights on messages of others than the assistant; so are
/// messages after the assistant's last one, which teach nothing. Everything else is left as it is, and no text is
/// changed.
///
/// # Examples
///
/// ```
/// use dataset::{Fault, check_chat, correct_chat};
/// use serde_json::json;
///
/// let mut chat = json!({"id": 7, "messages": [
///     {"role": "user", "content": "What causes scurvy?"},
///     {"role": "assistant", "content": "A lack of vitamin C."},
///     {"role": "user", "content": "Thanks!"},
/// ]});
/// assert_eq!(correct_chat(&mut chat), [Fault::LastMessageNotAssistant, Fault::UnrecognizedKey]);
/// assert_eq!(chat["messages"].as_array().map(Vec::len), Some(2));
/// assert!(check_chat(&chat).is_empty());
/// ```
pub fn correct_chat(value: &mut Value) -> Vec<Fault> {
    let mut corrected = Vec::new();
    let Some(example) = value.as_object_mut() else { return corrected };
    if keep(example, &KEYS) {
        corrected.push(Fault::UnrecognizedKey);
    }
    let Some(messages) = example.get_mut("messages").and_then(Value::as_array_mut) else {
        return corrected;
    };
    let learned = messages.iter().rposition(|message| is_assistant(message.get("role")));
    if let Some(last) = learned.filter(|last| last + 1 < messages.len()) {
        messages.truncate(last + 1);
        corrected.push(Fault::LastMessageNotAssistant);
    }
    for message in messages.iter_mut().filter_map(Value::as_object_mut) {
        if keep(message, &MESSAGE_KEYS) {
            corrected.push(Fault::MessageUnrecognizedKey);
        }
        if !is_assistant(message.get("role")) && message.shift_remove("weight").is_some() {
            corrected.push(Fault::WrongWeight);
        }
    }
    corrected.sort_unstable();
    corrected.dedup();
    corrected
}

/// Removes all but the `known` keys; whether there were others.
fn keep(object: &mut Map<String, Value>, known: &[&str]) -> bool {
    let before = object.len();
    object.retain(|key, _| known.contains(&key.as_str()));
    object.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::check_chat;

    fn check(text: &str) -> String {
        let mut value: Value = serde_json::from_str(text).unwrap();
        let corrected = correct_chat(&mut value);
        let codes: Vec<_> = corrected.iter().map(|fault| fault.code()).collect();
        let left = check_chat(&value).len();
        format!("{}; {left} left; {value}", codes.join(", "))
    }

    #[test]
    fn what_teaches_nothing_is_removed_and_no_text_is_changed() {
        assert_eq!(
            check(
                r#"{"id": 7, "messages": [{"role": "user", "content": "Q", "weight": 1, "mood": 2},
                {"role": "assistant", "content": "A", "weight": 0}, {"role": "assistant", "content": "B "},
                {"role": "user", "content": "Thanks"}]}"#
            ),
            "message_unrecognized_key, last_message_not_assistant, wrong_weight, unrecognized_key; 0 left; \
             {\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"A\",\"weight\":0},\
             {\"role\":\"assistant\",\"content\":\"B \"}]}"
        );
    }

    #[test]
    fn what_cannot_be_put_right_is_left_as_it_is() {
        for text in [
            "[]",
            r#"{"messages":7}"#,
            r#"{"messages":[{"role":"human","content":"Q"},{"role":"assistant","content":"A"}]}"#,
            r#"{"messages":[{"role":"user","content":"Q"}]}"#,
        ] {
            let shown = check(text);
            assert!(shown.starts_with("; 1 left; ") || shown.starts_with("; 2 left; "), "{shown}");
            assert!(shown.ends_with(text), "{shown}");
        }
    }
}
