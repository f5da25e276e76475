//! Reading the choice out of an answer.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::value::{self, Named};

/// How a choice was read out of an answer.
///
/// The rules stand in the order in which they are tried. The first rule that finds something decides, also where what
/// it finds is no single choice: no later rule may turn that into a right answer. Within a rule the last place counts,
/// because models correct themselves forwards.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Extraction, Rule, extract};
///
/// let choices = ["Heparin", "Aspirin"].map(String::from);
/// let Extraction::Choice { choice: 1, rule } = extract(r"\boxed{B}", &choices) else { panic!("B was chosen") };
/// assert_eq!((rule, rule.name()), (Rule::Boxed, "boxed"));
/// // Rules that say more are tried first.
/// assert!(Rule::ALL.is_sorted() && Rule::Statement < Rule::TextWithin);
/// assert_eq!(Rule::LetterLast.meaning(), "a last line that is nothing but a letter");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `"answer_choice": "B"` of a JSON object, whole or broken; also `answer`, `choice`, `answer_idx`.
    Json,
    /// `\boxed{B}`.
    Boxed,
    /// "The answer is B", "Answer: B. text", "the correct option is (B)", "the answer is" and a choice's text.
    Statement,
    /// "Option B is correct", "B is the best answer".
    Pronounced,
    /// The answer begins with a letter: "B", "(B) text", "B. text".
    LetterFirst,
    /// The last line is nothing but a letter.
    LetterLast,
    /// The answer begins with the text of a choice: "Yes, because".
    TextFirst,
    /// The text of just one choice stands somewhere in the answer; not where a choice has fewer than four letters, as
    /// "no" stands in most texts.
    TextWithin,
}

/// Why no choice was read; each of these counts as a wrong answer.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Extraction, Missing, extract};
///
/// let read = extract("It depends.", &["Heparin", "Aspirin"].map(String::from));
/// assert_eq!(read, Extraction::Missing(Missing::Unrecognised));
/// assert_eq!(Missing::Unrecognised.name(), "unrecognised");
/// assert_eq!(Missing::Unrecognised.meaning(), "no rule finds a choice in it");
/// assert!(Missing::ALL.contains(&Missing::NoPrediction));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// There is no answer to this problem.
    NoPrediction,
    /// The answer is empty.
    Empty,
    /// The answer has reasoning and ends before a final response.
    NoResponse,
    /// It names more than one choice, as `A/B`, or in the place of a choice something that is none.
    Unusable,
    /// It declines to answer.
    Refusal,
    /// No rule finds a choice in it.
    Unrecognised,
}

/// What was read out of an answer.
///
/// # Examples
///
/// ```
/// use evaluation::choice::extract;
///
/// let choices = ["Heparin", "Aspirin"].map(String::from);
/// let read = extract("The answer is B.", &choices);
/// assert_eq!((read.choice(), read.name()), (Some(1), "statement"));
/// let read = extract("", &choices);
/// assert_eq!((read.choice(), read.name()), (None, "empty"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extraction {
    /// A choice, counted from 0.
    Choice {
        /// The choice.
        choice: usize,
        /// The rule that found it.
        rule: Rule,
    },
    /// None, and why.
    Missing(Missing),
}

impl Rule {
    /// All rules, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::Json,
        Self::Boxed,
        Self::Statement,
        Self::Pronounced,
        Self::LetterFirst,
        Self::LetterLast,
        Self::TextFirst,
        Self::TextWithin,
    ];

    /// The name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Boxed => "boxed",
            Self::Statement => "statement",
            Self::Pronounced => "pronounced",
            Self::LetterFirst => "letter_first",
            Self::LetterLast => "letter_last",
            Self::TextFirst => "text_first",
            Self::TextWithin => "text_within",
        }
    }

    /// What it finds, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Json => {
                r#""answer_choice": "B" of a JSON object, also of a broken one; also answer, choice, answer_idx"#
            }
            Self::Boxed => r"\boxed{B}",
            Self::Statement => {
                r#""the answer is B", "Answer: B. text", "the correct option is (B)", or a choice's text there"#
            }
            Self::Pronounced => r#""option B is correct", "B is the best answer""#,
            Self::LetterFirst => r#"a letter at the beginning: "B", "(B) text", "B. text""#,
            Self::LetterLast => "a last line that is nothing but a letter",
            Self::TextFirst => r#"a choice's text at the beginning: "Yes, because""#,
            Self::TextWithin => {
                "the text of just one choice anywhere; not where a choice has fewer than four letters"
            }
        }
    }

    fn apply(self, text: &str, choices: &[String]) -> Named {
        match self {
            Self::Json => decided(&JSON, text, choices),
            Self::Boxed => decided(&BOXED, text, choices),
            Self::Statement => last_after(&STATEMENT, text, choices),
            Self::Pronounced => pronounced(text, choices.len()),
            Self::LetterFirst => value::letter(text, choices.len(), false),
            Self::LetterLast => letter_last(text, choices.len()),
            Self::TextFirst => value::text_first(text, choices),
            Self::TextWithin => value::text_within(text, choices),
        }
    }
}

