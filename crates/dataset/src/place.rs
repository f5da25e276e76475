//! Where in the input something stands.

use std::fmt;

use serde::Serialize;

/// The place of a record in its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// How many records stand before it.
    pub index: u64,
    /// The line that it starts on, or the row of a Parquet file, counted from 1.
    pub line: u64,
    /// The byte that it starts at, counted from 0; in a Parquet file 0.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index {}, line {}", self.index, self.line)
    }
}
