//! Where in the input something stands.

use std::fmt;

use serde::Serialize;

/// The place of a record in its input.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, Limits, Reader};
///
/// let json = "[\n{\"Question\": \"Why?\", \"Complex_CoT\": \"Because.\", \"Response\": \"So.\"},\n{}\n]";
/// let second = Reader::new(json.as_bytes(), Limits::default()).nth(1);
/// let Some(Ok(Entry::Rejection(rejection))) = second else { panic!("a rejection is expected") };
/// assert_eq!(rejection.place.to_string(), "index 1, line 3");
/// assert!(json[rejection.place.offset as usize..].starts_with("{}"));
/// ```
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
