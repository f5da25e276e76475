use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Fields that the types here do not name, kept in the order in which they came.
///
/// # Examples
///
/// ```
/// let model: wire::Model = serde_json::from_str(r#"{"id": "m", "quantization": "Q8_0"}"#)?;
/// let extra: &wire::Extra = &model.extra;
/// assert_eq!(extra["quantization"], "Q8_0");
/// assert_eq!(serde_json::to_value(&model)?["quantization"], "Q8_0");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub type Extra = serde_json::Map<String, Value>;

/// Reads a value of any shape; one that is no `T` reads as the default.
pub(crate) fn soft<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Reads a whole number, also one written as `3.0`; anything else reads as absent.
pub(crate) fn whole<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let value = Value::deserialize(deserializer)?;
    Ok(as_whole(&value).and_then(|number| T::try_from(number).ok()))
}

/// Reads a whole number as [`whole`] does; anything else reads as zero.
pub(crate) fn whole_or_zero<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64> + Default,
{
    Ok(whole(deserializer)?.unwrap_or_default())
}

/// Reads a text or a number as text; anything else reads as absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(as_text(&Value::deserialize(deserializer)?))
}

pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The largest whole number that every double up to it is exact for.
const EXACT_IN_F64: f64 = 9_007_199_254_740_992.0;

pub(crate) fn as_whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().and_then(whole_of))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked in the line before")]
fn whole_of(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT_IN_F64).then_some(number as i64)
}
