//! What can be wrong with a model's name or a price table.

/// Why a model has no encoding, or a price table cannot be used.
///
/// # Examples
///
/// ```
/// use tokens::{Encoding, Error};
///
/// let error = Encoding::for_model("smollm2").unwrap_err();
/// assert!(matches!(&error, Error::UnknownModel { model } if model == "smollm2"));
/// assert_eq!(error.to_string(), "no encoding is known for model `smollm2`");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No encoding is known for the model; the caller can name one, or count with the model's own tokenizer.
    #[error("no encoding is known for model `{model}`")]
    UnknownModel {
        /// The model as it was asked for.
        model: String,
    },
    /// There is no encoding of that name.
    #[error("no encoding is named `{name}`")]
    UnknownEncoding {
        /// The name as it was asked for.
        name: String,
    },
    /// A day is not written as `YYYY-MM-DD`, or is not in the calendar.
    #[error("`{text}` is not a day written YYYY-MM-DD")]
    Day {
        /// The text that should have been a day.
        text: String,
    },
    /// A price table is not TOML of the expected shape.
    #[error("the price table cannot be read: {message}")]
    PriceTable {
        /// What the TOML reader found wrong, with its line.
        message: String,
    },
    /// A price table has a format version that this program does not know.
    #[error("the price table has version {found}, expected {expected}")]
    PriceTableVersion {
        /// The version in the table.
        found: u32,
        /// The version that is read here.
        expected: u32,
    },
    /// A row of a price table makes no sense.
    #[error("price table: model `{model}`: `{field}` {problem}")]
    PriceRow {
        /// The row's model.
        model: String,
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}
