//! What an input is, told by its content and not by its name.

use std::io::Read;

use serde::Serialize;
use serde_json::Value;

use crate::array::ArrayScanner;
use crate::decode::Decoded;
use crate::frame::Frame;
use crate::lines::LineScanner;
use crate::parquet::{MAGIC, ParquetScanner};
use crate::table::{Columns, TableScanner};
use crate::window::Window;
use crate::{Compression, Entry, Error, FieldNames, Limits, Place, Reason, Rejection, record};

/// How records follow each other in an input.
///
/// # Examples
///
/// ```
/// use dataset::{Layout, Limits, Reader};
///
/// let layout = |input: &'static str| {
///     let mut reader = Reader::new(input.as_bytes(), Limits::default());
///     reader.next();
///     reader.format().map(|format| format.layout)
/// };
/// assert_eq!(layout(r#"[{"Question": "Why?"}]"#), Some(Layout::JsonArray));
/// assert_eq!(layout("{\"Question\": \"Why?\"}\n{}\n"), Some(Layout::JsonLines));
/// assert_eq!(layout("Question;Complex_CoT;Response\nWhy?;Because.;So.\n"), Some(Layout::Csv));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layout {
    /// One JSON array.
    JsonArray,
    /// A JSON text on each line.
    JsonLines,
    /// A Parquet file.
    Parquet,
    /// A table of cells between commas, tabs or semicolons, its first line naming the columns.
    Csv,
}

/// What an input turned out to be.
///
/// # Examples
///
/// ```
/// use dataset::{Compression, Format, Layout, Limits, Reader};
///
/// let mut reader = Reader::new("[]".as_bytes(), Limits::default());
/// assert_eq!(reader.format(), None);
/// assert!(reader.next().is_none());
/// let format = Format { layout: Layout::JsonArray, compression: Compression::None };
/// assert_eq!(reader.format(), Some(format));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Format {
    /// How its records follow each other.
    pub layout: Layout,
    /// How it is compressed.
    pub compression: Compression,
}

/// A JSON value with its place, or why it could not be read.
///
/// # Examples
///
/// ```
/// use dataset::{JsonEntry, JsonReader, Limits, Reason};
///
/// let entries = JsonReader::new("[{\"id\": 1}, nothing]".as_bytes(), Limits::default());
/// let entries = entries.collect::<Result<Vec<JsonEntry>, _>>()?;
/// assert_eq!(entries[0].1.as_ref().map(|value| value["id"].clone()), Ok(1.into()));
/// assert_eq!((entries[1].0.index, &entries[1].1), (1, &Err(Reason::MalformedJson)));
/// # Ok::<(), dataset::Error>(())
/// ```
pub type JsonEntry = (Place, Result<Value, Reason>);

/// Beginnings of files that are known and not read.
const UNSUPPORTED: [(&[u8], &str); 5] = [
    (b"PARE", "an encrypted Parquet file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xFD7zXZ", "an xz file"),
    (b"%PDF", "a PDF document"),
];

/// The scanner that fits an input.
#[derive(Debug)]
pub(crate) enum Scanner<R> {
    Array(ArrayScanner<Decoded<R>>),
    Lines(LineScanner<Decoded<R>>),
    Table(TableScanner<Decoded<R>>, Columns),
    Parquet(Box<ParquetScanner>),
}

