//! The rows of a Parquet file.

mod nested;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::Type as PhysicalType;
use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use serde_json::{Map, Value};

use crate::format::JsonEntry;
use crate::record::Cell;
use crate::window::Window;
use crate::{Error, FieldNames, Limits, Place, Reason};

/// What every Parquet file begins with.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// How many rows are read at a time.
const ROWS: usize = 64;

/// A scan over the text columns of a file, which holds a few rows and a page of each column at a time.
///
/// A Parquet file is read from its end, so that a stream is copied to an unnamed temporary file first.
pub(crate) struct ParquetScanner {
    reader: SerializedFileReader<File>,
    limits: Limits,
    /// The columns that are read, and for each field which of them it is; chosen with the first row.
    columns: Vec<Column>,
    chosen: bool,
    fields: [Option<usize>; 3],
    names: [Option<String>; 3],
    /// The row group that is read next, and how many rows of the present one are left.
    group: usize,
    left: u64,
    index: u64,
    /// The file once more, for rows that hold more than text.
    file: File,
    nested: Option<RowIter<'static>>,
}

/// A column of text, and its part in the present row group.
struct Column {
    name: String,
    /// Its number among the file's leaves; `None` where it holds something else than text.
    leaf: Option<usize>,
    /// Whether it is a list or holds other columns.
    is_group: bool,
    /// The level at which a value stands; 0 where there can be no null.
    full: i16,
    reader: Option<ColumnReaderImpl<ByteArrayType>>,
    cells: VecDeque<Option<ByteArray>>,
}

/// What a row's fields hold, each with its column's name.
pub(crate) type Row = [(Cell, Option<String>); 3];
/// A row with its place, or why it could not be read.
pub(crate) type RowEntry = (Place, Result<Row, Reason>);
/// The texts of a row, one for each column.
type Cells = Vec<Option<ByteArray>>;

impl ParquetScanner {
    /// Copies the rest of `window` and reads the file's own description of itself.
    pub(crate) fn open<R: Read>(mut window: Window<R>, limits: Limits) -> Result<Self, Error> {
        let fail = |offset| move |source| Error::Read { offset, source };
        let mut file = tempfile::tempfile().map_err(fail(0))?;
        loop {
            let bytes = window.bytes();
            let count = bytes.len();
            file.write_all(bytes).map_err(fail(window.offset()))?;
            window.consume(count);
            if !window.more()? {
                break;
            }
        }
        file.rewind().map_err(fail(0))?;
        let again = file.try_clone().map_err(fail(0))?;
        let reader = guarded(|| SerializedFileReader::new(again))?;
        let columns = guarded(|| Ok(columns(&reader)))?;
        Ok(Self {
            reader,
            limits,
            columns,
            chosen: false,
            fields: [None; 3],
            names: [const { None }; 3],
            group: 0,
            left: 0,
            index: 0,
            file,
            nested: None,
        })
    }

    /// The next row's fields, looked for under `names`.
    pub(crate) fn next(&mut self, names: &FieldNames) -> Result<Option<RowEntry>, Error> {
        if !self.chosen {
            self.choose(names)?;
        }
        let Some((place, cells)) = self.row()? else { return Ok(None) };
        let size: usize = cells.iter().flatten().map(ByteArray::len).sum();
        if size > self.limits.record_bytes {
            return Ok(Some((place, Err(Reason::TooLarge))));
        }
        let mut row: Row = [const { (Cell::Missing, None) }; 3];
        for ((cell, field), name) in row.iter_mut().zip(self.fields).zip(&self.names) {
            let found = field.map(|column| (&self.columns[column], &cells[column]));
            let value = match found {
                None => Cell::Missing,
                Some((Column { leaf: None, .. }, _)) => Cell::Other,
                Some((_, None)) => Cell::Null,
                Some((_, Some(bytes))) => match std::str::from_utf8(bytes.data()) {
                    Ok(text) => Cell::Text(text.to_owned()),
                    Err(_) => Cell::NotUtf8,
                },
            };
            *cell = (value, name.clone());
        }
        Ok(Some((place, Ok(row))))
    }

