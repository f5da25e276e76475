//! The rows of a CSV file.

use std::io::Read;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::fields::FieldNames;
use crate::frame::{Frame, Row};
use crate::window::Window;
use crate::{Error, Limits, Place, Reason};

/// What may stand between cells.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// A scan over rows that holds one row at a time; the first row names the columns.
#[derive(Debug)]
pub(crate) struct TableScanner<R> {
    window: Window<R>,
    limits: Limits,
    parser: Box<Reader>,
    cells: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
    index: u64,
}

/// Where question, reasoning and response stand, each with the column's name.
pub(crate) type Columns = [Option<(usize, String)>; 3];

/// What the parser made of a row, beside its cells.
struct Outcome {
    place: Place,
    bytes: usize,
    width: usize,
    too_large: bool,
}

impl<R: Read> TableScanner<R> {
    /// Reads the first row: `None` where it does not name the fields, so that this is no such table.
    pub(crate) fn open(
        window: Window<R>,
        limits: Limits,
        names: &FieldNames,
    ) -> Result<Option<(Self, Columns)>, Error> {
        let Some(delimiter) = delimiter(window.bytes(), names) else {
            return Ok(None);
        };
        let mut scanner = Self {
            window,
            limits,
            parser: Box::new(ReaderBuilder::new().delimiter(delimiter).build()),
            cells: vec![0; 64 << 10],
            ends: vec![0; 64],
            width: 0,
            index: 0,
        };
        let Some(header) = scanner.row()? else {
            return Ok(None);
        };
        let row =
            Row { bytes: &scanner.cells[..header.bytes], ends: &scanner.ends[..header.width] };
        let found = columns(row, names);
        scanner.width = header.width;
        scanner.index = 0;
        Ok(Some((scanner, found)))
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let Some(Outcome { place, bytes, width, too_large }) = self.row()? else {
            return Ok(None);
        };
        Ok(Some(if too_large {
            Frame::Refused(place, Reason::TooLarge)
        } else if width != self.width {
            Frame::Refused(place, Reason::WrongColumns)
        } else {
            Frame::Row(place, Row { bytes: &self.cells[..bytes], ends: &self.ends[..width] })
        }))
    }

