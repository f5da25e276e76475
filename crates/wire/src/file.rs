//! Uploaded files: <https://platform.openai.com/docs/api-reference/files/object>.

use serde::{Deserialize, Serialize};

use crate::id::FileId;
use crate::lenient::{Extra, soft, text, whole, whole_or_zero};
use crate::open::open_enum;

open_enum! {
    /// What a file was uploaded for.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::Purpose;
    ///
    /// assert_eq!(Purpose::from("fine-tune"), Purpose::FineTune);
    /// assert_eq!(Purpose::BatchOutput.as_str(), "batch_output");
    /// ```
    Purpose {
        /// Examples to train on.
        FineTune = "fine-tune",
        /// What a finished job wrote, such as its metrics.
        FineTuneResults = "fine-tune-results",
        /// Requests of a batch.
        Batch = "batch",
        /// Answers of a batch.
        BatchOutput = "batch_output",
        /// Data of an evaluation.
        Evals = "evals",
        /// Files of assistants.
        Assistants = "assistants",
        /// Files that a user hands to a model.
        UserData = "user_data",
        /// Images to train on.
        Vision = "vision",
    }
}

open_enum! {
    /// Whether a file can be used; deprecated by the API, and still the only sign of readiness.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::FileStatus;
    ///
    /// assert_eq!(FileStatus::from("processed").as_str(), "processed");
    /// assert!(FileStatus::Error.is_terminal() && !FileStatus::Uploaded.is_terminal());
    /// ```
    FileStatus {
        /// It has arrived and is not checked yet.
        Uploaded = "uploaded",
        /// It can be used.
        Processed = "processed",
        /// It cannot be used; `status_details` says why.
        Error = "error",
        /// It was deleted.
        Deleted = "deleted",
    }
}

impl FileStatus {
    /// Whether the state does not change any more.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Processed | Self::Error | Self::Deleted)
    }
}

/// How long a file is kept: <https://platform.openai.com/docs/api-reference/files/create>.
///
/// # Examples
///
/// ```
/// let week = wire::ExpiresAfter::seconds(7 * 24 * 60 * 60);
/// assert_eq!(serde_json::to_string(&week)?, r#"{"anchor":"created_at","seconds":604800}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiresAfter {
    /// What the time counts from, always `created_at`.
    pub anchor: String,
    /// How many seconds later the file goes away.
    pub seconds: i64,
}

impl ExpiresAfter {
    /// A time of `seconds` from the file's creation.
    pub fn seconds(seconds: i64) -> Self {
        Self { anchor: "created_at".to_owned(), seconds }
    }
}

/// A file as the service knows it.
///
/// # Examples
///
/// ```
/// use wire::{FileObject, FileStatus, Purpose};
///
/// let told: FileObject = serde_json::from_str(
///     r#"{"id": "file-1", "bytes": 1024, "purpose": "fine-tune", "status": "error", "status_details": "no chat"}"#,
/// )?;
/// assert_eq!(told.status, Some(FileStatus::Error));
/// let made = FileObject::new("file-1".parse()?, "medical_train.jsonl", Purpose::FineTune, 1024, 1_764_000_000);
/// assert_eq!((made.purpose, made.status), (told.purpose, Some(FileStatus::Processed)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileObject {
    /// Its id.
    pub id: FileId,
    /// Always `file`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// Its size in bytes.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub bytes: u64,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// When it goes away, in seconds since 1970.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Its name, without a folder.
    #[serde(default, deserialize_with = "soft")]
    pub filename: String,
    /// What it was uploaded for.
    #[serde(default, deserialize_with = "soft")]
    pub purpose: Option<Purpose>,
    /// Whether it can be used.
    #[serde(default, deserialize_with = "soft")]
    pub status: Option<FileStatus>,
    /// Why it cannot be used.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub status_details: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl FileObject {
    /// A file that has just arrived and can be used.
    pub fn new(
        id: FileId,
        filename: impl Into<String>,
        purpose: Purpose,
        bytes: u64,
        created_at: i64,
    ) -> Self {
        Self {
            id,
            object: "file".to_owned(),
            bytes,
            created_at,
            expires_at: None,
            filename: filename.into(),
            purpose: Some(purpose),
            status: Some(FileStatus::Processed),
            status_details: None,
            extra: Extra::new(),
        }
    }
}
