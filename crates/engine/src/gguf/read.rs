//! Reading the head of a GGUF file, with every length checked first.

use std::collections::BTreeMap;
use std::ops::Range;

use super::kinds::{
    ARRAY, BOOL, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, STRING, UINT8, UINT16, UINT32, UINT64,
};
use super::{Gguf, GgufError, TensorPlace, Value};
use crate::quant::TensorType;

/// The least bytes of a metadata entry: key length, type, one-byte value.
const LEAST_ENTRY: usize = 8 + 4 + 1;
/// The least bytes of a tensor's description: name length, dimension count, one dimension, type, offset.
const LEAST_TENSOR: usize = 8 + 4 + 8 + 4 + 8;
/// Where the file does not say otherwise.
const ALIGNMENT: u64 = 32;

type Metadata = BTreeMap<String, Value>;
type Spans = BTreeMap<String, Range<usize>>;

/// Reads the head of the whole file `bytes`.
pub(super) fn head(bytes: &[u8]) -> Result<Gguf, GgufError> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.take(4, "the first four bytes").ok() != Some(b"GGUF") {
        return Err(GgufError::NotGguf);
    }
    let version = cursor.u32("the version")?;
    if !(2..=3).contains(&version) {
        return Err(GgufError::Version(version));
    }
    let tensor_count = cursor.count("the number of tensors", LEAST_TENSOR)?;
    let entry_count = cursor.count("the number of metadata entries", LEAST_ENTRY)?;
    let (metadata, spans) = metadata(&mut cursor, entry_count)?;
    let descriptions =
        (0..tensor_count).map(|_| Description::read(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
    let alignment = match metadata.get("general.alignment") {
        Some(Value::Integer(value)) => u64::try_from(*value).unwrap_or(0),
        _ => ALIGNMENT,
    };
    if !alignment.is_power_of_two() || alignment > 65_536 {
        return Err(GgufError::Alignment(alignment));
    }
    let data_start = (cursor.at as u64).next_multiple_of(alignment);
    let mut tensors = BTreeMap::new();
    for description in descriptions {
        let place = description.place(data_start, alignment, bytes.len())?;
        if tensors.insert(description.name.clone(), place).is_some() {
            return Err(GgufError::Duplicate(description.name));
        }
    }
    Ok(Gguf { metadata, spans, tensors })
}

/// The metadata, and where each value with its type lies in the file.
fn metadata(cursor: &mut Cursor<'_>, count: usize) -> Result<(Metadata, Spans), GgufError> {
    let (mut metadata, mut spans) = (Metadata::new(), Spans::new());
    for _ in 0..count {
        let key = cursor.text("a metadata key")?;
        let start = cursor.at;
        let kind = cursor.u32("a metadata type")?;
        let value = value(cursor, kind, &key)?;
        spans.insert(key.clone(), start..cursor.at);
        if metadata.insert(key.clone(), value).is_some() {
            return Err(GgufError::Duplicate(key));
        }
    }
    Ok((metadata, spans))
}

fn value(cursor: &mut Cursor<'_>, kind: u32, key: &str) -> Result<Value, GgufError> {
    Ok(match kind {
        FLOAT32 | FLOAT64 => Value::Float(float(cursor, kind)?),
        BOOL => Value::Bool(integer(cursor, kind)? != 0),
        STRING => Value::Text(cursor.text("a metadata text")?),
        ARRAY => array(cursor, key)?,
        _ if integer_bytes(kind).is_some() => Value::Integer(integer(cursor, kind)?),
        _ => return Err(GgufError::ValueType { key: key.to_owned(), kind }),
    })
}

fn array(cursor: &mut Cursor<'_>, key: &str) -> Result<Value, GgufError> {
    const WHAT: &str = "the length of a metadata array";
    let kind = cursor.u32("the type of a metadata array")?;
    match kind {
        FLOAT32 | FLOAT64 => {
            let count = cursor.count(WHAT, if kind == FLOAT32 { 4 } else { 8 })?;
            (0..count).map(|_| float(cursor, kind)).collect::<Result<_, _>>().map(Value::Floats)
        }
        STRING => {
            let count = cursor.count(WHAT, 8)?;
            (0..count)
                .map(|_| cursor.text("a text in a metadata array"))
                .collect::<Result<_, _>>()
                .map(Value::Texts)
        }
        ARRAY => Err(GgufError::NestedArray(key.to_owned())),
        _ => {
            let Some(width) = integer_bytes(kind) else {
                return Err(GgufError::ValueType { key: key.to_owned(), kind });
            };
            let count = cursor.count(WHAT, width)?;
            (0..count).map(|_| integer(cursor, kind)).collect::<Result<_, _>>().map(Value::Integers)
        }
    }
}

fn integer_bytes(kind: u32) -> Option<usize> {
    match kind {
        UINT8 | INT8 | BOOL => Some(1),
        UINT16 | INT16 => Some(2),
        UINT32 | INT32 => Some(4),
        UINT64 | INT64 => Some(8),
        _ => None,
    }
}

fn integer(cursor: &mut Cursor<'_>, kind: u32) -> Result<i64, GgufError> {
    const WHAT: &str = "a metadata number";
    Ok(match kind {
        INT8 => i64::from(i8::from_le_bytes(cursor.array(WHAT)?)),
        UINT16 => i64::from(u16::from_le_bytes(cursor.array(WHAT)?)),
        INT16 => i64::from(i16::from_le_bytes(cursor.array(WHAT)?)),
        UINT32 => i64::from(u32::from_le_bytes(cursor.array(WHAT)?)),
        INT32 => i64::from(i32::from_le_bytes(cursor.array(WHAT)?)),
        UINT64 => i64::try_from(u64::from_le_bytes(cursor.array(WHAT)?)).unwrap_or(i64::MAX),
        INT64 => i64::from_le_bytes(cursor.array(WHAT)?),
        _ => i64::from(u8::from_le_bytes(cursor.array(WHAT)?)),
    })
}

fn float(cursor: &mut Cursor<'_>, kind: u32) -> Result<f64, GgufError> {
    const WHAT: &str = "a metadata number";
    if kind == FLOAT32 {
        Ok(f64::from(f32::from_le_bytes(cursor.array(WHAT)?)))
    } else {
        Ok(f64::from_le_bytes(cursor.array(WHAT)?))
    }
}

/// A tensor as the head describes it.
struct Description {
    name: String,
    /// GGUF's order: the fastest dimension first.
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Description {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let name = cursor.text("a tensor's name")?;
        let dimensions = cursor.u32("a tensor's dimension count")?;
        if !(1..=4).contains(&dimensions) {
            return Err(GgufError::Dimensions { name, dimensions });
        }
        let dimensions =
            (0..dimensions).map(|_| cursor.u64("a tensor's shape")).collect::<Result<_, _>>()?;
        let kind = cursor.u32("a tensor's type")?;
        let offset = cursor.u64("a tensor's offset")?;
        Ok(Self { name, dimensions, kind, offset })
    }

    /// The tensor's place in a file of `file_len` bytes whose data begin at `data_start`.
    fn place(
        &self,
        data_start: u64,
        alignment: u64,
        file_len: usize,
    ) -> Result<TensorPlace, GgufError> {
        let Some(kind) = tensor_type(self.kind) else {
            return Err(GgufError::TensorType { name: self.name.clone(), kind: self.kind });
        };
        let impossible = || GgufError::Shape(self.name.clone());
        let dimensions =
            self.dimensions.iter().map(|n| usize::try_from(*n).map_err(|_| impossible()));
        let shape: Vec<usize> = dimensions.rev().collect::<Result<_, _>>()?;
        let count = shape
            .iter()
            .try_fold(1_usize, |product, n| product.checked_mul(*n))
            .ok_or_else(impossible)?;
        let row = *shape.last().expect("there is at least one dimension");
        if count == 0 || !row.is_multiple_of(kind.block_len()) {
            return Err(impossible());
        }
        let size = kind.bytes_of(count).ok_or_else(impossible)?;
        if !self.offset.is_multiple_of(alignment) {
            return Err(GgufError::Unaligned(self.name.clone()));
        }
        let beyond = || GgufError::BeyondEnd(self.name.clone());
        let start =
            data_start.checked_add(self.offset).and_then(|start| usize::try_from(start).ok());
        let start = start.ok_or_else(beyond)?;
        let end = start.checked_add(size).filter(|end| *end <= file_len).ok_or_else(beyond)?;
        Ok(TensorPlace { kind, shape, range: start..end })
    }
}

/// The supported storage type of ggml's number.
fn tensor_type(number: u32) -> Option<TensorType> {
    use TensorType::{Bf16, F16, F32, Q4_0, Q4_1, Q4K, Q6K, Q8_0};
    [F32, F16, Bf16, Q8_0, Q4_0, Q4_1, Q4K, Q6K]
        .into_iter()
        .find(|kind| kind.ggml_number() == number)
}

/// Reads forward through the bytes and never beyond them.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], GgufError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(GgufError::Truncated(what))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        Ok(self.take(N, what)?.try_into().expect("exactly N bytes were taken"))
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A count of things that take at least `least_bytes` each, checked against what is left of the file.
    fn count(&mut self, what: &'static str, least_bytes: usize) -> Result<usize, GgufError> {
        let count = self.u64(what)?;
        let most = (self.bytes.len() - self.at) / least_bytes;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= most)
            .ok_or(GgufError::TooMany { what, count })
    }

    fn text(&mut self, what: &'static str) -> Result<String, GgufError> {
        let length = self.count(what, 1)?;
        let bytes = self.take(length, what)?;
        Ok(std::str::from_utf8(bytes).map_err(|_| GgufError::Text(what))?.to_owned())
    }
}
