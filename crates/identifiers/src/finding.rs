//! One place in a text, without the text.

use std::fmt;
use std::ops::Range;

use crate::Kind;

/// An identifier's kind and place; it never holds the text itself.
///
/// # Examples
///
/// ```
/// use identifiers::{Finding, Kind, scan};
///
/// let note = "Results to anna.lee@example.org, please.";
/// let findings = scan(note);
/// assert_eq!(findings, [Finding { kind: Kind::Email, range: 11..31 }]);
/// assert_eq!(findings[0].to_string(), "EMAIL at bytes 11..31");
/// assert_eq!(&note[findings[0].range.clone()], "anna.lee@example.org");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The bytes of the scanned text that it takes; both ends stand between characters.
    pub range: Range<usize>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at bytes {}..{}", self.kind, self.range.start, self.range.end)
    }
}
