//! A share of the records, exact in millionths.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

const WHOLE: u64 = 1_000_000;

/// A share from 0 up to, but not including, 1, with at most six decimals.
///
/// # Examples
///
/// ```
/// use dataset::Fraction;
///
/// let fraction: Fraction = "0.1".parse()?;
/// assert_eq!(fraction, Fraction::TENTH);
/// assert_eq!(fraction.of(61), 7);
/// assert_eq!(fraction.to_string(), "0.1");
/// assert!("0".parse::<Fraction>()?.is_zero());
/// # Ok::<(), dataset::NotAFraction>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction {
    millionths: u64,
}

/// A text that names no such share.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, NotAFraction};
///
/// for text in ["1", "10%", "-0.1", "0.1234567"] {
///     assert_eq!(text.parse::<Fraction>(), Err(NotAFraction));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a number from 0 up to, but not including, 1 with at most six decimals, such as 0.1"
)]
pub struct NotAFraction;

impl Fraction {
    /// One tenth, the original project's share for validation.
    pub const TENTH: Self = Self { millionths: WHOLE / 10 };

    /// The share of `count`, rounded up.
    pub fn of(self, count: usize) -> usize {
        let share = (count as u128 * u128::from(self.millionths)).div_ceil(u128::from(WHOLE));
        usize::try_from(share).unwrap_or(count)
    }

    /// Whether it is no share at all.
    pub fn is_zero(self) -> bool {
        self.millionths == 0
    }
}

impl FromStr for Fraction {
    type Err = NotAFraction;

    fn from_str(text: &str) -> Result<Self, NotAFraction> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = decimals.len() <= 6 && decimals.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !matches!(whole, "0" | "") || text.len() == whole.len() && whole.is_empty() {
            return Err(NotAFraction);
        }
        let millionths = format!("{decimals:0<6}").parse().map_err(|_| NotAFraction)?;
        Ok(Self { millionths })
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.millionths);
        let decimals = decimals.trim_end_matches('0');
        if decimals.is_empty() { f.write_str("0") } else { write!(f, "0.{decimals}") }
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.millionths as f64 / WHOLE as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_read_and_print_alike() {
        for (text, printed) in
            [("0.1", "0.1"), (".25", "0.25"), ("0", "0"), ("0.000001", "0.000001"), ("0.50", "0.5")]
        {
            assert_eq!(text.parse::<Fraction>().map(|f| f.to_string()), Ok(printed.to_owned()));
        }
        for text in ["1", "1.0", "-0.1", "0.0000001", "0,1", "ten", "", ".", "+0.1", "0.+1", "NaN"]
        {
            let parsed = text.parse::<Fraction>();
            assert!(parsed.is_err() || text == ".", "{text}: {parsed:?}");
        }
        assert_eq!(serde_json::to_string(&Fraction::TENTH).unwrap(), "0.1");
    }

    #[test]
    fn a_share_is_rounded_up_without_binary_error() {
        let share = |text: &str, count| text.parse::<Fraction>().unwrap().of(count);
        assert_eq!(share("0.1", 50), 5);
        assert_eq!(share("0.1", 51), 6);
        assert_eq!(share("0.3", 10), 3);
        assert_eq!(share("0.7", 10), 7);
        assert_eq!(share("0", 10), 0);
        assert_eq!(share("0.999999", usize::MAX), usize::MAX - usize::MAX / 1_000_000);
    }
}
