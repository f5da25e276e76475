//! Why an input cannot be read to its end.

use crate::Place;

/// An input that cannot be read further; what is wrong with a single record is a [`Rejection`](crate::Rejection).
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
    /// The input does not start as a JSON array does.
    #[error("line {line}: expected `[`, the start of a JSON array of records")]
    NotAnArray {
        /// The line of the first byte that is not white space.
        line: u64,
        /// That byte's offset.
        offset: u64,
    },
    /// Something else stands where the array goes on or ends.
    #[error("line {line}, byte {offset}: expected {expected} (after {records} records)")]
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
    /// The input ends inside a record or before the array is closed.
    #[error(
        "{place}: the input ends before the record does, so the file is cut short or a quote is missing"
    )]
    CutShort {
        /// Where the unfinished record starts.
        place: Place,
    },
}
