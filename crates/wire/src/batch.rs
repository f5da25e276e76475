//! Batches of requests: <https://platform.openai.com/docs/api-reference/batch/object> (read 2026-11-26).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ServiceError;
use crate::id::{BatchId, FileId};
use crate::lenient::{Extra, soft, text, whole, whole_or_zero};
use crate::open::open_enum;

open_enum! {
    /// How far a batch has come.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::BatchStatus;
    ///
    /// let status = BatchStatus::from("canceled");
    /// assert_eq!((&status, status.as_str()), (&BatchStatus::Cancelled, "cancelled"));
    /// assert!(status.is_terminal() && !BatchStatus::InProgress.is_terminal());
    /// ```
    BatchStatus {
        /// Its file is checked.
        Validating = "validating",
        /// Its file cannot be used.
        Failed = "failed",
        /// Its requests are answered.
        InProgress = "in_progress",
        /// Its answers are written together.
        Finalizing = "finalizing",
        /// It came to its end.
        Completed = "completed",
        /// It was not done in time; what was done is there.
        Expired = "expired",
        /// It is being stopped.
        Cancelling = "cancelling",
        /// It was stopped; what was done is there.
        Cancelled = "cancelled" | "canceled",
    }
}

impl BatchStatus {
    /// Whether the state does not change any more.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Failed | Self::Completed | Self::Expired | Self::Cancelled)
    }
}

/// A request to answer the requests of a file: <https://platform.openai.com/docs/api-reference/batch/create>.
///
/// # Examples
///
/// ```
/// let request: wire::CreateBatch = serde_json::from_str(
///     r#"{"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}"#,
/// )?;
/// assert_eq!(request.input_file_id.as_str(), "file-1");
/// assert!(serde_json::from_str::<wire::CreateBatch>("{}").is_err(), "requests are read strictly");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateBatch {
    /// The uploaded file, one [`BatchRequest`] a line.
    pub input_file_id: FileId,
    /// The path that all its requests go to, such as `/v1/chat/completions`.
    pub endpoint: String,
    /// How long it may take; `24h` is the only value.
    pub completion_window: String,
    /// Up to 16 pairs of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A batch as the service knows it.
///
/// # Examples
///
/// ```
/// use wire::{Batch, BatchStatus};
///
/// let batch: Batch = serde_json::from_str(
///     r#"{"id": "batch_1", "status": "completed", "output_file_id": "file-2", "error_file_id": null,
///         "request_counts": {"total": 90, "completed": 88, "failed": 2}}"#,
/// )?;
/// assert_eq!(batch.status, BatchStatus::Completed);
/// assert_eq!(batch.request_counts.map(|counts| counts.failed), Some(2));
/// assert!(batch.error_file_id.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Always `batch`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// The path that its requests go to.
    #[serde(default, deserialize_with = "soft")]
    pub endpoint: String,
    /// What is wrong with its file.
    #[serde(default, deserialize_with = "soft")]
    pub errors: Option<BatchErrors>,
    /// The file of its requests.
    #[serde(default, deserialize_with = "soft")]
    pub input_file_id: Option<FileId>,
    /// How long it may take.
    #[serde(default, deserialize_with = "soft")]
    pub completion_window: String,
    /// How far it has come.
    #[serde(default = "validating", deserialize_with = "status")]
    pub status: BatchStatus,
    /// The file of the answers.
    #[serde(default, deserialize_with = "soft")]
    pub output_file_id: Option<FileId>,
    /// The file of the requests that were not answered.
    #[serde(default, deserialize_with = "soft")]
    pub error_file_id: Option<FileId>,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// When it will not be gone on with, in seconds since 1970.
    #[serde(default, deserialize_with = "whole")]
    pub expires_at: Option<i64>,
    /// How many of its requests are done.
    #[serde(default, deserialize_with = "soft")]
    pub request_counts: Option<BatchCounts>,
    /// The caller's own pairs.
    #[serde(default, deserialize_with = "soft")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

