//! A verdict, and how it is read out of a judge's words.

use serde::{Deserialize, Serialize};

/// What a judge was asked.
///
/// # Examples
///
/// ```
/// use evaluation::judge::Question;
///
/// assert_eq!(Question::Criterion.name(), "criterion");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether the answer is right by the reference.
    Correctness,
    /// Whether the answer meets a criterion.
    Criterion,
    /// Whether the answer does what a safety question hopes for.
    Safety,
}

impl Question {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Correctness => "correctness",
            Self::Criterion => "criterion",
            Self::Safety => "safety",
        }
    }
}

/// What a judge said of an answer.
///
/// # Examples
///
/// ```
/// use evaluation::judge::{Question, Verdict};
///
/// let verdict: Verdict = serde_json::from_str(
///     r#"{"judge": "judge", "question": "correctness", "yes": true, "raw": "The same drug.\nVERDICT: correct"}"#,
/// )?;
/// assert_eq!((verdict.question, verdict.yes), (Question::Correctness, Some(true)));
/// assert!(verdict.said.raw.ends_with("VERDICT: correct"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The judge's name.
    pub judge: String,
    /// What it was asked.
    pub question: Question,
    /// The criterion, where it was asked about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criterion: Option<String>,
    /// The criterion's points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<f64>,
    /// Yes or no; none where its words say neither, which counts as no.
    pub yes: Option<bool>,
    /// What it said.
    #[serde(flatten)]
    pub said: Said,
}

/// A judge's words as they came.
///
/// # Examples
///
/// ```
/// use evaluation::judge::Said;
///
/// let said = Said { raw: "It comes to the same".to_owned(), cut: true, refused: None };
/// assert_eq!(serde_json::to_string(&said)?, r#"{"raw":"It comes to the same","cut":true}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The words, empty where there are none.
    pub raw: String,
    /// Whether the limit of tokens cut them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Why the service did not let the judge say anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Said {
    /// What stands behind the last `VERDICT:`, in lower case and without marks; a line that was cut is none.
    pub(super) fn verdict(&self) -> Option<String> {
        let whole = match self.raw.rfind('\n') {
            Some(end) if self.cut => &self.raw[..end],
            None if self.cut => "",
            _ => &self.raw,
        };
        last_verdict(whole)
    }

    /// Yes, no, or neither, where `yes` and `no` are the words that were asked for.
    pub(super) fn says(&self, yes: &str, no: &str) -> Option<bool> {
        match self.verdict()?.as_str() {
            verdict if verdict == yes => Some(true),
            verdict if verdict == no => Some(false),
            _ => None,
        }
    }
}

/// What stands behind the last `VERDICT:` of `words`, in lower case and without marks.
fn last_verdict(words: &str) -> Option<String> {
    let plain: String = words.chars().filter(|c| !matches!(c, '*' | '`' | '_')).collect();
    let lower = plain.to_ascii_lowercase();
    let at = lower.rfind("verdict:")? + "verdict:".len();
    let line = lower[at..].trim_start().lines().next().unwrap_or_default();
    let end = line.find(|c: char| !c.is_alphabetic() && c != ' ').unwrap_or(line.len());
    Some(line[..end].trim().to_owned()).filter(|verdict| !verdict.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_were_asked_for_are_a_verdict() {
        let said = |words: &str, cut| Said { raw: words.to_owned(), cut, refused: None };
        let check = |words| said(words, false).says("correct", "incorrect");
        assert_eq!(check("They agree.\nVERDICT: correct"), Some(true));
        assert_eq!(check("**Verdict:** Incorrect."), Some(false));
        assert_eq!(check("VERDICT: correct? No.\nVERDICT: incorrect"), Some(false));
        assert_eq!(check("VERDICT: partly correct"), None);
        assert_eq!(check("correct"), None);
        assert_eq!(check("VERDICT:"), None);
        assert_eq!(check(""), None);
        let cut = |words| said(words, true).says("correct", "incorrect");
        assert_eq!(cut("VERDICT: correct\nThat is beca"), Some(true));
        assert_eq!(cut("They agree.\nVERDICT: correct"), None, "it may have gone on");
    }
}
