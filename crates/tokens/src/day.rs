//! A day of the calendar, which is all that a price table needs of time.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::Error;

/// A day, written `YYYY-MM-DD`; later days are greater.
///
/// # Examples
///
/// ```
/// let shutdown: tokens::Day = "2027-01-14".parse()?;
/// assert!("2026-11-24".parse::<tokens::Day>()? < shutdown);
/// # Ok::<(), tokens::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Day {
    year: u16,
    month: u8,
    date: u8,
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::Day { text: text.to_owned() })
    }
}

impl TryFrom<String> for Day {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.date)
    }
}

fn parse(text: &str) -> Option<Day> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let date = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let valid = parts.next().is_none() && (1..=days_of(year, month)?).contains(&date);
    valid.then_some(Day { year, month, date })
}

fn digits(text: &str, length: usize) -> Option<u16> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn days_of(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written() {
        for text in ["2026-11-22", "2028-02-29", "2000-02-29", "0001-12-31"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in
            ["", "2026-11", "2026-11-31", "2026-13-01", "2026-00-10", "2027-02-29", "1900-02-29"]
        {
            assert_eq!(
                text.parse::<Day>().unwrap_err().to_string(),
                format!("`{text}` is not a day written YYYY-MM-DD")
            );
        }
        for text in ["2026-11-22T00:00", "2026-1-2", "+026-01-02", "2026-11-22-1", " 2026-11-22"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
