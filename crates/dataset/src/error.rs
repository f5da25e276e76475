//! Why an input cannot be read to its end.

use crate::Place;

/// An input that cannot be read further; what is wrong with a single record is a [`Rejection`](crate::Rejection).
///
/// # Examples
///
/// ```
/// use dataset::{Error, Limits, Reader};
///
/// let error = |input: &'static str| Reader::new(input.as_bytes(), Limits::default()).find_map(Result::err);
/// assert!(matches!(error("%PDF-1.7"), Some(Error::Unsupported { format: "a PDF document" })));
/// let table = error("Question,Response\nWhy?,So.\n").unwrap();
/// assert_eq!(table.to_string(), "line 1: no column `Complex_CoT`");
/// let cut = error(r#"[{"Question": "A 45-year-old man "#).unwrap();
/// assert!(matches!(cut, Error::CutShort { place } if place.index == 0));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes could not be had.
    #[error("cannot be read on from byte {offset}")]
    Read {
        /// How many bytes were read before.
        offset: u64,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The input holds nothing but white space.
    #[error("holds no data")]
    Empty,
    /// The input is text in another encoding than UTF-8.
    #[error("is {encoding} text, not UTF-8")]
    Encoding {
        /// The encoding that its first bytes announce.
        encoding: &'static str,
    },
    /// The input is in a format that is not read here.
    #[error("is {format}, which cannot be read")]
    Unsupported {
        /// The format that its first bytes announce.
        format: &'static str,
    },
    /// The input is none of the formats that are read.
    #[error(
        "line {line}: neither a JSON array, nor JSON lines, nor a table whose first line names the fields"
    )]
    UnknownFormat {
        /// The line of the first byte that is not white space.
        line: u64,
    },
    /// The first line of a table does not name all fields.
    #[error("line {line}: no column `{column}`")]
    NoColumn {
        /// The line of the column names.
        line: u64,
        /// The preferred name of the field that is not there.
        column: String,
    },
    /// An object begins on the first line and does not end there.
    #[error(
        "line {line}: the object does not end on its line, so these are no JSON lines; expected `[` before it"
    )]
    NotLines {
        /// The line on which the object begins.
        line: u64,
    },
    /// Something else stands where the array goes on or ends.
    #[error("line {line}, byte {offset}: expected {expected} ({records} read before)")]
    Syntax {
        /// The line of the unexpected byte.
        line: u64,
        /// Its offset.
        offset: u64,
        /// What would have been right.
        expected: &'static str,
        /// How many records were read before.
        records: u64,
    },
    /// The input's own description of itself does not fit what it holds.
    #[error("cannot be read as {format}: {reason}")]
    Damaged {
        /// The format that its first bytes announce.
        format: &'static str,
        /// What its reader says.
        reason: String,
    },
    /// The input ends inside a record or before the array is closed.
    #[error(
        "{place}: the input ends before the record does, so the file is cut short or a quote is missing"
    )]
    CutShort {
        /// Where the unfinished record starts.
        place: Place,
    },
}
