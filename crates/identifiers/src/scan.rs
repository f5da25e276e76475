//! The pass over the text, and the removal of what it finds.

use std::borrow::Cow;
use std::ops::Range;

use crate::place::Place;
use crate::{Finding, Kind, address, contact, date, number, phone, record};

/// What a pattern found.
pub(crate) type Found = Option<(Kind, Range<usize>)>;

/// Finds the identifiers in `text`, in order and without overlaps.
///
/// # Examples
///
/// ```
/// let findings = identifiers::scan("Reach me at ana@example.org");
/// assert_eq!(findings[0].to_string(), "EMAIL at bytes 12..27");
/// ```
pub fn scan(text: &str) -> Vec<Finding> {
    let bytes = text.as_bytes();
    let mut findings: Vec<Finding> = Vec::new();
    let (mut at, mut floor) = (0, 0);
    while let Some(cue) = next_cue(bytes, at) {
        at = cue.end;
        let place = Place { text, floor, range: cue };
        let found = match bytes[place.range.start] {
            b'@' => contact::email(&place, place.range.start),
            b':' => contact::url(&place).or_else(|| contact::ip_v6(&place)),
            b'w' | b'W' => contact::www(&place),
            _ => at_digits(&place, findings.last()),
        };
        if let Some((kind, range)) = found {
            at = range.end.max(at);
            floor = range.end;
            findings.push(Finding { kind, range });
        }
    }
    findings
}

/// Puts the kind in brackets, such as `[PHONE]`, in the place of each identifier.
///
/// What a removal brings together is scanned again, so that no finding is left.
///
/// # Examples
///
/// ```
/// assert_eq!(identifiers::redact("SSN 219-09-4321"), "SSN [SSN]");
/// ```
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = Cow::Borrowed(text);
    loop {
        let findings = scan(&clean);
        if findings.is_empty() {
            return clean;
        }
        clean = Cow::Owned(replace(&clean, &findings));
    }
}

fn replace(text: &str, findings: &[Finding]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for finding in findings {
        clean.push_str(&text[from..finding.range.start]);
        clean.push('[');
        clean.push_str(finding.kind.code());
        clean.push(']');
        from = finding.range.end;
    }
    clean.push_str(&text[from..]);
    clean
}

/// Where a pattern is worth trying: a run of digits, `@`, `:` or the first of `ww`.
fn next_cue(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    const CUES: [bool; 256] = {
        let mut cues = [false; 256];
        let mut digit = b'0';
        while digit <= b'9' {
            cues[digit as usize] = true;
            digit += 1;
        }
        cues[b'@' as usize] = true;
        cues[b':' as usize] = true;
        cues[b'w' as usize] = true;
        cues[b'W' as usize] = true;
        cues
    };
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| CUES[usize::from(*byte)])?;
        match bytes[at] {
            b'w' | b'W'
                if !bytes.get(at + 1).is_some_and(|next| next.eq_ignore_ascii_case(&b'w')) =>
            {
                at += 1;
            }
            b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                return Some(at..at + length);
            }
            _ => return Some(at..at + 1),
        }
    }
}

fn at_digits(place: &Place<'_>, last: Option<&Finding>) -> Found {
    contact::email_ahead(place)
        .or_else(|| contact::ip_v6(place))
        .or_else(|| record::mbi(place))
        .or_else(|| date::date(place, last))
        .or_else(|| contact::ip_v4(place))
        .or_else(|| number::labelled(place))
        .or_else(|| record::record_number(place))
        .or_else(|| number::plain(place))
        .or_else(|| phone::phone(place))
        .or_else(|| address::address(place))
}
