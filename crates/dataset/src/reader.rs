//! Records out of a byte stream.

use std::io::Read;

use crate::format::Scanner;
use crate::{Error, FieldNames, Format, Limits, Record, Rejection};

/// What one record of the input turned out to be.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, Limits, Reader};
///
/// let json = r#"[{"Question": "Why?", "Complex_CoT": "Because.", "Response": "So."}, {"Question": "Why?"}]"#;
/// let (mut good, mut bad) = (0, 0);
/// for entry in Reader::new(json.as_bytes(), Limits::default()) {
///     match entry? {
///         Entry::Record(_) => good += 1,
///         Entry::Rejection(_) => bad += 1,
///     }
/// }
/// assert_eq!((good, bad), (1, 1));
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A good record.
    Record(Record),
    /// A record that is left out, and why.
    Rejection(Rejection),
}

/// An iterator over the records of a JSON array, JSON lines, a table or a Parquet file.
///
/// It holds one of them at a time. The format is told by the content, and so is compression with gzip or Zstandard.
/// Memory stays under twice [`Limits::record_bytes`] and the decompressor's window, whatever the input; of a Parquet
/// file a page of each column is held, and its bytes are copied to an unnamed temporary file. An error ends it.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, FieldNames, Layout, Limits, Reader};
///
/// let table = "frage,rationale,answer\n\"Fever, stiff neck?\",Meninges.,Lumbar puncture.\n";
/// let names = FieldNames { question: vec!["frage".to_owned()], ..FieldNames::default() };
/// let mut reader = Reader::new(table.as_bytes(), Limits::default()).with_names(names);
/// let Some(Ok(Entry::Record(record))) = reader.next() else { panic!("a record is expected") };
/// assert_eq!(record.question, "Fever, stiff neck?");
/// assert_eq!(reader.format().map(|format| format.layout), Some(Layout::Csv));
/// assert!(reader.next().is_none());
/// ```
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
    /// A reader of `input`, which is UTF-8 where it is text.
    ///
    /// A byte order mark is passed over. The input needs no buffer of its own.
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
