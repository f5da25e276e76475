//! Numbers of records, accounts and members: by their label, or by the form of Medicare's.

use std::sync::LazyLock;

use regex::Regex;

use crate::Kind;
use crate::place::Place;
use crate::scan::Found;

/// The fewest digits of a record number: fewer are a bed, a case in a series or a table.
const FEWEST_DIGITS: usize = 4;

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"(?:\s*(?:id|i\.d\.|no|nr|num|number|identifier|code|#)\b\.?|\s*#|\s*№)";
    let owners = [
        r"(?:medical|health|patient|hospital|clinic|clinical)\s+rec(?:ord)?s?",
        "hospital|patient|chart|unit|encounter|account|acct|billing|claim|case file|file|folder|visit|admission|episode|inpatient|outpatient",
        "member|membership|policy|subscriber|insurance|beneficiary|medicaid|medicare|health\\s?card|health plan|group plan",
        "driver'?s\\s+licen[cs]e|licen[cs]e|passport|national id(?:entity)?|CHI|HCN|Medicare card|H&C",
        "specimen|accession of the specimen|device serial|pacemaker serial|implant serial|serial|prescription|rx",
    ];
    let owners = owners.join("|");
    Regex::new(&format!(
        r"(?i)(?:\b(?:MRN|M\.R\.N\.|MR\s?#|MR\s?no\.?|URN|UMRN|UPI|PID|CRN|EMPI|DL\s?#|medical records?)\b?|\b(?:{owners}){number})(?:\s*\([A-Za-z]{{2,6}}\))?[\s:#=.,-]*(?:(?:is|was|no|number|num|ending in|reads|under)\b[\s:#.]*)*[(\s]*$"
    ))
    .expect("a fixed pattern")
});
static MEDICARE: LazyLock<Regex> = LazyLock::new(|| {
    let letter = "[AC-HJKMNP-RT-Y]";
    let either = "[AC-HJKMNP-RT-Y0-9]";
    Regex::new(&format!(
        r"^[1-9]{letter}{either}[0-9]-?{letter}{either}[0-9]-?{letter}{{2}}[0-9]{{2}}"
    ))
    .expect("a fixed pattern")
});

/// A number of at least four digits after a label such as `MRN` or `Patient ID`.
pub(crate) fn record_number(place: &Place<'_>) -> Found {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let start = place.back_while(place.range.start, 12, part);
    let token = place.bytes()[start..].iter().take(40);
    let length = token.take_while(|byte| part(**byte) || matches!(byte, b'/' | b'.')).count();
    let number =
        place.text[start..start + length].trim_start_matches('-').trim_end_matches(['-', '/', '.']);
    let start =
        start + (place.text[start..].len() - place.text[start..].trim_start_matches('-').len());
    if number.bytes().filter(u8::is_ascii_digit).count() < FEWEST_DIGITS || number.contains("..") {
        return None;
    }
    place.labelled(&LABEL, start).then(|| (Kind::RecordNumber, start..start + number.len()))
}

/// A Medicare beneficiary identifier: 11 places, each a digit or a letter by the rule (CMS, 2018).
pub(crate) fn mbi(place: &Place<'_>) -> Found {
    let start = place.range.start;
    if place.range.len() > 2
        || !place.bytes().get(place.range.end).is_some_and(u8::is_ascii_uppercase)
    {
        return None;
    }
    let range = place.matched(&MEDICARE, start)?;
    place.stands_alone(&range).then_some((Kind::Mbi, range))
}