    /// The next row as an object.
    pub(crate) fn next_json(&mut self) -> Result<Option<JsonEntry>, Error> {
        if self.columns.iter().any(|column| column.is_group) {
            return self.next_nested();
        }
        self.chosen = true;
        let Some((place, cells)) = self.row()? else { return Ok(None) };
        let mut object = Map::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let Some(bytes) = cell else { continue };
            let Ok(text) = std::str::from_utf8(bytes.data()) else {
                return Ok(Some((place, Err(Reason::NotUtf8))));
            };
            object.insert(column.name.clone(), Value::from(text));
        }
        Ok(Some((place, Ok(Value::Object(object)))))
    }

    /// The next row of a file with columns that hold other columns.
    fn next_nested(&mut self) -> Result<Option<JsonEntry>, Error> {
        if self.nested.is_none() {
            let file = self.file.try_clone().map_err(|source| Error::Read { offset: 0, source })?;
            self.nested = Some(guarded(|| nested::rows(file, self.limits.depth))?);
        }
        let Some(rows) = &mut self.nested else { return Ok(None) };
        let Some(value) =
            guarded(|| rows.next().transpose().map(|row| row.as_ref().map(nested::object)))?
        else {
            return Ok(None);
        };
        let place = Place { index: self.index, line: self.index + 1, offset: 0 };
        self.index += 1;
        Ok(Some((place, Ok(value))))
    }

    /// Keeps the columns that hold the fields.
    fn choose(&mut self, names: &FieldNames) -> Result<(), Error> {
        let all = std::mem::take(&mut self.columns);
        let mut wanted = Vec::new();
        for (field, list) in names.lists().into_iter().enumerate() {
            let found =
                list.iter().find_map(|name| all.iter().position(|column| &column.name == name));
            let Some(found) = found else {
                return Err(Error::NoColumn {
                    line: 1,
                    column: list.first().cloned().unwrap_or_default(),
                });
            };
            self.names[field] = Some(all[found].name.clone());
            wanted.push(found);
        }
        for (number, column) in all.into_iter().enumerate() {
            for (field, _) in wanted.iter().enumerate().filter(|&(_, &found)| found == number) {
                self.fields[field] = Some(self.columns.len());
            }
            if wanted.contains(&number) {
                self.columns.push(column);
            }
        }
        self.chosen = true;
        Ok(())
    }

    fn row(&mut self) -> Result<Option<(Place, Cells)>, Error> {
        while self.left == 0 {
            if self.group == self.reader.num_row_groups() {
                return Ok(None);
            }
            guarded(|| self.open_group())?;
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            cells.push(guarded(|| column.next())?);
        }
        let place = Place { index: self.index, line: self.index + 1, offset: 0 };
        self.left -= 1;
        self.index += 1;
        Ok(Some((place, cells)))
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let group = self.reader.get_row_group(self.group)?;
        for column in &mut self.columns {
            column.cells.clear();
            if let Some(leaf) = column.leaf {
                column.reader = Some(get_typed_column_reader(group.get_column_reader(leaf)?));
            }
        }
        self.left = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.group += 1;
        Ok(())
    }
}

impl fmt::Debug for ParquetScanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetScanner").finish_non_exhaustive()
    }
}

impl Column {
    fn next(&mut self) -> Result<Option<ByteArray>, ParquetError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        if self.cells.is_empty() {
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let (rows, _, _) = reader.read_records(ROWS, Some(&mut levels), None, &mut values)?;
            let mut values = values.into_iter();
            for row in 0..rows {
                let there = self.full == 0 || levels.get(row) == Some(&self.full);
                self.cells.push_back(if there { values.next() } else { None });
            }
        }
        let cell = self.cells.pop_front();
        cell.ok_or_else(|| ParquetError::EOF("a column is shorter than its row group".to_owned()))
    }
}

/// The columns at the top of the file's schema.
fn columns(reader: &SerializedFileReader<File>) -> Vec<Column> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let text = |name: &str| {
        schema.columns().iter().enumerate().find(|(_, leaf)| {
            leaf.path().parts().len() == 1
                && leaf.name() == name
                && leaf.physical_type() == PhysicalType::BYTE_ARRAY
                && leaf.max_rep_level() == 0
        })
    };
    let fields = schema.root_schema().get_fields().iter();
    let column = |name: &str, is_group: bool| {
        let leaf = text(name);
        Column {
            name: name.to_owned(),
            leaf: leaf.map(|(number, _)| number),
            is_group,
            full: leaf.map_or(0, |(_, leaf)| leaf.max_def_level()),
            reader: None,
            cells: VecDeque::new(),
        }
    };
    fields.map(|field| column(field.name(), field.is_group())).collect()
}

/// What `read` returns; the library's errors, and its panics on files that nobody writes, as one error.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Error> {
    // After an error nothing is read any more, so that nobody sees what a panic left half done.
    let result = catch_unwind(AssertUnwindSafe(read));
    let reason = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its parts contradict each other".to_owned(),
    };
    Err(Error::Damaged { format: "Parquet", reason })
}
