//! Records out of a byte stream.

use std::io::Read;

use crate::format::Scanner;
use crate::{Error, FieldNames, Format, Limits, Record, Rejection};

/// What one record of the input turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A good record.
    Record(Record),
    /// A record that is left out, and why.
    Rejection(Rejection),
}

/// An iterator over the records of a JSON array, of JSON lines, of a table or of a Parquet file, which holds one of them at a time.
///
/// The format is told by the content, and so is compression with gzip or Zstandard. Memory stays under twice
/// [`Limits::record_bytes`] and the decompressor's window, whatever the input; of a Parquet file a page of each
/// column is held, and its bytes are copied to an unnamed temporary file. An error ends it.
#[derive(Debug)]
pub struct Reader<R> {
    state: State<R>,
    limits: Limits,
    names: FieldNames,
    format: Option<Format>,
}

#[derive(Debug)]
enum State<R> {
    Unread(R),
    Reading(Box<Scanner<R>>),
    Ended,
}

impl<R: Read> Reader<R> {
    /// A reader of `input`, UTF-8 with or without a byte order mark; it needs no buffer of its own.
    pub fn new(input: R, limits: Limits) -> Self {
        let names = FieldNames::default();
        Self { state: State::Unread(input), limits, names, format: None }
    }

    /// Looks for the fields under `names`.
    #[must_use]
    pub fn with_names(self, names: FieldNames) -> Self {
        Self { names, ..self }
    }

    /// What the input turned out to be, once the first record was asked for.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    fn read(&mut self) -> Result<Option<Entry>, Error> {
        if let State::Unread(_) = self.state
            && let State::Unread(input) = std::mem::replace(&mut self.state, State::Ended)
        {
            let (scanner, format) = Scanner::open(input, self.limits, &self.names)?;
            self.state = State::Reading(Box::new(scanner));
            self.format = Some(format);
        }
        let State::Reading(scanner) = &mut self.state else {
            return Ok(None);
        };
        scanner.next(&self.names)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Ended;
        }
        item
    }
}
