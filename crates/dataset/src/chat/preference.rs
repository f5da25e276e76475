//! Pairs of answers to one conversation, as preference tuning (DPO) reads them.
//!
//! The shape is `OpenAI`'s: `{"input": {"messages": [..]}, "preferred_output": [..], "non_preferred_output": [..]}`.

use serde_json::{Map, Value};

use super::{Fault, Finding, check_message, is_assistant};
use crate::ContentHash;

/// Where the two answers stand, the better one first.
pub(super) const OUTPUTS: [&str; 2] = ["preferred_output", "non_preferred_output"];
const KEYS: [&str; 3] = ["input", OUTPUTS[0], OUTPUTS[1]];
const INPUT_KEYS: [&str; 3] = ["messages", "tools", "parallel_tool_calls"];

/// Everything that is wrong with the pair `value`.
///
/// Messages are counted from 0 through the input, then the preferred answer, then the other.
///
/// # Examples
///
/// ```
/// use dataset::{Fault, check_preference};
/// use serde_json::json;
///
/// let answer = |text| json!([{"role": "assistant", "content": text}]);
/// let pair = |preferred, other| json!({
///     "input": {"messages": [{"role": "user", "content": "May I stop the antibiotic early?"}]},
///     "preferred_output": answer(preferred),
///     "non_preferred_output": answer(other),
/// });
/// assert!(check_preference(&pair("Ask who prescribed it first.", "Sure.")).is_empty());
/// assert_eq!(check_preference(&pair("Sure.", "Sure."))[0].fault, Fault::SameOutputs);
/// ```
pub fn check_preference(value: &Value) -> Vec<Finding> {
    let whole = |fault| Finding { fault, message: None };
    let Some(pair) = value.as_object() else { return vec![whole(Fault::DataType)] };
    let input = pair.get("input").and_then(Value::as_object);
    let messages = input.and_then(|input| input.get("messages")).and_then(Value::as_array);
    let (Some(input), Some(messages)) = (input, messages.filter(|messages| !messages.is_empty()))
    else {
        return vec![whole(Fault::MissingInput)];
    };
    let [preferred, rejected] = OUTPUTS.map(|key| answer(pair, key));
    let (Some(preferred), Some(rejected)) = (preferred, rejected) else {
        return vec![whole(Fault::WrongOutput)];
    };
    let mut findings = Vec::new();
    if !knows(pair, &KEYS) || !knows(input, &INPUT_KEYS) {
        findings.push(whole(Fault::UnrecognizedKey));
    }
    for (index, message) in messages.iter().chain([preferred, rejected]).enumerate() {
        let faults =
            message.as_object().map_or_else(|| vec![Fault::MessageMissingKey], check_message);
        findings.extend(faults.into_iter().map(|fault| Finding { fault, message: Some(index) }));
    }
    let last = messages.len() - 1;
    if messages[last].get("role").is_some_and(asks_nothing) {
        findings.push(Finding { fault: Fault::InputAsksNothing, message: Some(last) });
    }
    for (index, answer) in [preferred, rejected].into_iter().enumerate() {
        if answer.get("weight").and_then(Value::as_f64) == Some(0.0) {
            let message = Some(messages.len() + index);
            findings.push(Finding { fault: Fault::NothingToLearn, message });
        }
    }
    if preferred == rejected {
        findings.push(whole(Fault::SameOutputs));
    }
    findings
}

/// The one message of the assistant that an answer is.
fn answer<'a>(pair: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    match pair.get(key)?.as_array()?.as_slice() {
        [message] if is_assistant(message.get("role")) => Some(message),
        _ => None,
    }
}

/// Whether a conversation that ends with a message of this role leaves nothing to answer.
fn asks_nothing(role: &Value) -> bool {
    matches!(role.as_str(), Some("assistant" | "system" | "developer"))
}

fn knows(object: &Map<String, Value>, known: &[&str]) -> bool {
    object.keys().all(|key| known.contains(&key.as_str()))
}

