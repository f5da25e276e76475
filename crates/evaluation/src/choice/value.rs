//! Which choice a few words name.

use std::sync::LazyLock;

use regex::Regex;

use super::Problem;

/// What a piece of text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// One choice.
    One(usize),
    /// More than one, as in `A/B`, or a letter that no choice has.
    Unusable,
    /// None: the text says something else.
    Nothing,
}

/// A letter, perhaps in brackets or quotes or behind the word "option".
static LETTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^[\s"'“(\[{<]*(?:(?i:the\s+)?(?i:option|choice|letter)\s+)?[\s"'“(\[{<]*([A-Za-z])\b["'”]?(\s*[)\]}>])?"#)
        .expect("a constant")
});

/// A second letter beside the first.
static SECOND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:/|,|;|&|\+|\b(?i:or|and)\b)\s*(?:and\s+|or\s+)?[(\[]?\s*([A-Za-z])\b")
        .expect("a constant")
});

/// The choice out of `count` whose letter `text` begins with.
///
/// A lower-case letter counts only where nothing of a sentence follows, as `a` is also a word; so does an upper-case
/// one unless `bare`, where a sentence may go on.
pub(super) fn letter(text: &str, count: usize, bare: bool) -> Named {
    let Some(found) = LETTER.captures(text) else { return Named::Nothing };
    let letter = found[1].chars().next().unwrap_or_default();
    let closed = found.get(2).is_some();
    let rest = &text[found[0].len()..];
    if SECOND.captures(rest).is_some_and(|second| is_second(&second[1], count)) {
        return Named::Unusable;
    }
    let ends = rest.trim_start().is_empty()
        || rest.starts_with(['.', ')', ':', ',', ';', '\n', '"', '!', '}', '-', '—', '–', '\''])
        || rest.starts_with(" -")
        || rest.starts_with(" —")
        || rest.starts_with(" –")
        || rest.starts_with(" (");
    if !(ends || closed || (bare && letter.is_ascii_uppercase())) {
        return Named::Nothing;
    }
    let at = usize::from(letter.to_ascii_uppercase() as u8 - b'A');
    if at < count { Named::One(at) } else { Named::Unusable }
}

/// The letter of a choice, in words such as "A or c", and not the word of "B, a drug" and "B, I think".
fn is_second(letter: &str, count: usize) -> bool {
    letter != "a"
        && (0..count).any(|at| letter.eq_ignore_ascii_case(&Problem::letter(at).to_string()))
}

/// The only choice that `text` begins with, the longest where one choice begins another.
pub(super) fn text_first(text: &str, choices: &[String]) -> Named {
    let text = words(text);
    let begins = |choice: &String| {
        let choice = words(choice);
        choice.len() > 1 && text.starts_with(&choice)
    };
    let found = choices.iter().enumerate().filter(|(_, choice)| begins(choice));
    found.max_by_key(|(_, choice)| choice.len()).map_or(Named::Nothing, |(at, _)| Named::One(at))
}

/// The only choice whose text stands in `text`; one inside another that stands there does not count.
///
/// Nothing where a choice has fewer than four letters: such words stand in most texts.
pub(super) fn text_within(text: &str, choices: &[String]) -> Named {
    const FEWEST_LETTERS: usize = 4;
    if choices.iter().any(|choice| choice.chars().count() < FEWEST_LETTERS) {
        return Named::Nothing;
    }
    let text = words(text);
    let choices: Vec<String> = choices.iter().map(|choice| words(choice)).collect();
    let stands = |choice: &String| choice.len() > 2 && text.contains(choice.as_str());
    let found: Vec<usize> = (0..choices.len()).filter(|at| stands(&choices[*at])).collect();
    let inside = |at: usize| {
        let longer = |other: &usize| *other != at && choices[*other].contains(choices[at].as_str());
        found.iter().any(longer)
    };
    let outer: Vec<usize> = found.iter().copied().filter(|at| !inside(*at)).collect();
    match outer[..] {
        [] => Named::Nothing,
        [one] => Named::One(one),
        _ => Named::Unusable,
    }
}

/// The words of `text` in lower case, with a space before the first and after each.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut words = " ".to_owned();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words += word;
        words.push(' ');
    }
    words
}
