//! Days that the words around them tie to a person.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::place::Place;
use crate::scan::Found;
use crate::{Finding, Kind};

/// A day before this year is history, not a living person's.
const FIRST_YEAR: u32 = 1900;

/// What the names of the months begin with.
const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

const MONTH: &str = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";

static NUMERIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:[12]\d|3[01]|0?[1-9])|(?:[12]\d|3[01]|0?[1-9])(?:/(?:[12]\d|3[01]|0?[1-9])/|-(?:[12]\d|3[01]|0?[1-9])-|\.(?:[12]\d|3[01]|0?[1-9])\.)(?:(?:18|19|20)\d{2}|\d{2}))",
    )
    .expect("a fixed pattern")
});
static DAY_AND_MONTH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:1[0-2]|0?[1-9])/(?:[12]\d|3[01]|0?[1-9])").expect("a fixed pattern")
});
static DAY_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)^(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?[ -](?:day of |of )?{MONTH}\b(?:[.,]{{0,2}}[ -]\d{{4}}\b|[ -]'?\d{{2}}\b)?"))
        .expect("a fixed pattern")
});
static MONTH_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)^{MONTH}\.?[ -](?:the )?(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?:,? (?:18|19|20)\d{{2}}\b|-(?:19|20)\d{{2}})?"))
        .expect("a fixed pattern")
});
static BIRTH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:\bD\.?O\.?[BD]\b\.?|\bbirth ?da(?:te|y)\b|\bdate of (?:birth|death)\b|\bborn\b|\bb\.)[^\[\].;\n]{0,24}$")
        .expect("a fixed pattern")
});
static EVENT: LazyLock<Regex> = LazyLock::new(|| {
    let events = "admitted|readmitted|admission|admit date|admit|discharged?|seen|examined|evaluated|assessed|presented|presentation|visited|visit|attended|appointment|died|dies|deceased|passed away|expired|hospitali[sz]ed|transferred|delivered|delivery|operated(?: on| upon)?|operation|surgery|underwent|undergone|biops(?:y|ied)|referred|diagnosed|consulted|consultation|follow(?:ed|s)?[- ]up|treated|injured|collapsed|intubated|extubated|vaccinated|immuni[sz]ed|transplanted|enrolled|scanned|LMP|last menstrual period|EDD|DOS|DOA|date of (?:admission|discharge|service|visit|surgery|operation|procedure|injury|onset|accident|transplant)|drawn|collected|returned|telephoned|phoned|called|scheduled|booked|due back|clinic|infusion|dose given|fell|came in|reviewed|signed|onset|began|started|commenced|stopped|happened|occurred|accident|MRI|CT|scan|x-ray|echocardiogram|colonoscopy|ultrasound";
    Regex::new(&format!(r"(?i)\b(?:{events})\b(?:[^\[\].;\n]{{0,32}})$")).expect("a fixed pattern")
});
static TIE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:[:=(,-]|\b(?:on|was|is|of|dated|since|from|for|until|by|the|and|MRI|CT)|(?:surgery|admission|admitted|discharged?|seen|started|began|visit|DOS|DOA|LMP|EDD|died|clinic))[\s]*(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s*)?$").expect("a fixed pattern")
});
static IMPERSONAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:study|studies|trial|trials|guidelines?|guidance|FDA|EMA|NICE|WHO|CDC|approv\w+|licen[cs]ed|published|publication|conference|congress|meeting|paper|abstract|manuscript|article|cohort|registry|registered|committee|board|version|updated?|retrieved|accessed|dataset|database|review|report|outbreak|pandemic|epidemic|recruit\w+|participants|subjects|patients|survey|protocol|recall(?:ed)?|analysis|data|searched|literature|lecture|effective|policy|act|law|bill|statement|consensus|poster|hospital opened|ward opened|vaccine)\b")
        .expect("a fixed pattern")
});
static PERSON_AFTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^[,:;]?\s*-?\s*(?:(?:the|this|our) (?:patient|child|infant|baby|boy|girl|man|woman|mother|gentleman|lady)\b(?:'s)?|s?he (?:was|had|presented|underwent|came|returned|died|fell|attended|called|is|will|reported|developed|collapsed|went|received|began|started|gave)|mrs?\.? [A-Z]|ms\.? [A-Z]|(?:visit|admission|discharge|clinic visit|office visit|progress note|ED visit|birth)\b)")
        .expect("a fixed pattern")
});
static ON: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[.;\n]\s*|\s)(?:[Oo]n|[Dd]ate:?|[Uu]ntil|[Ss]ince)\s+(?:the\s+)?$")
        .expect("a fixed pattern")
});
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(?:to|until|till|through|and|,|-|–|&)\s*(?:(?:again )?on\s+)?$")
        .expect("a fixed pattern")
});

