//! Models and deletions: <https://platform.openai.com/docs/api-reference/models/object>.

use serde::{Deserialize, Serialize};

use crate::lenient::{Extra, soft, text, whole_or_zero};

/// A model that can be asked or trained.
///
/// # Examples
///
/// ```
/// use wire::Model;
///
/// let told: Model = serde_json::from_str(r#"{"id": "gpt-4.1-mini", "shutdown_date": "2027-01-14"}"#)?;
/// assert_eq!(told.shutdown_date.as_deref(), Some("2027-01-14"));
/// let made = Model::new("smollm2-135m-instruct", "medtune", 1_764_000_000);
/// assert_eq!(serde_json::to_value(&made)?["object"], "model");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its id.
    pub id: String,
    /// Always `model`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created: i64,
    /// Whose it is.
    #[serde(default, deserialize_with = "soft")]
    pub owned_by: String,
    /// The day (`YYYY-MM-DD`) on which it stops answering; null where none is announced.
    #[serde(default, deserialize_with = "text")]
    pub shutdown_date: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Model {
    /// A model with an `id` that belongs to `owned_by`.
    pub fn new(id: impl Into<String>, owned_by: impl Into<String>, created: i64) -> Self {
        Self {
            id: id.into(),
            object: "model".to_owned(),
            created,
            owned_by: owned_by.into(),
            shutdown_date: None,
            extra: Extra::new(),
        }
    }
}

/// The answer to a deletion.
///
/// # Examples
///
/// ```
/// use wire::Deleted;
///
/// let told: Deleted = serde_json::from_str(r#"{"id": "file-1", "object": "file", "deleted": true}"#)?;
/// assert_eq!(told, Deleted::new("file-1", "file"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deleted {
    /// What was deleted.
    pub id: String,
    /// Its kind, such as `file`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// Whether it is gone.
    #[serde(default, deserialize_with = "soft")]
    pub deleted: bool,
}

impl Deleted {
    /// Says that the thing of kind `object` with this `id` is gone.
    pub fn new(id: impl Into<String>, object: impl Into<String>) -> Self {
        Self { id: id.into(), object: object.into(), deleted: true }
    }
}
