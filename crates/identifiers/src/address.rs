//! Street addresses, post-office boxes, towns with a ZIP code, and British postcodes.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::Kind;
use crate::place::Place;
use crate::scan::Found;

const STATES: &str = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]";
const POSTCODE: &str = r"[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}";
/// The letters that a British postcode begins with (Royal Mail's areas).
const AREAS: &str = " AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY G GL GU HA HD HG HP HR HS HU HX IG IP IV KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE ";

static STREET: LazyLock<Regex> = LazyLock::new(|| {
    let word = r"(?:[A-Z][A-Za-z'’.-]*|\d{1,3}(?:st|nd|rd|th)|of|the|de|la)";
    let kinds = "Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Close|Crescent|Cres|Gardens|Grove|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Row|Mews|Walk|Hill|Green|Rise|Broadway|Loop|Quay|Wharf";
    let city = r"[A-Z][A-Za-z'’-]+(?: [A-Z][A-Za-z'’-]+){0,2}";
    Regex::new(&format!(
        r"^\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})?,? (?:{word} ){{1,4}}(?:{kinds})\b(?:\.)?(?:,? (?:(?:Apt|Apartment|Unit|Suite|Ste|Flat|Floor|Room|No)\.? ?#?[A-Za-z]?\d{{0,4}}[A-Za-z]?\b|#\d{{1,5}}[A-Za-z]?))?(?:,? {city},? (?:{STATES})\b(?: \d{{5}}(?:-\d{{4}})?)?|,? {city},? {POSTCODE}|,? {POSTCODE})?"
    ))
    .expect("a fixed pattern")
});
static TITLE_AFTER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:Dr|St)\.?$").expect("a fixed pattern"));
static NAME_AHEAD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^'?s? [A-Z][a-z]").expect("a fixed pattern"));
static NOT_A_STREET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:stage|grade|type|class|phase|level|table|figure|fig|step|case|chapter|day|week|age|aged|in|since|version|group|score|protocol|by|x|×|the)\s*$|[A-Za-z]$|[.,/:-]\d*$")
        .expect("a fixed pattern")
});
static NOT_A_ROAD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:Chi|Latin|Punnett|Least|Mean|Root|Patients?|Year|Breakthrough|Wound|Care) |\b(?:Patients|Cases|Women|Men|Years|Days|Hours|Weeks|Months|Tablets|Units)\b").expect("a fixed pattern")
});
static BOX: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:P\.? ?O\.?|post office) box (?:no\.? )?$").expect("a fixed pattern")
});
static ZIP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d{5}(?:-\d{4})?").expect("a fixed pattern"));
static TOWN_BEFORE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?:[A-Z][A-Za-z'’-]+ ){{0,2}}[A-Z][A-Za-z'’-]+, (?:{STATES}),? $"))
        .expect("a fixed pattern")
});
static ZIP_LABEL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\bzip(?: ?code)?[\s:]*(?:is )?$").expect("a fixed pattern"));
static CODE_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:post ?code[\s:]*(?:is )?|[a-z], )$").expect("a fixed pattern")
});
static CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("^{POSTCODE}")).expect("a fixed pattern"));

/// An address that begins with these digits or holds them.
pub(crate) fn address(place: &Place<'_>) -> Found {
    let range = street(place)
        .or_else(|| post_office_box(place))
        .or_else(|| zip(place))
        .or_else(|| postcode(place))?;
    Some((Kind::Address, range))
}

fn street(place: &Place<'_>) -> Option<Range<usize>> {
    let start = place.range.start;
    let rest = &place.bytes()[place.range.end..];
    let spaced = rest.iter().take(8).skip_while(|byte| !byte.is_ascii_whitespace());
    if place.range.len() > 5
        || !spaced
            .skip(1)
            .take(1)
            .any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b't')
    {
        return None;
    }
    let range = place.matched(&STREET, start)?;
    let words = &place.text[range.clone()];
    let title = TITLE_AFTER.is_match(words) && place.matched(&NAME_AHEAD, range.end).is_some();
    (!title && !NOT_A_ROAD.is_match(words) && !place.labelled(&NOT_A_STREET, start))
        .then_some(range)
}

fn post_office_box(place: &Place<'_>) -> Option<Range<usize>> {
    let label = BOX.find(place.before(place.range.start))?;
    (place.range.len() <= 6).then(|| place.range.start - label.len()..place.range.end)
}

fn zip(place: &Place<'_>) -> Option<Range<usize>> {
    if place.range.len() != 5 {
        return None;
    }
    let range = place.matched(&ZIP, place.range.start).filter(|range| place.stands_alone(range))?;
    let before = place.before(range.start);
    if ZIP_LABEL.is_match(before) {
        return Some(range);
    }
    TOWN_BEFORE.find(before).map(|town| range.start - town.len()..range.end)
}

fn postcode(place: &Place<'_>) -> Option<Range<usize>> {
    let start = place.back_while(place.range.start, 2, |byte| byte.is_ascii_uppercase());
    let area = &place.text[start..place.range.start];
    if place.range.len() > 2 || area.is_empty() || !AREAS.contains(&format!(" {area} ")) {
        return None;
    }
    let short = area.len() == 1 && place.range.len() == 1;
    if short && !place.labelled(&CODE_LABEL, start) {
        return None;
    }
    place.matched(&CODE, start).filter(|range| place.stands_alone(range))
}