impl Missing {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::NoPrediction,
        Self::Empty,
        Self::NoResponse,
        Self::Unusable,
        Self::Refusal,
        Self::Unrecognised,
    ];

    /// What it says, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoPrediction => "there is no answer to this problem",
            Self::Empty => "the answer is empty",
            Self::NoResponse => "the answer has reasoning and ends before a final response",
            Self::Unusable => {
                "it names several choices (\"A/B\"), or in the place of a choice something that is none"
            }
            Self::Refusal => "it declines to answer",
            Self::Unrecognised => "no rule finds a choice in it",
        }
    }

    /// The name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPrediction => "no_prediction",
            Self::Empty => "empty",
            Self::NoResponse => "no_response",
            Self::Unusable => "unusable",
            Self::Refusal => "refusal",
            Self::Unrecognised => "unrecognised",
        }
    }
}

impl Extraction {
    /// The choice, if one was read.
    pub fn choice(self) -> Option<usize> {
        match self {
            Self::Choice { choice, .. } => Some(choice),
            Self::Missing(_) => None,
        }
    }

    /// The name of the rule that found the choice, or of the reason why there is none.
    pub fn name(self) -> &'static str {
        match self {
            Self::Choice { rule, .. } => rule.name(),
            Self::Missing(missing) => missing.name(),
        }
    }
}

fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant")
}

static JSON: LazyLock<Regex> = LazyLock::new(|| {
    constant(r#"(?i)\\?["'](?:answer_choice|answer_idx|answer|choice)\\?["']\s*:\s*\[?\s*\\?["']?"#)
});
static BOXED: LazyLock<Regex> =
    LazyLock::new(|| constant(r"\\boxed\s*\{\s*(?:\\text(?:bf|rm)?\s*\{)?"));
static STATEMENT: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"(?i)\b(?:answer|(?:correct|right|best)\s+(?:option|choice|diagnosis))(?:\s+(?:choice|option|letter|here|to\s+(?:this|the)\s+question))?\s*(?:is|would\s+be|should\s+be|must\s+be|will\s+be|=|:)\s*:?\s*",
    )
});
static PRONOUNCED: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"(?:\b(?i:option|choice|answer)\s+)?[(\[]?\b([A-Z])\b[)\]]?\s+is\s+(?i:therefore\s+|thus\s+|clearly\s+)?(?i:the\s+)?(?i:most\s+likely\s+|most\s+appropriate\s+)?(?i:correct|right|best|answer)\b",
    )
});
static REFUSAL: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"(?i)\b(?:i(?:['’]m| am) sorry|i can(?:no|['’])t|i(?:['’]m| am) (?:un|not )able|as an ai\b|unable to (?:answer|provide|determine)|cannot (?:answer|provide))",
    )
});

/// Reads the choice out of the final response of an answer.
///
/// # Examples
///
/// ```
/// use evaluation::choice::{Extraction, Missing, Rule, extract};
///
/// let choices = ["Heparin", "Aspirin"].map(String::from);
/// let read = |text| extract(text, &choices);
/// assert_eq!(read("So the answer is (B)."), Extraction::Choice { choice: 1, rule: Rule::Statement });
/// assert_eq!(read("B. Aspirin"), Extraction::Choice { choice: 1, rule: Rule::LetterFirst });
/// assert_eq!(read("A/B"), Extraction::Missing(Missing::Unusable));
/// assert_eq!(read("I cannot help with that."), Extraction::Missing(Missing::Refusal));
/// ```
pub fn extract(response: &str, choices: &[String]) -> Extraction {
    // Emphasis is no part of what is said.
    let text: String = response.chars().filter(|c| !matches!(c, '*' | '`' | '$')).collect();
    let text = text.trim();
    if text.is_empty() {
        return Extraction::Missing(Missing::Empty);
    }
    for rule in Rule::ALL {
        match rule.apply(text, choices) {
            Named::One(choice) => return Extraction::Choice { choice, rule },
            Named::Unusable => return Extraction::Missing(Missing::Unusable),
            Named::Nothing => {}
        }
    }
    let refused = REFUSAL.is_match(text);
    Extraction::Missing(if refused { Missing::Refusal } else { Missing::Unrecognised })
}

/// As [`last_after`], where the place itself says that a choice is meant: anything else there is none.
fn decided(pattern: &Regex, text: &str, choices: &[String]) -> Named {
    match last_after(pattern, text, choices) {
        Named::Nothing if pattern.is_match(text) => Named::Unusable,
        named => named,
    }
}

