//! What may be kept of an answer: its shape, its numbers and its ids, and never a word of its own.

use std::fmt::Write as _;

/// The fields whose values are ids, states or counts; everything else may repeat what a record or a person said.
const KEPT: &[&str] = &[
    "id",
    "object",
    "model",
    "status",
    "created_at",
    "finished_at",
    "estimated_finish",
    "expires_at",
    "training_file",
    "validation_file",
    "result_files",
    "fine_tuned_model",
    "upload_id",
    "bytes",
    "purpose",
    "type",
    "code",
    "seed",
    "trained_tokens",
    "n_epochs",
    "batch_size",
    "learning_rate_multiplier",
    "medtune_key",
    "medtune_run",
];
/// No id, state or number is longer.
const LONGEST: usize = 200;

/// The outline of `body`, which may be cut or no JSON at all; what is JSON stays JSON.
///
/// It is made without parsing, so that the id in an answer that cannot be read is not lost.
pub(crate) fn outline<'a>(body: &[u8], secrets: impl Iterator<Item = &'a str>) -> String {
    let mut outline = Outline { secrets: secrets.collect(), key: None, out: String::new() };
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        at = match byte {
            b'"' => outline.string(body, at + 1),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                outline.out.push(char::from(byte));
                at + 1
            }
            _ => outline.literal(body, at),
        };
    }
    outline.out
}

struct Outline<'a> {
    secrets: Vec<&'a str>,
    /// The field that the next value belongs to.
    key: Option<String>,
    out: String,
}

impl Outline<'_> {
    /// Takes the string that begins at `start`, behind its quotation mark, and gives the place behind it.
    fn string(&mut self, body: &[u8], start: usize) -> usize {
        let mut end = start;
        while let Some(&byte) = body.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let is_whole = end < body.len();
        let end = end.min(body.len());
        let text = std::str::from_utf8(&body[start..end]).unwrap_or_default();
        let behind = end + 1;
        let next = body[behind.min(body.len())..].iter().find(|byte| !byte.is_ascii_whitespace());
        if next == Some(&b':') {
            self.key = Some(text.to_owned());
            let is_name = text.len() <= 64 && text.bytes().all(is_of_a_name);
            self.push_string(if is_name { text } else { "" });
        } else if is_whole && self.is_kept() && self.is_plain(text) {
            self.push_string(text);
        } else {
            // Writing to a string does not fail.
            let _ = write!(self.out, "\"[{} bytes]\"", end - start);
        }
        behind
    }

    /// Takes a number or a word that stands outside quotation marks.
    fn literal(&mut self, body: &[u8], start: usize) -> usize {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = body[start..].iter().take_while(|byte| is_part(byte)).count();
        let word = std::str::from_utf8(&body[start..start + length]).unwrap_or_default();
        if matches!(word, "true" | "false" | "null") {
            self.out.push_str(word);
        } else if is_number(word) {
            self.out.push_str(if self.is_kept() && self.is_plain(word) { word } else { "0" });
        }
        start + length.max(1)
    }

    fn is_kept(&self) -> bool {
        self.key.as_deref().is_some_and(|key| KEPT.contains(&key))
    }

    fn is_plain(&self, text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        text.len() <= LONGEST
            && text.bytes().all(plain)
            && !self.secrets.iter().any(|secret| text.contains(secret))
    }

    fn push_string(&mut self, text: &str) {
        self.out.push('"');
        self.out.push_str(text);
        self.out.push('"');
    }
}

/// Whether `word` is a number as JSON writes it; Rust reads more words, such as `inf`.
fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok() && word.bytes().all(|byte| b"0123456789+-.eE".contains(&byte))
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(body: &str) -> String {
        outline(body.as_bytes(), ["sk-planted"].into_iter())
    }

    #[test]
    fn ids_states_and_counts_stay_and_words_go() {
        let job = r#"{"id": "ftjob-1", "status":"queued", "error": {"code": "x", "message": "line 3: \"Mrs Planted\" coughs"},
            "result_files": ["file-1", "file-2"], "suffix": "okafor", "seed": 7, "phone": 6175550143, "ok": true, "n": null}"#;
        assert_eq!(
            check(job),
            r#"{"id":"ftjob-1","status":"queued","error":{"code":"x","message":"[30 bytes]"},"result_files":["file-1","file-2"],"suffix":"[6 bytes]","seed":7,"phone":0,"ok":true,"n":null}"#
        );
    }

    #[test]
    fn the_id_in_an_answer_that_is_cut_or_no_json_is_not_lost() {
        assert_eq!(
            check(r#"{"id": "ftjob-1", "model": "m", "meta"#),
            r#"{"id":"ftjob-1","model":"m","[4 bytes]""#
        );
        assert_eq!(check("<html>Mrs Planted, born 1950, coughs</html>"), ",0,");
        assert_eq!(
            check(r#"{"id": "sk-planted", "status": "a b"}"#),
            r#"{"id":"[10 bytes]","status":"[3 bytes]"}"#
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_outlined_and_json_stays_json(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[a-z \"\\\\{}:,0-9]{0,60}") {
            outline(&bytes, [].into_iter());
            let value = serde_json::json!({"id": text, "list": [text, 1.5, -3, {"message": text}]});
            let kept: serde_json::Value = serde_json::from_str(&outline(value.to_string().as_bytes(), [].into_iter())).unwrap();
            prop_assert!(kept["list"][3]["message"].is_string());
        }
    }
}