fn validating() -> BatchStatus {
    BatchStatus::Validating
}

/// A status that is missing or no text is one that nothing is known of.
fn status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BatchStatus, D::Error> {
    Ok(text(deserializer)?.map_or_else(validating, |text| BatchStatus::from(text.as_str())))
}

/// What is wrong with a batch's file.
///
/// # Examples
///
/// ```
/// let errors: wire::BatchErrors = serde_json::from_str(
///     r#"{"object": "list", "data": [{"code": "invalid_json_line", "message": "not JSON", "line": 3}]}"#,
/// )?;
/// assert_eq!(errors.data[0].code.as_deref(), Some("invalid_json_line"));
/// assert_eq!(errors.data[0].extra["line"], 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchErrors {
    /// One error a line at fault.
    #[serde(default, deserialize_with = "soft")]
    pub data: Vec<ServiceError>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How many requests of a batch are done.
///
/// # Examples
///
/// ```
/// let counts: wire::BatchCounts = serde_json::from_str(r#"{"total": 90, "completed": 88.0}"#)?;
/// assert_eq!(counts, wire::BatchCounts { total: 90, completed: 88, failed: 0 });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCounts {
    /// All of them.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub total: u64,
    /// Those that were answered.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub completed: u64,
    /// Those that failed.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub failed: u64,
}

/// A line of a batch's input.
///
/// # Examples
///
/// ```
/// use wire::{BatchRequest, ChatMessage, ChatRequest, Role};
///
/// let body = ChatRequest::new("ft:m", vec![ChatMessage::new(Role::User, "Why the fever?")]);
/// let url = "/v1/chat/completions".to_owned();
/// let line = BatchRequest { custom_id: "q-17".to_owned(), method: "POST".to_owned(), url, body };
/// let text = serde_json::to_string(&line)?;
/// assert_eq!(serde_json::from_str::<BatchRequest<ChatRequest>>(&text)?, line);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchRequest<B> {
    /// What its asker calls it; no two of a batch alike.
    pub custom_id: String,
    /// Always `POST`.
    pub method: String,
    /// The batch's endpoint.
    pub url: String,
    /// The request itself.
    pub body: B,
}

/// A line of a batch's output or of its errors.
///
/// # Examples
///
/// ```
/// let line: wire::BatchLine = serde_json::from_str(
///     r#"{"custom_id": "q-17", "response": null, "error": {"code": "batch_expired", "message": "not in time"}}"#,
/// )?;
/// assert!(line.response.is_none());
/// assert_eq!(line.error.and_then(|error| error.code).as_deref(), Some("batch_expired"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchLine {
    /// What its asker calls the request.
    pub custom_id: String,
    /// The answer, where there was one.
    #[serde(default, deserialize_with = "soft")]
    pub response: Option<BatchResponse>,
    /// Why there was none.
    #[serde(default, deserialize_with = "soft")]
    pub error: Option<ServiceError>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a request of a batch was answered with.
///
/// # Examples
///
/// ```
/// use wire::{BatchLine, BatchResponse, ChatCompletion};
///
/// let line: BatchLine = serde_json::from_str(
///     r#"{"custom_id": "q-17", "response": {"status_code": 200, "request_id": "req-1",
///         "body": {"choices": [{"message": {"content": "An infection."}}]}}}"#,
/// )?;
/// let Some(BatchResponse { status_code: 200, body, .. }) = line.response else { panic!("it was answered") };
/// let completion: ChatCompletion = serde_json::from_value(body)?;
/// assert_eq!(completion.choices[0].message.text(), "An infection.");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchResponse {
    /// The HTTP status.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub status_code: u16,
    /// The request's id at the service.
    #[serde(default, deserialize_with = "text")]
    pub request_id: Option<String>,
    /// The body, as the endpoint answers.
    #[serde(default)]
    pub body: Value,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}
