//! Whole rows with lists and groups in them, such as the messages of a chat.

use std::fs::File;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

/// How many values of a column are read at a time.
const VALUES: usize = 64;

/// An iterator over the rows of `file`, each an object.
///
/// # Errors
///
/// The library's, also where groups stand in each other deeper than `depth`.
pub(super) fn rows(file: File, depth: usize) -> Result<RowIter<'static>, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    if height(reader.metadata().file_metadata().schema()) > depth {
        return Err(ParquetError::General(format!("groups are nested deeper than {depth} levels")));
    }
    Ok(RowIter::from_file_into(Box::new(reader)).with_batch_size(VALUES))
}

/// The row as an object. A column that holds nothing in it is left out, as JSON lines leave it out; only `content`
/// stays, since a message may say by it that it has none.
pub(super) fn object(row: &Row) -> Value {
    let fields = row.get_column_iter();
    let told = fields.filter(|(name, field)| !matches!(field, Field::Null) || *name == "content");
    Value::Object(told.map(|(name, field)| (name.clone(), value(field))).collect::<Map<_, _>>())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float(value) => Value::from(*value),
        Field::Double(value) => Value::from(*value),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let entry = |(key, field): &(Field, Field)| match key {
                Field::Str(key) => (key.clone(), value(field)),
                other => (other.to_string(), value(field)),
            };
            Value::Object(map.entries().iter().map(entry).collect())
        }
        other => Value::from(other.to_string()),
    }
}

/// The most groups around a value.
fn height(schema: &Type) -> usize {
    // A stack instead of a call for each level, since nobody knows yet how many there are.
    let (mut open, mut height) = (vec![(schema, 1)], 0);
    while let Some((schema, level)) = open.pop() {
        height = height.max(level);
        if schema.is_group() {
            open.extend(schema.get_fields().iter().map(|field| (&**field, level + 1)));
        }
    }
    height
}
