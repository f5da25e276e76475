//! One record, parsed and checked.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use template::Parts;

use crate::frame::Row;
use crate::table::Columns;
use crate::{FieldNames, Place, Reason, Rejection};

/// A good record: three texts that each hold more than white space, unmodified.
///
/// # Examples
///
/// ```
/// use dataset::{Place, Record};
/// use template::Template;
///
/// let record = Record {
///     place: Place::default(),
///     question: "What causes scurvy?".to_owned(),
///     reasoning: "Collagen needs ascorbate.".to_owned(),
///     response: "A lack of vitamin C.".to_owned(),
/// };
/// assert_eq!(Template::Plain.render(&record.parts())?, "Collagen needs ascorbate.\n\nA lack of vitamin C.");
/// let elsewhere = Record { place: Place { index: 9, line: 10, offset: 4096 }, ..record.clone() };
/// assert_eq!(record.content_hash(), elsewhere.content_hash());
/// # Ok::<(), template::RenderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it starts in its input.
    pub place: Place,
    /// The question.
    pub question: String,
    /// The reasoning that leads to the response.
    pub reasoning: String,
    /// The response.
    pub response: String,
}

impl Record {
    /// A name for the record's content, wherever it stands.
    ///
    /// It is the first 16 bytes of the SHA-256 of the three texts.
    pub fn content_hash(&self) -> ContentHash {
        ContentHash::of(&[&self.question, &self.reasoning, &self.response])
    }

    /// The three texts as a template takes them.
    pub fn parts(&self) -> Parts<'_> {
        Parts { question: &self.question, reasoning: &self.reasoning, response: &self.response }
    }
}

/// The name of a record's content; it prints as 32 hexadecimal digits.
///
/// # Examples
///
/// ```
/// use dataset::{ContentHash, Place, Record};
///
/// let [question, reasoning, response] = ["Why?", "Because.", "So."].map(str::to_owned);
/// let record = Record { place: Place::default(), question, reasoning, response };
/// let hash = record.content_hash();
/// assert_eq!(hash, record.clone().content_hash());
/// assert_eq!(hash.to_string().len(), 32);
/// // It can be kept as bytes.
/// assert_eq!(ContentHash::from_bytes(hash.to_bytes()), hash);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(u128);

impl ContentHash {
    pub(crate) fn of(texts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for text in texts {
            // The length keeps the borders between the texts apart from the texts.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self::from_bytes(first)
    }

    /// The name that [`to_bytes`](Self::to_bytes) gave the bytes of.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The bytes of the name, in the order in which it prints.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Parses the JSON text `bytes` of the record at `place`.
pub(crate) fn parse(bytes: &[u8], place: Place, names: &FieldNames) -> Result<Record, Rejection> {
    let reject = |reason| Rejection::of_record(place, reason);
    let text = std::str::from_utf8(bytes).map_err(|_| reject(Reason::NotUtf8))?;
    if !text.starts_with('{') {
        let malformed = serde_json::from_str::<IgnoredAny>(text).is_err();
        return Err(reject(if malformed { malformation(text) } else { Reason::NotAnObject }));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = FieldsSeed(names).deserialize(&mut deserializer);
    let fields = fields.and_then(|fields| deserializer.end().map(|()| fields));
    check(fields.map_err(|_| reject(malformation(text)))?, place, names)
}

/// Parses the JSON text `bytes` of any record.
pub(crate) fn parse_value(bytes: &[u8]) -> Result<serde_json::Value, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
    serde_json::from_str(text).map_err(|_| malformation(text))
}

/// Checks the cells of the `row` at `place`, of which `columns` hold the fields.
pub(crate) fn from_row(row: Row<'_>, place: Place, columns: &Columns) -> Result<Record, Rejection> {
    let mut texts = [const { String::new() }; 3];
    for (text, column) in texts.iter_mut().zip(columns) {
        let name = column.as_ref().map(|(_, name)| name.clone());
        let cell = column.as_ref().and_then(|(column, _)| row.cell(*column));
        let found = match cell.map(std::str::from_utf8) {
            None => Err(Reason::MissingField),
            Some(Err(_)) => Err(Reason::NotUtf8),
            Some(Ok(cell)) => check_text(Cow::Borrowed(cell)),
        };
        *text = found.map_err(|reason| Rejection { place, reason, field: name })?;
    }
    let [question, reasoning, response] = texts;
    Ok(Record { place, question, reasoning, response })
}

/// What a column holds in one row.
#[derive(Debug)]
pub(crate) enum Cell {
    /// Text.
    Text(String),
    /// Nothing.
    Null,
    /// Bytes that are no text.
    NotUtf8,
    /// Something else than text.
    Other,
    /// There is no such column.
    Missing,
}

/// Checks the cells of the row at `place`, each with its column's name.
pub(crate) fn from_cells(
    row: [(Cell, Option<String>); 3],
    place: Place,
) -> Result<Record, Rejection> {
    let mut texts = [const { String::new() }; 3];
    for (text, (cell, name)) in texts.iter_mut().zip(row) {
        let found = match cell {
            Cell::Text(cell) => check_text(Cow::Owned(cell)),
            Cell::Null => Err(Reason::NullField),
            Cell::NotUtf8 => Err(Reason::NotUtf8),
            Cell::Other => Err(Reason::NotText),
            Cell::Missing => Err(Reason::MissingField),
        };
        *text = found.map_err(|reason| Rejection { place, reason, field: name })?;
    }
    let [question, reasoning, response] = texts;
    Ok(Record { place, question, reasoning, response })
}

/// What was found under a field's name.
#[derive(Debug)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Null,
    Other,
}

/// A field's value, how far back in the list of names its name stands, and whether that name came twice.
#[derive(Debug)]
struct Found<'a> {
    value: Value<'a>,
    rank: usize,
    repeated: bool,
}

