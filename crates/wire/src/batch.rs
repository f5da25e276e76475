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