/// What stands behind the last of `pattern`'s places that names anything.
fn last_after(pattern: &Regex, text: &str, choices: &[String]) -> Named {
    let named = |rest: &str| match value::letter(rest, choices.len(), true) {
        Named::Nothing => value::text_first(rest, choices),
        named => named,
    };
    let places = pattern.find_iter(text).map(|place| named(&text[place.end()..]));
    places.filter(|named| *named != Named::Nothing).last().unwrap_or(Named::Nothing)
}

fn pronounced(text: &str, count: usize) -> Named {
    let last = PRONOUNCED.captures_iter(text).last();
    last.map_or(Named::Nothing, |found| value::letter(&found[1], count, true))
}

/// The last line, where it is a letter and nothing else.
fn letter_last(text: &str, count: usize) -> Named {
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let letters = last.chars().filter(|c| c.is_alphanumeric()).count();
    if letters == 1 { value::letter(last, count, false) } else { Named::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let choices = ["Heparin", "Aspirin", "Warfarin sodium", "Warfarin"].map(String::from);
        let read = extract(text, &choices);
        let choice = read.choice().map_or("-", |choice| choices[choice].as_str());
        format!("{choice} ({})", read.name())
    }

    #[test]
    fn each_rule_reads_what_it_is_for() {
        for (text, expected) in [
            (r#"{"step_by_step_thinking": "Not A.", "answer_choice": "B"}"#, "Aspirin (json)"),
            (r#"["{\"answer_choice\": \"C. Warfarin sodium\"}"]"#, "Warfarin sodium (json)"),
            (r#"{"step_by_step_thinking": "He said "yes" "answer_choice": "D"#, "Warfarin (json)"),
            (r#"{"answer_choice": "Aspirin"}"#, "Aspirin (json)"),
            (r"Hence \boxed{\text{B}}.", "Aspirin (boxed)"),
            ("The answer is B.", "Aspirin (statement)"),
            ("**Answer:** (C) Warfarin sodium", "Warfarin sodium (statement)"),
            ("The correct option is d.", "Warfarin (statement)"),
            ("The answer is A. No, wait: the answer is B.", "Aspirin (statement)"),
            ("The best answer would be option B because A bleeds.", "Aspirin (statement)"),
            ("the answer is aspirin", "Aspirin (statement)"),
            ("Therefore option B is correct.", "Aspirin (pronounced)"),
            ("C is the most likely answer", "Warfarin sodium (pronounced)"),
            ("B", "Aspirin (letter_first)"),
            ("(b)", "Aspirin (letter_first)"),
            ("B. Aspirin", "Aspirin (letter_first)"),
            ("B) Aspirin, not A", "Aspirin (letter_first)"),
            ("Option D: Warfarin", "Warfarin (letter_first)"),
            ("He bleeds, so no heparin.\n\nB\n", "Aspirin (letter_last)"),
            ("Aspirin, because it is cheap and heparin is not.", "Aspirin (text_first)"),
            ("I would give warfarin sodium here.", "Warfarin sodium (text_within)"),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_single_choice_is_never_turned_into_one() {
        for (text, expected) in [
            ("", "- (empty)"),
            (" \n**", "- (empty)"),
            ("A/B", "- (unusable)"),
            ("A or B", "- (unusable)"),
            ("A, B and C", "- (unusable)"),
            ("The answer is A and C.", "- (unusable)"),
            ("The answer is E.", "- (unusable)"),
            (r#"{"answer_choice": "A/C"}"#, "- (unusable)"),
            (r#"{"answer_choice": "None of them, aspirin"}"#, "- (unusable)"),
            (r#"{"step_by_step_thinking": "Aspirin it is", "answer_choice": ""#, "- (unusable)"),
            ("Both heparin and aspirin are used.", "- (unusable)"),
            ("I'm sorry, I can't give medical advice.", "- (refusal)"),
            ("As an AI I am not able to say.", "- (refusal)"),
            ("A patient with this should rest.", "- (unrecognised)"),
            ("The answer is not known.", "- (unrecognised)"),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn short_choices_are_read_at_the_beginning_only() {
        let choices = ["yes", "no", "maybe"].map(String::from);
        let read = |text: &str| extract(text, &choices).name();
        assert_eq!(read("Yes. There is no doubt."), "text_first");
        assert_eq!(read("There is no difference between the groups."), "unrecognised");
        assert_eq!(read("The answer is maybe."), "statement");
        assert_eq!(read("B"), "letter_first");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,120}", letters in "[A-E/(). :\"a-e\\\\answerio]{0,60}") {
            let choices = ["x y", "", "ÄÖ"].map(String::from);
            for text in [text, letters] {
                let read = extract(&text, &choices);
                proptest::prop_assert!(read.choice().is_none_or(|choice| choice < choices.len()));
            }
        }
    }
}
