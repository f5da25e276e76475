//! Telephone numbers: North America, Britain, international, and any form after a label.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::Kind;
use crate::number::labelled_as_other;
use crate::place::Place;
use crate::scan::Found;

/// The fewest digits of a number, without an area code.
const FEWEST: usize = 7;
/// The most digits of a number (ITU-T E.164).
const MOST: usize = 15;

static NORTH_AMERICA: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:\+?1[-. ]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-. \u{2010}-\u{2013}]\d{4}",
    )
    .expect("a fixed pattern")
});
static BRITAIN: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        r"07\d{3} ?\d{3} ?\d{3}",
        r"07\d{2} \d{4} \d{3,4}",
        r"\(?02\d\)? ?\d{4} ?\d{4}",
        r"\(?01(?:1\d|\d1)\)? ?\d{3} ?\d{4}",
        r"\(?01\d{3}\)? \d{5,6}",
        r"\(?01\d{3}\)? \d{3} \d{3}",
        r"0[38]\d{2} \d{3} \d{4}",
        r"0[38]\d{2} \d{4} \d{3}",
        r"0800 \d{6}",
        r"0[1-9](?:[ .]\d{2}){4}",
    ];
    Regex::new(&format!("^(?:{})", forms.join("|"))).expect("a fixed pattern")
});
static INTERNATIONAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\+[1-9]\d{0,3}(?:[ .\-]?\(?\d{1,5}\)?){2,7}").expect("a fixed pattern")
});
static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\+?\(?\d{1,6}\)?(?:[ .\-/]{0,3}\(?\d{2,6}\)?){1,6}").expect("a fixed pattern")
});
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:tel|telephone|phone|mobile|mob|cell|fax|pager|beeper|call|called|callback|dial|ring|text|whatsapp|hotline|extension|reached? (?:(?:him|her|them|me|us) )?(?:at|on)|contact(?:able)?)\b(?:[^\[\]\d.;\n]{0,30}(?:no\.(?: is)?)?|\.)[\s:(+#]*$",
    )
    .expect("a fixed pattern")
});
static EXTENSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^,? ?(?:x|ext\.?|extension)\s?\d{1,6}\b").expect("a fixed pattern")
});
static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s?(?:%|mg|mcg|ug|µg|μg|g|kg|ml|l|iu|units?|u|mm|cm|nm|mmol|meq|bp|kb|cells|copies|kcal|steps|patients|participants|women|men|cases|days|weeks|months|years)\b")
        .expect("a fixed pattern")
});

/// A telephone number that begins with these digits.
pub(crate) fn phone(place: &Place<'_>) -> Found {
    let first = place.range.start;
    if digits_ahead(place) < FEWEST {
        return None;
    }
    let start = place.back_while(first, 2, |byte| matches!(byte, b'+' | b'('));
    let range = [&*NORTH_AMERICA, &*BRITAIN, &*INTERNATIONAL]
        .into_iter()
        .flat_map(|form| [start, first].map(|at| place.matched(form, at)))
        .flatten()
        .find(|range| holds(place, range, FEWEST + 1))
        .filter(|range| !labelled_as_other(place, range.start))
        .or_else(|| {
            place.matched(&LABELLED, start).filter(|range| {
                holds(place, range, FEWEST)
                    && place.labelled(&LABEL, start)
                    && !looks_like_a_date(&place.text[range.clone()])
            })
        })?;
    let end = place.matched(&EXTENSION, range.end).map_or(range.end, |extension| extension.end);
    Some((Kind::Phone, range.start..end))
}

fn digits_ahead(place: &Place<'_>) -> usize {
    let stretch = place.bytes()[place.range.start..].iter().take(2 * MOST);
    let stretch = stretch.take_while(|byte| {
        byte.is_ascii_digit()
            || !byte.is_ascii()
            || matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/')
    });
    stretch.filter(|byte| byte.is_ascii_digit()).count()
}

/// Whether the number has the right count of digits, stands alone and counts nothing.
fn holds(place: &Place<'_>, range: &Range<usize>, fewest: usize) -> bool {
    let digits = place.text[range.clone()].bytes().filter(u8::is_ascii_digit).count();
    let extended = place.matched(&EXTENSION, range.end).is_some();
    (fewest..=MOST).contains(&digits)
        && (extended || place.stands_alone(range))
        && place.matched(&UNIT, range.end).is_none()
}

fn looks_like_a_date(number: &str) -> bool {
    static DAY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\(?(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})$")
            .expect("a fixed pattern")
    });
    DAY.is_match(number)
}
