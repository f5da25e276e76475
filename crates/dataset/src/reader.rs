//! Records out of a byte stream.

use std::io::Read;

use crate::array::{ArrayScanner, Frame};
use crate::window::Window;
use crate::{Error, FieldNames, Limits, Record, Rejection, record};

/// What one record of the input turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A good record.
    Record(Record),
    /// A record that is left out, and why.
    Rejection(Rejection),
}

/// An iterator over the records of a JSON array, which holds one of them at a time.
///
/// Memory stays under [`Limits::record_bytes`] and two blocks, whatever the input. An error ends it.
#[derive(Debug)]
pub struct Reader<R> {
    scanner: Option<ArrayScanner<R>>,
    names: FieldNames,
}

impl<R: Read> Reader<R> {
    /// A reader of `input`, UTF-8 with or without a byte order mark; it needs no buffer of its own.
    pub fn new(input: R, limits: Limits) -> Self {
        let scanner = ArrayScanner::new(Window::new(input), limits);
        Self { scanner: Some(scanner), names: FieldNames::default() }
    }

    /// Looks for the fields under `names`.
    #[must_use]
    pub fn with_names(self, names: FieldNames) -> Self {
        Self { names, ..self }
    }

    fn read(&mut self) -> Result<Option<Entry>, Error> {
        let Some(scanner) = &mut self.scanner else {
            return Ok(None);
        };
        let entry = scanner.next()?.map(|frame| match frame {
            Frame::Whole(place, bytes) => record::parse(bytes, place, &self.names)
                .map_or_else(Entry::Rejection, Entry::Record),
            Frame::Refused(place, reason) => {
                Entry::Rejection(Rejection { place, reason, field: None })
            }
        });
        Ok(entry)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.scanner = None;
        }
        item
    }
}