/// The messages of the conversation and the two answers; none where the pair is no pair.
pub(super) fn messages(value: &Value) -> Vec<&Value> {
    let lists = [&value["input"]["messages"], &value[OUTPUTS[0]], &value[OUTPUTS[1]]];
    lists.into_iter().filter_map(Value::as_array).flatten().collect()
}

/// A name for the pair, wherever it stands.
pub(super) fn content_hash(value: &Value) -> Option<ContentHash> {
    let input = value.get("input")?.get("messages")?.to_string();
    let [preferred, rejected] = OUTPUTS.map(|key| value.get(key).map(Value::to_string));
    Some(ContentHash::of(&[&input, &preferred?, &rejected?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChatReader, Limits};

    fn check(line: &str) -> String {
        let mut told = Vec::new();
        for pair in ChatReader::of_preferences(line.as_bytes(), Limits::default()) {
            told.extend(pair.unwrap().findings.into_iter().map(|finding| match finding.message {
                Some(index) => format!("{} in message {index}", finding.fault.code()),
                None => finding.fault.code().to_owned(),
            }));
        }
        told.join(" ")
    }

    fn pair(input: &str, preferred: &str, rejected: &str) -> String {
        format!(
            r#"{{"input": {input}, "preferred_output": {preferred}, "non_preferred_output": {rejected}}}"#
        )
    }

    const INPUT: &str = r#"{"messages": [{"role": "user", "content": "Q"}], "tools": []}"#;
    const BETTER: &str = r#"[{"role": "assistant", "content": "A"}]"#;
    const WORSE: &str = r#"[{"role": "assistant", "content": "B"}]"#;

    #[test]
    fn a_good_pair_has_no_findings() {
        assert_eq!(check(&pair(INPUT, BETTER, WORSE)), "");
    }

    #[test]
    fn what_is_wrong_with_a_pair_is_found() {
        let table = [
            (pair("{}", BETTER, WORSE), "missing_input"),
            (r#"{"messages": [{"role": "user", "content": "Q"}]}"#.to_owned(), "missing_input"),
            (pair(INPUT, "[]", WORSE), "wrong_output"),
            (pair(INPUT, BETTER, r#"[{"role": "user", "content": "B"}]"#), "wrong_output"),
            (pair(INPUT, BETTER, r#""B""#), "wrong_output"),
            (pair(INPUT, BETTER, BETTER), "same_outputs"),
            (
                pair(INPUT, BETTER, r#"[{"role": "assistant", "content": " "}]"#),
                "missing_content in message 2",
            ),
            (
                pair(r#"{"messages": [{"role": "system", "content": "S"}]}"#, BETTER, WORSE),
                "input_asks_nothing in message 0",
            ),
            (
                pair(&format!(r#"{{"messages": {BETTER}}}"#), BETTER, WORSE),
                "input_asks_nothing in message 0",
            ),
            (
                pair(INPUT, r#"[{"role": "assistant", "content": "A", "weight": 0}]"#, WORSE),
                "nothing_to_learn in message 1",
            ),
            (
                pair(r#"{"messages": ["Q"], "mood": 1}"#, BETTER, WORSE),
                "unrecognized_key message_missing_key in message 0",
            ),
            ("[7]".to_owned(), "data_type"),
        ];
        for (line, expected) in table {
            assert_eq!(check(&line), expected, "{line}");
        }
    }

    #[test]
    fn a_pair_and_the_same_pair_the_other_way_round_are_not_the_same() {
        let hash = |text: &str| content_hash(&serde_json::from_str(text).unwrap());
        let (one, other) = (pair(INPUT, BETTER, WORSE), pair(INPUT, WORSE, BETTER));
        assert_eq!(hash(&one), hash(&one.replace(", ", ",")));
        assert_ne!(hash(&one), hash(&other));
        assert_eq!(hash("{}"), None);
    }
}