    fn row(&mut self) -> Result<Option<Outcome>, Error> {
        if self.window.skip_line_ends()?.is_none() {
            return Ok(None);
        }
        let place =
            Place { index: self.index, line: self.window.line(), offset: self.window.offset() };
        self.index += 1;
        let mut outcome = Outcome { place, bytes: 0, width: 0, too_large: false };
        let mut quotes = 0;
        loop {
            if self.window.bytes().is_empty()
                && !self.window.more()?
                && quotes % 2 == 1
                && self.window.line() > place.line
            {
                return Err(Error::CutShort { place });
            }
            let input = self.window.bytes();
            let (result, read, written, ended) = self.parser.read_record(
                input,
                &mut self.cells[outcome.bytes..],
                &mut self.ends[outcome.width..],
            );
            quotes += memchr::memchr_iter(b'"', &input[..read]).count();
            self.window.consume(read);
            outcome.bytes += written;
            outcome.width += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if outcome.bytes < self.limits.record_bytes => {
                    self.cells.resize(self.cells.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull
                    if outcome.width < self.limits.record_bytes / 64 =>
                {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                // What does not fit is read over: the parser needs room, but nobody reads what it writes.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    outcome = Outcome { bytes: 0, width: 0, too_large: true, ..outcome };
                }
                ReadRecordResult::Record => return Ok(Some(outcome)),
                ReadRecordResult::End => {
                    return Ok((outcome.width > 0 || outcome.too_large).then_some(outcome));
                }
            }
        }
    }
}

/// The delimiter by which the first line of `bytes` names the most fields, at least one.
fn delimiter(bytes: &[u8], names: &FieldNames) -> Option<u8> {
    let known = |delimiter: u8| {
        let mut parser = ReaderBuilder::new().delimiter(delimiter).build();
        let (mut cells, mut ends) = (vec![0; bytes.len().min(64 << 10)], [0; 1024]);
        let (_, _, written, ended) = parser.read_record(bytes, &mut cells, &mut ends);
        let row = Row { bytes: &cells[..written], ends: &ends[..ended] };
        columns(row, names).iter().flatten().count()
    };
    // The first of several that are equally good: a comma before a tab before a semicolon.
    let best = DELIMITERS.into_iter().rev().max_by_key(|&delimiter| known(delimiter))?;
    (known(best) > 0).then_some(best)
}

/// The column of each field, by the name that stands first in its list.
fn columns(header: Row<'_>, names: &FieldNames) -> Columns {
    names.lists().map(|list| {
        list.iter().find_map(|name| {
            let column = (0..header.ends.len()).find(|&column| {
                header.cell(column).map(<[u8]>::trim_ascii) == Some(name.as_bytes())
            })?;
            Some((column, name.clone()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bytes: &[u8]) -> String {
        let limits = Limits { record_bytes: 4096, depth: 2 };
        let names = FieldNames::default();
        let mut window = Window::new(bytes);
        window.fill_line(1000).unwrap();
        let Some((mut scanner, columns)) = TableScanner::open(window, limits, &names).unwrap()
        else {
            return "no table".to_owned();
        };
        let columns = columns.map(|column| column.map(|(index, _)| index));
        let mut text = format!("{columns:?}\n");
        loop {
            let line = match scanner.next() {
                Ok(Some(Frame::Row(place, row))) => {
                    let cell =
                        |column| String::from_utf8_lossy(row.cell(column).unwrap()).into_owned();
                    let cells: Vec<_> = (0..row.ends.len()).map(cell).collect();
                    format!("{place}, byte {}: {cells:?}\n", place.offset)
                }
                Ok(Some(other)) => format!("{other:?}\n"),
                Ok(None) => return text,
                Err(error) => return format!("{text}{error}"),
            };
            text += &line;
        }
    }

    #[test]
    fn cells_may_hold_quotes_delimiters_and_lines() {
        insta::assert_snapshot!(
            scan(b"id,Question,Complex_CoT,Response\r\n1,\"a \"\"b\"\",\r\nc\",5\" tall,\r\n\r\n\"2\",x,y,z"), @r#"
        [Some(1), Some(2), Some(3)]
        index 0, line 2, byte 34: ["1", "a \"b\",\r\nc", "5\" tall", ""]
        index 1, line 5, byte 62: ["2", "x", "y", "z"]
        "#);
        insta::assert_snapshot!(scan("\"Response\";Question;Complex_CoT\ną;b,c;d".as_bytes()), @r#"
        [Some(1), Some(2), Some(0)]
        index 0, line 2, byte 32: ["ą", "b,c", "d"]
        "#);
    }

    #[test]
    fn a_row_of_another_width_or_beyond_the_limit_is_passed_over() {
        let large = format!(
            "Question,Complex_CoT,Response\n1,2\n1,2,3,4\n1,{},3\n4,5,6\n",
            "x".repeat(90_000)
        );
        insta::assert_snapshot!(scan(large.as_bytes()), @r#"
        [Some(0), Some(1), Some(2)]
        Refused(Place { index: 0, line: 2, offset: 30 }, WrongColumns)
        Refused(Place { index: 1, line: 3, offset: 34 }, WrongColumns)
        Refused(Place { index: 2, line: 4, offset: 42 }, TooLarge)
        index 3, line 5, byte 90047: ["4", "5", "6"]
        "#);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_noticed() {
        insta::assert_snapshot!(scan(b"Question,Complex_CoT,Response\n1,2,\"3\n4,5,6\n"), @r#"
        [Some(0), Some(1), Some(2)]
        index 0, line 2: the input ends before the record does, so the file is cut short or a quote is missing
        "#);
        insta::assert_snapshot!(scan(b"Question,Complex_CoT,Response\n1,2,3\"\n4,5,6\""), @r#"
        [Some(0), Some(1), Some(2)]
        index 0, line 2, byte 30: ["1", "2", "3\""]
        index 1, line 3, byte 37: ["4", "5", "6\""]
        "#);
    }

    #[test]
    fn text_that_names_no_field_is_no_table() {
        assert_eq!(scan(b"Hello, world\n"), "no table");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "[a,\"\\r\\n\\t;]*") {
            let head = b"Question,Complex_CoT,Response\n";
            scan(&bytes);
            scan(&[head, bytes.as_slice()].concat());
            scan(&[head, text.as_bytes()].concat());
        }
    }
}
