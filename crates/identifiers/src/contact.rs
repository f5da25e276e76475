//! E-mail, web and network addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

use crate::Kind;
use crate::place::Place;
use crate::scan::Found;

/// RFC 5321: a local part has at most 64 bytes.
const LOCAL_PART: usize = 64;

static DOMAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}")
        .expect("a fixed pattern")
});
static WWW: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^www\.[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*").expect("a fixed pattern")
});
static NOT_AN_IP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:\b(?:version|ver|release|build|firmware|software|section|sec|figure|fig|table|chapter|step|EC|E\.C\.|enzyme|oid|item|appendix|rev|revision)\.?|\bv)[\s:(]*$").expect("a fixed pattern")
});
static IP_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:IP|IPv4|host|address|server|from|login|logged in|device|gateway|client)\b[^\[\].;\n]{0,20}$")
        .expect("a fixed pattern")
});

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
}

/// An e-mail address around the `@` at `sign`.
pub(crate) fn email(place: &Place<'_>, sign: usize) -> Found {
    let mut start = place.back_while(sign, LOCAL_PART, is_local);
    while start < sign && !place.bytes()[start].is_ascii_alphanumeric() {
        start += 1;
    }
    let domain = place.matched(&DOMAIN, sign + 1)?;
    (start < sign).then_some((Kind::Email, start..domain.end))
}

/// An e-mail address whose local part holds these digits.
pub(crate) fn email_ahead(place: &Place<'_>) -> Found {
    let rest = &place.bytes()[place.range.end..];
    let length = rest.iter().take(LOCAL_PART).take_while(|byte| is_local(**byte)).count();
    (rest.get(length) == Some(&b'@')).then(|| email(place, place.range.end + length))?
}

/// A web address around the `:` of `https://`.
pub(crate) fn url(place: &Place<'_>) -> Found {
    let colon = place.range.start;
    if !place.bytes()[colon..].starts_with(b"://") {
        return None;
    }
    let start = place.back_while(colon, 8, |byte| byte.is_ascii_alphabetic());
    let scheme = place.text[start..colon].to_ascii_lowercase();
    let end = url_end(place, colon + 3);
    (matches!(scheme.as_str(), "http" | "https" | "ftp" | "sftp") && end > colon + 3)
        .then_some((Kind::Url, start..end))
}

/// A web address that begins with `www.`.
pub(crate) fn www(place: &Place<'_>) -> Found {
    let start = place.range.start;
    if place.byte_before(start).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    place.matched(&WWW, start)?;
    Some((Kind::Url, start..url_end(place, start)))
}

/// Where a web address that holds `from` ends: before white space, quotes and brackets, without closing punctuation.
fn url_end(place: &Place<'_>, from: usize) -> usize {
    let ends = |character: char| {
        character.is_whitespace()
            || matches!(character, '<' | '>' | '"' | '[' | ']' | '{' | '}' | '|' | '\\' | '^' | '`')
    };
    let rest = &place.text[from..];
    let rest = &rest[..rest.find(ends).unwrap_or(rest.len())];
    from + rest
        .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'', '*', '\u{2019}', '\u{201d}'])
        .len()
}

/// Four numbers below 256 between dots, unless they are a version, an enzyme or a section.
pub(crate) fn ip_v4(place: &Place<'_>) -> Found {
    let start = place.range.start;
    let rest = &place.bytes()[start..];
    let length =
        rest.iter().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let number = place.text[start..start + length].trim_end_matches('.');
    let range = start..start + number.len();
    number.parse::<Ipv4Addr>().ok()?;
    let long = number.len() >= "10.20.3.40".len();
    let telling = !place.labelled(&NOT_AN_IP, start) && (long || place.labelled(&IP_LABEL, start));
    (telling && place.stands_alone(&range)).then_some((Kind::Ip, range))
}

/// A version 6 address around the cue: what the standard library reads as one, with enough to it to be no time.
pub(crate) fn ip_v6(place: &Place<'_>) -> Found {
    let part = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
    let start = place.back_while(place.range.start, 40, part);
    let length = place.bytes()[start..].iter().take(64).take_while(|byte| part(**byte)).count();
    let number = place.text[start..start + length].trim_end_matches(':');
    if number.bytes().filter(|byte| *byte == b':').count() < 2 {
        return None;
    }
    number.parse::<Ipv6Addr>().ok()?;
    let groups = number.split(':').filter(|group| !group.is_empty());
    let range = start..start + number.len();
    let long = groups.clone().count() >= 3 || groups.clone().any(|group| group.len() == 4);
    (long
        && groups.count() >= 2
        && number.bytes().any(|byte| byte.is_ascii_digit())
        && place.stands_alone(&range))
    .then_some((Kind::Ip, range))
}
