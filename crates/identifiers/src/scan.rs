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

/// How many bytes are looked at together.
const BLOCK: usize = 32;

/// Where a pattern is worth trying: a run of digits, `@`, `:` or the first of `ww`.
fn next_cue(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while at < bytes.len() {
        if let Some(block) = bytes[at..].first_chunk()
            && !holds_cue(block)
        {
            at += BLOCK;
            continue;
        }
        let next = |at: usize| bytes.get(at + 1).copied().unwrap_or(0);
        let end = bytes.len().min(at + BLOCK);
        let Some(cue) = (at..end).find(|&at| is_cue(bytes[at], next(at))) else {
            at = end;
            continue;
        };
        let length = bytes[cue..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        return Some(cue..cue + length.max(1));
    }
    None
}

/// Whether one of the bytes but for the last one is a cue; the compiler takes all of them together.
fn holds_cue(block: &[u8; BLOCK + 1]) -> bool {
    let both = block.iter().zip(&block[1..]);
    both.fold(false, |any, (&byte, &next)| any | is_cue(byte, next))
}

/// Whether a cue begins with `byte`, before `next`.
#[inline]
#[expect(
    clippy::needless_bitwise_bool,
    reason = "without a jump, so that bytes are taken together"
)]
fn is_cue(byte: u8, next: u8) -> bool {
    let is_w = |byte: u8| byte | 0x20 == b'w';
    (byte.wrapping_sub(b'0') < 10) | (byte == b'@') | (byte == b':') | (is_w(byte) & is_w(next))
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
