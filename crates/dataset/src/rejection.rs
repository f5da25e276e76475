//! Why a record is left out.

use std::fmt;

use serde::Serialize;

use crate::Place;

/// What is wrong with a record.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, Limits, Reader, Reason};
///
/// let json = r#"[{"Question": "Why?", "Complex_CoT": 7, "Response": "So."}, "no record", {"Question": " "}]"#;
/// let reasons = Reader::new(json.as_bytes(), Limits::default()).map(|entry| match entry {
///     Ok(Entry::Rejection(rejection)) => rejection.reason.code(),
///     other => panic!("a rejection is expected: {other:?}"),
/// });
/// assert_eq!(reasons.collect::<Vec<_>>(), ["not_text", "not_an_object", "blank_field"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A field is not there.
    MissingField,
    /// A field is `null`.
    NullField,
    /// A field is an empty string.
    EmptyField,
    /// A field holds white space only.
    BlankField,
    /// A field is a number, a list or another thing that is no string.
    NotText,
    /// A field stands in the record twice.
    RepeatedField,
    /// The record is no object.
    NotAnObject,
    /// The record is not JSON.
    MalformedJson,
    /// A string holds half of a UTF-16 surrogate pair, which is no character.
    LoneSurrogate,
    /// The record holds bytes that are not UTF-8.
    NotUtf8,
    /// The row has more or fewer cells than the table has columns.
    WrongColumns,
    /// The record says the same as an earlier one, but for case, white space and punctuation.
    Repeat,
    /// The record holds a problem of a benchmark.
    Contaminated,
    /// The record has more tokens than the model is trained on.
    Overlong,
    /// The record is longer than [`Limits::record_bytes`](crate::Limits::record_bytes).
    TooLarge,
    /// The record nests deeper than [`Limits::depth`](crate::Limits::depth).
    TooDeep,
}

impl Reason {
    /// The code that reports use, which does not change between versions.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingField => "missing_field",
            Self::NullField => "null_field",
            Self::EmptyField => "empty_field",
            Self::BlankField => "blank_field",
            Self::NotText => "not_text",
            Self::RepeatedField => "repeated_field",
            Self::NotAnObject => "not_an_object",
            Self::MalformedJson => "malformed_json",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NotUtf8 => "not_utf8",
            Self::WrongColumns => "wrong_columns",
            Self::Repeat => "repeat",
            Self::Contaminated => "contaminated",
            Self::Overlong => "overlong",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
        }
    }

    const fn predicate(self) -> &'static str {
        match self {
            Self::MissingField => "is missing",
            Self::NullField => "is null",
            Self::EmptyField => "is empty",
            Self::BlankField => "is blank",
            Self::NotText => "is not a string",
            Self::RepeatedField => "stands there twice",
            Self::NotAnObject => "is not an object",
            Self::MalformedJson => "is not valid JSON",
            Self::LoneSurrogate => "holds half of a surrogate pair",
            Self::NotUtf8 => "is not UTF-8",
            Self::WrongColumns => "has another number of cells than the first line",
            Self::Repeat => "repeats an earlier one",
            Self::Contaminated => "holds a problem of a benchmark",
            Self::Overlong => "has more tokens than the model is trained on",
            Self::TooLarge => "is too large",
            Self::TooDeep => "is nested too deep",
        }
    }
}

/// A record that is left out, by its place; never its text.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, Limits, Reader, Reason};
///
/// let json = r#"[{"Question": "Why?", "Complex_CoT": null, "Response": "So."}]"#;
/// let entry = Reader::new(json.as_bytes(), Limits::default()).next();
/// let Some(Ok(Entry::Rejection(rejection))) = entry else { panic!("a rejection is expected") };
/// assert_eq!(rejection.reason, Reason::NullField);
/// assert_eq!(rejection.field.as_deref(), Some("Complex_CoT"));
/// assert_eq!(rejection.to_string(), "index 0, line 1: field `Complex_CoT` is null");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Where the record starts.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong with it.
    pub reason: Reason,
    /// The name of the field at fault, where it is one field's.
    pub field: Option<String>,
}

impl Rejection {
    /// A rejection of the record as a whole.
    pub(crate) fn of_record(place: Place, reason: Reason) -> Self {
        Self { place, reason, field: None }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, reason, field } = self;
        match field {
            Some(field) => write!(f, "{place}: field `{field}` {}", reason.predicate()),
            None => write!(f, "{place}: the record {}", reason.predicate()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_name_that_reports_carry() {
        for reason in [Reason::MissingField, Reason::NotText, Reason::NotUtf8, Reason::TooDeep] {
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{}\"", reason.code()));
        }
    }
}
