//! One place in a text, without the text.

use std::fmt;
use std::ops::Range;

use crate::Kind;

/// An identifier's kind and place; it never holds the text itself.
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
