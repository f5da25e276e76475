//! Refusals: <https://platform.openai.com/docs/guides/error-codes/api-errors>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lenient::{Extra, as_text, text};

/// The body of an answer that refuses: `{"error": {...}}`.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use wire::ErrorBody;
///
/// let body = br#"{"error": {"message": "no such model", "type": "not_found", "code": "model_not_found"}}"#;
/// let error = ErrorBody::read(body).expect("it names a reason");
/// assert_eq!(error.code.as_deref(), Some("model_not_found"));
/// // Other servers refuse in other shapes.
/// let detail = json!({"detail": [{"loc": ["body", "seed"], "msg": "not a number"}]});
/// assert_eq!(ErrorBody::read_value(&detail).map(|error| error.message).as_deref(), Some("not a number"));
/// assert!(ErrorBody::read(b"<html>502 Bad Gateway</html>").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What was refused and why.
    pub error: ServiceError,
}

/// What a service says when it refuses a request.
///
/// # Examples
///
/// ```
/// use wire::{ErrorBody, ServiceError};
///
/// let error = ServiceError::with_message("the context is too long");
/// let body = serde_json::to_value(ErrorBody { error: error.clone() })?;
/// assert_eq!(body["error"]["message"], "the context is too long");
/// assert_eq!(ErrorBody::read_value(&body), Some(error));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceError {
    /// Words for a person; empty where the service gave none.
    #[serde(default, deserialize_with = "crate::lenient::soft")]
    pub message: String,
    /// The kind, such as `invalid_request_error`.
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub kind: Option<String>,
    /// The field of the request at fault.
    #[serde(default, deserialize_with = "text")]
    pub param: Option<String>,
    /// A code for programs, such as `model_not_found`; numbers are read as text.
    #[serde(default, deserialize_with = "text")]
    pub code: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ErrorBody {
    /// Reads a refusal out of any body that a service or a proxy before it may send.
    ///
    /// `None` where the `body` is no JSON object or names no reason; it may then hold anything, and should not be
    /// shown.
    pub fn read(body: &[u8]) -> Option<ServiceError> {
        let value: Value = serde_json::from_slice(body).ok()?;
        Self::read_value(&value)
    }

    /// Reads a refusal out of a JSON value; see [`ErrorBody::read`].
    pub fn read_value(value: &Value) -> Option<ServiceError> {
        let object = value.as_object()?;
        match object.get("error") {
            Some(Value::String(message)) => return Some(ServiceError::with_message(message)),
            Some(error @ Value::Object(_)) => return serde_json::from_value(error.clone()).ok(),
            _ => {}
        }
        if let Some(detail) = object.get("detail") {
            return Some(ServiceError::with_message(&detail_text(detail)));
        }
        let is_error = object.get("object").and_then(Value::as_str) == Some("error");
        (is_error || object.get("message").is_some_and(Value::is_string))
            .then(|| serde_json::from_value(value.clone()).ok())
            .flatten()
    }
}

impl ServiceError {
    /// An error that holds nothing but a message.
    pub fn with_message(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }
}

/// `FastAPI` sends either a text or a list of `{loc, msg, type}`; the input that it may echo is left out.
fn detail_text(detail: &Value) -> String {
    match detail {
        Value::Array(items) => {
            let messages: Vec<&str> =
                items.iter().filter_map(|item| item.get("msg").and_then(Value::as_str)).collect();
            messages.join("; ")
        }
        other => as_text(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> String {
        match ErrorBody::read(body.as_bytes()) {
            Some(error) => {
                format!("{:?} {:?} {:?} {:?}", error.message, error.kind, error.param, error.code)
            }
            None => "none".to_owned(),
        }
    }

    #[test]
    fn every_known_shape_of_a_refusal_is_read() {
        let openai = r#"{"error":{"message":"no","type":"invalid_request_error","param":"model","code":"training_not_available"}}"#;
        insta::assert_snapshot!(check(openai), @r#""no" Some("invalid_request_error") Some("model") Some("training_not_available")"#);
        insta::assert_snapshot!(check(r#"{"error":{"message":"no","code":404}}"#), @r#""no" None None Some("404")"#);
        insta::assert_snapshot!(check(r#"{"error":"no"}"#), @r#""no" None None None"#);
        insta::assert_snapshot!(check(r#"{"detail":"Not Found"}"#), @r#""Not Found" None None None"#);
        insta::assert_snapshot!(check(r#"{"detail":[{"loc":["body"],"msg":"field required","input":"a record"}]}"#), @r#""field required" None None None"#);
        insta::assert_snapshot!(check(r#"{"object":"error","message":"no","code":40301}"#), @r#""no" None None Some("40301")"#);
        insta::assert_snapshot!(check(r#"{"message":"Forbidden"}"#), @r#""Forbidden" None None None"#);
    }

    #[test]
    fn what_names_no_reason_is_no_refusal() {
        for body in
            ["", "<html>502</html>", "null", "[]", "{}", r#"{"error":null}"#, r#"{"id":"x"}"#]
        {
            assert_eq!(check(body), "none", "{body}");
        }
    }
}
