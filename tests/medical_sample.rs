//! Checks of the bundled sample: its keys, lengths and uniqueness, and that nobody is identified in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The fields in order, with the number of words that each may have.
const FIELDS: [(&str, RangeInclusive<usize>); 3] =
    [("Question", 15..=80), ("Complex_CoT", 60..=180), ("Response", 20..=60)];

/// Eight equal words in a row are a copied phrase rather than a common turn of speech.
const SHINGLE_WORDS: usize = 8;

const SAMPLE: &str = include_str!("../examples/data/medical_sample.json");

fn records() -> Result<Vec<Value>> {
    serde_json::from_str(SAMPLE).context("the sample is not a JSON array")
}

fn text<'a>(record: &'a Value, field: &str) -> Result<&'a str> {
    record[field].as_str().with_context(|| format!("field `{field}` is not a string"))
}

/// The words in lower case without punctuation, so that a changed comma does not hide a copy.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// What in `text` looks like it names or numbers a person, if anything does.
fn identifier(text: &str) -> Option<String> {
    let titles = ["Mr", "Mrs", "Ms", "Dr", "Miss", "Prof", "MRN", "NHS", "SSN", "DOB"];
    text.split_whitespace().find_map(|token| {
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        let groups = bare.split(['-', '/', '.']).collect::<Vec<_>>();
        let is_number = |group: &&str| group.chars().all(|c| c.is_ascii_digit());
        // Two digits somewhere, because "the 3-2-1 rule" is not a date.
        let is_date = groups.len() == 3
            && groups.iter().all(is_number)
            && groups.iter().any(|group| group.len() > 1);
        let is_address = token.contains('@') || token.contains("://") || token.starts_with("www.");
        let is_year =
            bare.len() == 4 && (bare.starts_with("19") || bare.starts_with("20")) && digits == 4;
        let is_suspect = is_date || is_address || is_year || digits > 6 || titles.contains(&bare);
        is_suspect.then(|| token.to_owned())
    })
}

#[test]
fn the_sample_has_at_least_sixty_records() -> Result<()> {
    let count = records()?.len();
    ensure!(count >= 60, "only {count} records");
    Ok(())
}

#[test]
fn every_record_has_exactly_the_three_fields_in_order() -> Result<()> {
    let expected = FIELDS.map(|(name, _)| name);
    for (index, record) in records()?.iter().enumerate() {
        let object = record.as_object().with_context(|| format!("record {index} is no object"))?;
        let keys: Vec<_> = object.keys().map(String::as_str).collect();
        ensure!(keys == expected, "record {index} has the keys {keys:?}");
    }
    Ok(())
}

#[test]
fn every_field_keeps_its_limits_of_words() -> Result<()> {
    for (index, record) in records()?.iter().enumerate() {
        for (field, limits) in &FIELDS {
            let count = text(record, field)?.split_whitespace().count();
            ensure!(
                limits.contains(&count),
                "record {index}: `{field}` has {count} words, not {limits:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn every_field_is_plain_text_without_blank_ends_breaks_or_markup() -> Result<()> {
    for (index, record) in records()?.iter().enumerate() {
        for (field, _) in &FIELDS {
            let value = text(record, field)?;
            ensure!(value.trim() == value, "record {index}: `{field}` has blank ends");
            ensure!(
                !value.contains(char::is_control),
                "record {index}: `{field}` has a control character"
            );
            ensure!(
                !value.contains(['#', '*', '`', '<', '>', '|']),
                "record {index}: `{field}` has mark-up"
            );
            ensure!(!value.contains("  "), "record {index}: `{field}` has two spaces in a row");
        }
    }
    Ok(())
}

#[test]
fn no_question_appears_twice() -> Result<()> {
    let mut seen = BTreeSet::new();
    for (index, record) in records()?.iter().enumerate() {
        ensure!(seen.insert(words(text(record, "Question")?)), "record {index} repeats a question");
    }
    Ok(())
}

#[test]
fn no_two_records_share_eight_words_in_a_row() -> Result<()> {
    let mut owners = BTreeMap::new();
    for (index, record) in records()?.iter().enumerate() {
        for (field, _) in &FIELDS {
            for shingle in words(text(record, field)?).windows(SHINGLE_WORDS) {
                let owner = *owners.entry(shingle.to_vec()).or_insert(index);
                ensure!(owner == index, "records {owner} and {index} share {shingle:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn nothing_in_the_sample_looks_like_an_identifier() -> Result<()> {
    for (index, record) in records()?.iter().enumerate() {
        for (field, _) in &FIELDS {
            let found = identifier(text(record, field)?);
            ensure!(found.is_none(), "record {index}: `{field}` holds {found:?}");
        }
    }
    Ok(())
}

#[test]
fn the_search_for_identifiers_finds_them() -> Result<()> {
    for planted in [
        "seen on 03/04/2021",
        "Mrs Example",
        "a@b.example",
        "call 020-7946-0000",
        "born 1957",
        "MRN: 5",
    ] {
        ensure!(identifier(planted).is_some(), "missed in {planted:?}");
    }
    for harmless in [
        "5.2 mmol/L",
        "172/114 mmHg",
        "21 × 10⁹/L",
        "a 64-year-old",
        "100–120 mmHg",
        "the 3-2-1 rule",
    ] {
        ensure!(identifier(harmless).is_none(), "wrongly found in {harmless:?}");
    }
    Ok(())
}

#[test]
fn the_sample_has_characters_beyond_ascii() -> Result<()> {
    for character in ['µ', 'é', '≥', '–', '⁹'] {
        ensure!(SAMPLE.contains(character), "no {character:?} in the sample");
    }
    Ok(())
}