impl<R: Read> Scanner<R> {
    /// Looks at the beginning of `input`.
    pub(crate) fn open(
        input: R,
        limits: Limits,
        names: &FieldNames,
    ) -> Result<(Self, Format), Error> {
        let mut window = Window::new(Decoded::new(input));
        window.skip_mark()?;
        let first = window.skip_white_space()?.ok_or(Error::Empty)?;
        let compression = window.reader().compression();
        let format = |layout| Format { layout, compression };
        if first == b'[' {
            return Ok((Self::Array(ArrayScanner::new(window, limits)), format(Layout::JsonArray)));
        }
        while window.bytes().len() < MAGIC.len() && window.more()? {}
        if window.bytes().starts_with(MAGIC) {
            let scanner = ParquetScanner::open(window, limits)?;
            return Ok((Self::Parquet(Box::new(scanner)), format(Layout::Parquet)));
        }
        window.fill_line(limits.record_bytes)?;
        let line = window.line();
        if first == b'{' {
            if is_broken_over_lines(&mut window, limits.record_bytes)? {
                return Err(Error::NotLines { line });
            }
            return Ok((Self::Lines(LineScanner::new(window, limits)), format(Layout::JsonLines)));
        }
        if let Some((_, format)) =
            UNSUPPORTED.iter().find(|(head, _)| window.bytes().starts_with(head))
        {
            return Err(Error::Unsupported { format });
        }
        let table = TableScanner::open(window, limits, names)?;
        let (table, columns) = table.ok_or(Error::UnknownFormat { line })?;
        for (column, list) in columns.iter().zip(names.lists()) {
            if column.is_none() {
                let column = list.first().cloned().unwrap_or_default();
                return Err(Error::NoColumn { line, column });
            }
        }
        Ok((Self::Table(table, columns), format(Layout::Csv)))
    }

    /// The next record as a JSON value, wherever it stands; a table's rows are none.
    pub(crate) fn next_json(&mut self) -> Result<Option<JsonEntry>, Error> {
        let frame = match self {
            Self::Array(scanner) => scanner.next()?,
            Self::Lines(scanner) => scanner.next()?,
            Self::Table(scanner, _) => scanner.next()?,
            Self::Parquet(scanner) => return scanner.next_json(),
        };
        Ok(frame.map(|frame| match frame {
            Frame::Json(place, bytes) => (place, record::parse_value(bytes)),
            Frame::Row(place, _) => (place, Err(Reason::NotAnObject)),
            Frame::Refused(place, reason) => (place, Err(reason)),
        }))
    }

    /// The next record, its fields looked for under `names`.
    pub(crate) fn next(&mut self, names: &FieldNames) -> Result<Option<Entry>, Error> {
        let (frame, columns) = match self {
            Self::Array(scanner) => (scanner.next()?, None),
            Self::Lines(scanner) => (scanner.next()?, None),
            Self::Table(scanner, columns) => (scanner.next()?, Some(columns)),
            Self::Parquet(scanner) => {
                let entry = scanner.next(names)?.map(|(place, row)| {
                    row.map_err(|reason| Rejection::of_record(place, reason))
                        .and_then(|row| record::from_cells(row, place))
                        .map_or_else(Entry::Rejection, Entry::Record)
                });
                return Ok(entry);
            }
        };
        let entry = frame.map(|frame| {
            let parsed = match (frame, columns) {
                (Frame::Json(place, bytes), _) => record::parse(bytes, place, names),
                (Frame::Row(place, row), Some(columns)) => record::from_row(row, place, columns),
                (Frame::Row(place, _), None) => {
                    Err(Rejection::of_record(place, Reason::WrongColumns))
                }
                (Frame::Refused(place, reason), _) => Err(Rejection::of_record(place, reason)),
            };
            parsed.map_or_else(Entry::Rejection, Entry::Record)
        });
        Ok(entry)
    }
}

/// Whether the object on the first line goes on after it, and the next line begins no other.
fn is_broken_over_lines<R: Read>(window: &mut Window<R>, limit: usize) -> Result<bool, Error> {
    let second = |bytes: &[u8]| {
        let end = memchr::memchr(b'\n', bytes)?;
        bytes[end..].trim_ascii_start().first().copied()
    };
    while second(window.bytes()).is_none() && window.bytes().len() < limit && window.more()? {}
    let bytes = window.bytes();
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let ended = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes[..end]);
    let goes_on = second(bytes).is_some_and(|next| next != b'{');
    Ok(goes_on && ended.is_err_and(|error| error.is_eof()))
}
