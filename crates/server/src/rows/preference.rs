//! Rows of preferences: a prompt with a better and a worse answer, in the dialect's own shape.

use engine::ChatMessage;
use serde_json::{Map, Value};

use super::{Noticed, TOOLS, check_keys, messages};

/// Two answers to one prompt.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) input: Vec<ChatMessage>,
    pub(crate) preferred: ChatMessage,
    pub(crate) rejected: ChatMessage,
}

impl Pair {
    pub(super) fn read(row: &Map<String, Value>, noticed: &mut Noticed) -> Result<Self, String> {
        if row.contains_key("messages") {
            return Err(
                "the line is a conversation, which the method `supervised` is for".to_owned()
            );
        }
        check_keys(row, &["input", "preferred_output", "non_preferred_output"], &[])?;
        let input = match row.get("input") {
            Some(Value::Object(input)) => input,
            Some(_) => return Err("`input` is not a JSON object".to_owned()),
            None => return Err("`input` is missing".to_owned()),
        };
        let input = check_keys(input, &["messages"], &TOOLS)
            .and_then(|()| messages(input, "messages", noticed))
            .map_err(|fault| format!("input: {fault}"))?;
        if input.last().is_some_and(|last| last.role != "user") {
            let last = input.len() - 1;
            return Err(format!("input: messages[{last}]: the last message must be the user's"));
        }
        let preferred = answer(row, "preferred_output", noticed)?;
        let rejected = answer(row, "non_preferred_output", noticed)?;
        noticed.equal_pairs += usize::from(preferred.content == rejected.content);
        Ok(Self { input, preferred, rejected })
    }
}

/// The one message of the assistant's that is an output.
fn answer(
    row: &Map<String, Value>,
    name: &str,
    noticed: &mut Noticed,
) -> Result<ChatMessage, String> {
    let mut output = messages(row, name, noticed)?;
    let answer = output.pop().filter(|answer| output.is_empty() && answer.role == "assistant");
    let answer = answer.ok_or_else(|| format!("`{name}` is not one message of the assistant's"))?;
    if answer.weight == Some(0.0) {
        return Err(format!("{name}[0]: an answer with the weight 0 teaches nothing"));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, RowsError, read};
    use serde_json::{Value, json};

    fn row() -> Value {
        let answer = |text: &str| json!([{"role": "assistant", "content": text}]);
        json!({
            "input": {
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
                "tools": [],
                "parallel_tool_calls": true,
            },
            "preferred_output": answer("good"),
            "non_preferred_output": answer("bad"),
        })
    }

    fn check(change: impl FnOnce(&mut Value)) -> String {
        let mut row = row();
        change(&mut row);
        match read(row.to_string().as_bytes(), Kind::Preferences) {
            Ok(rows) => format!("{} rows, {} equal", rows.content.len(), rows.noticed.equal_pairs),
            Err(RowsError::Bad { line, fault, .. }) => format!("line {line}: {fault}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_preference_as_the_dialect_has_it_is_read_and_equal_answers_are_counted() {
        insta::assert_snapshot!(check(|_| {}), @"1 rows, 0 equal");
        let same = |row: &mut Value| row["preferred_output"] = row["non_preferred_output"].clone();
        insta::assert_snapshot!(check(same), @"1 rows, 1 equal");
    }

    #[test]
    fn what_is_wrong_with_a_preference_is_named() {
        let without =
            |name: &'static str| check(move |row| drop(row.as_object_mut().unwrap().remove(name)));
        insta::assert_snapshot!(without("input"), @"line 1: `input` is missing");
        insta::assert_snapshot!(without("preferred_output"), @"line 1: `preferred_output` is missing");
        insta::assert_snapshot!(without("non_preferred_output"), @"line 1: `non_preferred_output` is missing");
        insta::assert_snapshot!(check(|row| row["input"] = json!([])), @"line 1: `input` is not a JSON object");
        insta::assert_snapshot!(check(|row| row["input"]["messages"] = json!([])), @"line 1: input: `messages` is empty");
        insta::assert_snapshot!(check(|row| row["input"]["tools"] = json!([{}])), @"line 1: input: `tools` is not supported");
        insta::assert_snapshot!(check(|row| row["input"]["messages"][1]["role"] = json!("chef")), @"line 1: input: messages[1]: `role` is none of system, user and assistant");
        insta::assert_snapshot!(check(|row| row["input"]["messages"][1]["role"] = json!("system")), @"line 1: input: messages[1]: the last message must be the user's");
        insta::assert_snapshot!(check(|row| row["preferred_output"][0]["role"] = json!("user")), @"line 1: `preferred_output` is not one message of the assistant's");
        insta::assert_snapshot!(check(|row| row["non_preferred_output"][0]["content"] = json!("")), @"line 1: non_preferred_output[0]: `content` of the assistant is blank");
        insta::assert_snapshot!(check(|row| row["non_preferred_output"][0]["weight"] = json!(0)), @"line 1: non_preferred_output[0]: an answer with the weight 0 teaches nothing");
        insta::assert_snapshot!(check(|row| row["messages"] = json!([])), @"line 1: the line is a conversation, which the method `supervised` is for");
        insta::assert_snapshot!(check(|row| row["score"] = json!(1)), @"line 1: unknown key `score`");
    }
}