type Fields<'a> = [Option<Found<'a>>; 3];

fn check(fields: Fields<'_>, place: Place, names: &FieldNames) -> Result<Record, Rejection> {
    let mut texts = [const { String::new() }; 3];
    for ((text, found), names) in texts.iter_mut().zip(fields).zip(names.lists()) {
        let rank = found.as_ref().map_or(0, |found| found.rank);
        *text = check_field(found).map_err(|reason| {
            let field = names.get(rank).cloned();
            Rejection { place, reason, field }
        })?;
    }
    let [question, reasoning, response] = texts;
    Ok(Record { place, question, reasoning, response })
}

fn check_field(found: Option<Found<'_>>) -> Result<String, Reason> {
    let found = found.ok_or(Reason::MissingField)?;
    if found.repeated {
        return Err(Reason::RepeatedField);
    }
    match found.value {
        Value::Null => Err(Reason::NullField),
        Value::Other => Err(Reason::NotText),
        Value::Text(text) => check_text(text),
    }
}

fn check_text(text: Cow<'_, str>) -> Result<String, Reason> {
    if text.is_empty() {
        Err(Reason::EmptyField)
    } else if text.trim().is_empty() {
        Err(Reason::BlankField)
    } else {
        Ok(text.into_owned())
    }
}

/// Tells a lone surrogate, which Python writes and reads without complaint, from other malformed JSON.
fn malformation(text: &str) -> Reason {
    let bytes = text.as_bytes();
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(hex, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => return Reason::LoneSurrogate,
            // An escape of one character; the next byte may be a backslash that escapes nothing.
            _ => at = (at + 2).min(bytes.len()),
        }
    }
    Reason::MalformedJson
}

/// Reads the three fields out of an object and passes over the others.
struct FieldsSeed<'n>(&'n FieldNames);

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_> {
    type Value = Fields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = [None, None, None];
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let Some((field, rank)) = self.0.find(&key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value::<Value<'de>>()?;
            let known: &mut Option<Found<'de>> = &mut fields[field];
            match known {
                Some(found) if found.rank == rank => found.repeated = true,
                Some(found) if found.rank < rank => {}
                _ => *known = Some(Found { value, rank, repeated: false }),
            }
        }
        Ok(fields)
    }
}

/// A key, borrowed where it holds no escape.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Value<'de>, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value<'de>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> String {
        let names = FieldNames {
            response: vec!["Response".to_owned(), "answer".to_owned()],
            ..FieldNames::default()
        };
        match parse(json.as_bytes(), Place::default(), &names) {
            Ok(record) => {
                format!("{} | {} | {}", record.question, record.reasoning, record.response)
            }
            Err(Rejection { reason, field: Some(field), .. }) => {
                format!("{field}: {}", reason.code())
            }
            Err(Rejection { reason, .. }) => reason.code().to_owned(),
        }
    }

    #[test]
    fn texts_come_through_unmodified() {
        insta::assert_snapshot!(
            check(r#"{"id": 1, "Question": "q\u00e9  ", "Complex_CoT": "c \ud83d\ude00", "Response": "r\t.", "z": [{}]}"#),
            @"qé   | c 😀 | r	."
        );
    }

    #[test]
    fn a_field_at_fault_is_named() {
        let response = |value: &str| {
            check(&format!(r#"{{"Question": "q", "Complex_CoT": "c", "Response": {value}}}"#))
        };
        assert_eq!(response("null"), "Response: null_field");
        assert_eq!(response(r#""""#), "Response: empty_field");
        assert_eq!(response(r#"" \u00a0\n""#), "Response: blank_field");
        for other in ["7", "-7", "0.5", "true", "[\"r\"]", "{\"r\": 1}"] {
            assert_eq!(response(other), "Response: not_text", "{other}");
        }
        assert_eq!(response(r#""r", "Response": "s""#), "Response: repeated_field");
        assert_eq!(check(r#"{"Question": "q", "Response": "r"}"#), "Complex_CoT: missing_field");
    }

    #[test]
    fn the_name_that_stands_first_in_the_list_wins() {
        let with =
            |rest: &str| check(&format!(r#"{{"Question": "q", "Complex_CoT": "c", {rest}}}"#));
        assert_eq!(with(r#""answer": "a""#), "q | c | a");
        assert_eq!(with(r#""answer": "a", "Response": "r""#), "q | c | r");
        assert_eq!(with(r#""Response": "r", "answer": 1"#), "q | c | r");
        assert_eq!(with(r#""answer": null"#), "answer: null_field");
    }

    #[test]
    fn what_is_no_record_is_told_apart() {
        assert_eq!(check("[1]"), "not_an_object");
        assert_eq!(check("nul"), "malformed_json");
        assert_eq!(check(r#"{"Question": "q",}"#), "malformed_json");
        assert_eq!(check(r#"{"Question": "\ud83d"}"#), "lone_surrogate");
        assert_eq!(check(r#"{"Question": "\ud83d\ude00\udE00"}"#), "lone_surrogate");
        assert_eq!(check(r#"{"Question": "\\ud83d" x}"#), "malformed_json");
        let bytes = b"{\"Question\": \"\xff\"}";
        let rejection = parse(bytes, Place::default(), &FieldNames::default()).unwrap_err();
        assert_eq!(rejection.reason, Reason::NotUtf8);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, tail in "[{}\\[\\]\",:\\\\ua-f0-9]*") {
            let names = FieldNames::default();
            let _ = parse(&bytes, Place::default(), &names);
            let _ = parse(format!("{{\"Question\":{tail}").as_bytes(), Place::default(), &names);
        }
    }
}
