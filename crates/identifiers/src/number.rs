//! Numbers of persons and cards that carry a check digit or a rule of ranges.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::Kind;
use crate::checks::{digits, is_card, is_nhs, is_npi, is_ssn};
use crate::place::Place;
use crate::scan::Found;

static TEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d{3}[ -]?\d{3}[ -]?\d{4}").expect("a fixed pattern"));
static TEN_SPACED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d{3} \d{3} \d{4}").expect("a fixed pattern"));
static NINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d{3}[ -]?\d{2}[ -]?\d{4}").expect("a fixed pattern"));
static NINE_DASHED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d{3}-\d{2}-\d{4}").expect("a fixed pattern"));
static CARD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d(?:[ -]?\d){12,18}").expect("a fixed pattern"));
static NHS_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\bNHS\b[^\[\]\d.;\n]{0,24}(?:no\.(?: is)?)?[\s:]*$").expect("a fixed pattern")
});
static NPI_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:NPI|national provider identifier|provider (?:identifier|number|id))\b[^\[\]\d.;\n]{0,24}(?:no\.(?: is)?)?[\s:]*$")
        .expect("a fixed pattern")
});
static SSN_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:SSN|SS ?#|S\.S\.N\.|soc(?:ial)?\.? sec(?:urity)?)[^\[\]\d.;\n]{0,24}(?:no\.(?: is)?)?[\s:#]*$")
        .expect("a fixed pattern")
});
static NOT_AN_SSN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:CAS|catalog(?:ue)?|cat|part|lot|model|ref|EC|reagent)\b[^\[\]\d;\n]{0,16}$",
    )
    .expect("a fixed pattern")
});

fn enough_digits(place: &Place<'_>, least: usize) -> bool {
    let stretch = place.bytes()[place.range.start..].iter().take(least * 2);
    let stretch = stretch.take_while(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
    stretch.filter(|byte| byte.is_ascii_digit()).count() >= least
}

/// The number that `pattern` reads at this place, if nothing is joined to it.
fn alone(place: &Place<'_>, pattern: &Regex) -> Option<Range<usize>> {
    place.matched(pattern, place.range.start).filter(|range| place.stands_alone(range))
}

/// An NHS number, an NPI or a social security number after its label.
pub(crate) fn labelled(place: &Place<'_>) -> Found {
    if !enough_digits(place, 9) {
        return None;
    }
    let start = place.range.start;
    let checked = |pattern, label, check: fn(&[u8]) -> bool| {
        alone(place, pattern).filter(|range| {
            check(&digits(&place.text[range.clone()])) && place.labelled(label, start)
        })
    };
    checked(&TEN, &NHS_LABEL, is_nhs)
        .map(|range| (Kind::Nhs, range))
        .or_else(|| checked(&TEN, &NPI_LABEL, is_npi).map(|range| (Kind::Npi, range)))
        .or_else(|| checked(&NINE, &SSN_LABEL, is_ssn).map(|range| (Kind::Ssn, range)))
}

/// A number whose form says what it is: a card, a dashed social security number, a spaced NHS number.
pub(crate) fn plain(place: &Place<'_>) -> Found {
    if !enough_digits(place, 9) {
        return None;
    }
    let checked = |pattern, check: fn(&[u8]) -> bool| {
        alone(place, pattern).filter(|range| check(&digits(&place.text[range.clone()])))
    };
    let start = place.range.start;
    checked(&CARD, is_card)
        .map(|range| (Kind::Card, range))
        .or_else(|| checked(&TEN_SPACED, is_nhs).map(|range| (Kind::Nhs, range)))
        .or_else(|| {
            let range = checked(&NINE_DASHED, is_ssn)?;
            (!place.labelled(&NOT_AN_SSN, start)).then_some((Kind::Ssn, range))
        })
}

/// Whether the number here is said to be of another kind, whose check it failed.
pub(crate) fn labelled_as_other(place: &Place<'_>, at: usize) -> bool {
    place.labelled(&NHS_LABEL, at) || place.labelled(&NPI_LABEL, at)
}