/// A date here that is a person's.
pub(crate) fn date(place: &Place<'_>, last: Option<&Finding>) -> Found {
    if place.range.len() > 4 || place.range.len() == 3 {
        return None;
    }
    let range = shape(place)?;
    let before = place.before(range.start);
    let sentence = before.rfind(['.', ';', '\n', '?']).map_or(before, |end| &before[end + 1..]);
    let goes_on = last.is_some_and(|last| {
        last.kind == Kind::Date
            && last.range.end == place.floor
            && RANGE.is_match(&place.text[place.floor..range.start])
    });
    let impersonal = || IMPERSONAL.is_match(sentence);
    let tied = goes_on
        || BIRTH.is_match(before)
        || (EVENT.is_match(before) && TIE.is_match(before) && !impersonal())
        || (PERSON_AFTER.is_match(place.after(range.end))
            && (before.is_empty() || ON.is_match(before) || ends_line(before))
            && !impersonal());
    tied.then_some((Kind::Date, range))
}

fn ends_line(before: &str) -> bool {
    before.trim_end_matches([' ', '-', '*']).ends_with('\n')
}

/// The stretch that has the form of a day, whatever it is the day of.
fn shape(place: &Place<'_>) -> Option<Range<usize>> {
    let (start, bytes) = (place.range.start, place.bytes());
    let next = bytes.get(place.range.end).copied();
    let follows = bytes.get(place.range.end + 1).copied();
    let range = if matches!(next, Some(b'/' | b'-' | b'.'))
        && follows.is_some_and(|byte| byte.is_ascii_digit())
    {
        let whole = place.matched(&NUMERIC, start).filter(|range| place.stands_alone(range));
        whole.or_else(|| {
            let short =
                place.matched(&DAY_AND_MONTH, start).filter(|range| place.stands_alone(range))?;
            (ON.is_match(place.before(start)) && !place.text[short.end..].starts_with(['%', ' ']))
                .then_some(short)
        })
    } else {
        let ahead = place
            .matched(&DAY_FIRST, start)
            .filter(|_| place.range.len() <= 2 && month_ahead(place));
        ahead.or_else(|| month_behind(place).and_then(|month| place.matched(&MONTH_FIRST, month)))
    }?;
    (place.stands_alone(&range)
        && year(&place.text[range.clone()]).is_none_or(|year| year >= FIRST_YEAR))
    .then_some(range)
}

/// Whether a month's name, or `of` or `day of`, follows after a blank or a dash and, before it, an ordinal's ending.
fn month_ahead(place: &Place<'_>) -> bool {
    let rest = &place.bytes()[place.range.end..];
    let rest = if rest.first().is_some_and(u8::is_ascii_alphabetic) {
        rest.get(2..).unwrap_or_default()
    } else {
        rest
    };
    let Some([b' ' | b'-', word @ ..]) = rest.get(..4) else { return false };
    let word = word.to_ascii_lowercase();
    word == b"of " || word == b"day" || MONTHS.iter().any(|month| word == month.as_slice())
}

/// Where the word before the digits begins, if it starts as a month does.
fn month_behind(place: &Place<'_>) -> Option<usize> {
    let gap = place.back_while(place.range.start, 5, |byte| matches!(byte, b' ' | b'.' | b'-'));
    let start = place.back_while(gap, 10, |byte| byte.is_ascii_alphabetic());
    let begins = place.bytes().get(start..start + 3)?.to_ascii_lowercase();
    (gap < place.range.start && MONTHS.iter().any(|month| begins == month.as_slice()))
        .then_some(start)
}

fn year(date: &str) -> Option<u32> {
    date.split(|character: char| !character.is_ascii_digit())
        .find(|part| part.len() == 4)?
        .parse()
        .ok()
}
