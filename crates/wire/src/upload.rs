//! Uploads in parts: <https://platform.openai.com/docs/api-reference/uploads/object>.
//!
//! A file too large for one request comes as parts, in any order, and becomes a [`FileObject`] once it is completed.

use serde::{Deserialize, Serialize};

use crate::file::{ExpiresAfter, FileObject, Purpose};
use crate::id::{PartId, UploadId};
use crate::lenient::{Extra, soft, whole_or_zero};
use crate::open::open_enum;

open_enum! {
    /// Where an upload stands.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::UploadStatus;
    ///
    /// assert_eq!(UploadStatus::from("completed"), UploadStatus::Completed);
    /// assert_eq!(UploadStatus::Cancelled.as_str(), "cancelled");
    /// ```
    UploadStatus {
        /// It takes parts.
        Pending = "pending",
        /// It is a file now.
        Completed = "completed",
        /// It was given up.
        Cancelled = "cancelled" | "canceled",
        /// Its time ran out before it was completed.
        Expired = "expired",
    }
}

/// A request for an upload: <https://platform.openai.com/docs/api-reference/uploads/create>.
///
/// # Examples
///
/// ```
/// use wire::{CreateUpload, Purpose};
///
/// let request = CreateUpload::new("medical_train.jsonl", 128 << 20);
/// assert_eq!((&request.purpose, request.mime_type.as_str()), (&Purpose::FineTune, "text/jsonl"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateUpload {
    /// The file's name, without a folder.
    pub filename: String,
    /// What the file is uploaded for.
    pub purpose: Purpose,
    /// How many bytes all parts together have.
    pub bytes: u64,
    /// The kind of content, such as `text/jsonl`.
    pub mime_type: String,
    /// How long the file is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<ExpiresAfter>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CreateUpload {
    /// A request to upload `filename` of `bytes` for fine-tuning.
    pub fn new(filename: impl Into<String>, bytes: u64) -> Self {
        Self {
            filename: filename.into(),
            purpose: Purpose::FineTune,
            bytes,
            mime_type: "text/jsonl".to_owned(),
            expires_after: None,
            extra: Extra::new(),
        }
    }
}

/// A request to make a file of an upload: <https://platform.openai.com/docs/api-reference/uploads/complete>.
///
/// # Examples
///
/// ```
/// use wire::CompleteUpload;
///
/// let request = CompleteUpload::new(vec!["part_1".parse()?, "part_2".parse()?]);
/// assert_eq!(serde_json::to_string(&request)?, r#"{"part_ids":["part_1","part_2"]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompleteUpload {
    /// The parts, in the order of the file.
    pub part_ids: Vec<PartId>,
    /// The MD5 of the whole file in hexadecimal, for the service to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CompleteUpload {
    /// A request to join `part_ids`, without a checksum.
    pub fn new(part_ids: Vec<PartId>) -> Self {
        Self { part_ids, md5: None, extra: Extra::new() }
    }
}

/// An upload as the service knows it.
///
/// # Examples
///
/// ```
/// use wire::{CreateUpload, Upload, UploadStatus};
///
/// let request = CreateUpload::new("medical_train.jsonl", 128 << 20);
/// let pending = Upload::new("upload_1".parse()?, &request, 1_764_000_000, 1_764_003_600);
/// assert_eq!(pending.status, Some(UploadStatus::Pending));
/// let done: Upload = serde_json::from_str(r#"{"id": "upload_1", "status": "completed", "file": {"id": "file-1"}}"#)?;
/// assert_eq!(done.file.map(|file| file.id.to_string()).as_deref(), Some("file-1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Always `upload`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// How many bytes it is to have.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub bytes: u64,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// When it stops taking parts, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub expires_at: i64,
    /// The name of the file that it becomes.
    #[serde(default, deserialize_with = "soft")]
    pub filename: String,
    /// What the file is uploaded for.
    #[serde(default, deserialize_with = "soft")]
    pub purpose: Option<Purpose>,
    /// Where it stands.
    #[serde(default, deserialize_with = "soft")]
    pub status: Option<UploadStatus>,
    /// The file, once the upload is completed.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub file: Option<FileObject>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Upload {
    /// A pending upload of what `request` names.
    pub fn new(id: UploadId, request: &CreateUpload, created_at: i64, expires_at: i64) -> Self {
        Self {
            id,
            object: "upload".to_owned(),
            bytes: request.bytes,
            created_at,
            expires_at,
            filename: request.filename.clone(),
            purpose: Some(request.purpose.clone()),
            status: Some(UploadStatus::Pending),
            file: None,
            extra: Extra::new(),
        }
    }
}

/// A part that has arrived: <https://platform.openai.com/docs/api-reference/uploads/part-object>.
///
/// # Examples
///
/// ```
/// use wire::UploadPart;
///
/// let part = UploadPart::new("part_1".parse()?, "upload_1".parse()?, 1_764_000_000);
/// let json = serde_json::to_string(&part)?;
/// assert_eq!(serde_json::from_str::<UploadPart>(&json)?, part);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadPart {
    /// Its id.
    pub id: PartId,
    /// Always `upload.part`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it arrived, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// The upload that it belongs to.
    #[serde(default, deserialize_with = "soft")]
    pub upload_id: Option<UploadId>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl UploadPart {
    /// A part of `upload`.
    pub fn new(id: PartId, upload: UploadId, created_at: i64) -> Self {
        Self {
            id,
            object: "upload.part".to_owned(),
            created_at,
            upload_id: Some(upload),
            extra: Extra::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_read_as_services_send_it_and_written_in_full() {
        let text = r#"{"id":"upload_1","object":"upload","bytes":5368709120,"created_at":1,"expires_at":2,
            "filename":"a.jsonl","purpose":"fine-tune","status":"completed",
            "file":{"id":"file-1","bytes":5368709120,"filename":"a.jsonl"}}"#;
        let upload: Upload = serde_json::from_str(text).unwrap();
        assert_eq!((upload.bytes, &upload.status), (5_368_709_120, &Some(UploadStatus::Completed)));
        assert_eq!(upload.file.map(|file| file.id.to_string()).as_deref(), Some("file-1"));
        let bare: Upload = serde_json::from_str(r#"{"id":"upload_2","file":null}"#).unwrap();
        assert_eq!((bare.status, bare.file), (None, None));
        let request = CreateUpload::new("a.jsonl", 3);
        let upload = Upload::new("upload_3".parse().unwrap(), &request, 10, 20);
        insta::assert_snapshot!(serde_json::to_string(&upload).unwrap(), @r#"{"id":"upload_3","object":"upload","bytes":3,"created_at":10,"expires_at":20,"filename":"a.jsonl","purpose":"fine-tune","status":"pending"}"#);
    }

    #[test]
    fn requests_are_read_strictly() {
        let good = r#"{"filename":"a","purpose":"fine-tune","bytes":3,"mime_type":"text/jsonl","expires_after":null}"#;
        assert_eq!(serde_json::from_str::<CreateUpload>(good).unwrap(), CreateUpload::new("a", 3));
        for bad in [r#"{"filename":"a"}"#, &good.replace('3', "-3"), &good.replace('3', "\"3\"")] {
            assert!(serde_json::from_str::<CreateUpload>(bad).is_err(), "{bad}");
        }
        let request = CompleteUpload::new(vec!["part_1".parse().unwrap()]);
        insta::assert_snapshot!(serde_json::to_string(&request).unwrap(), @r#"{"part_ids":["part_1"]}"#);
    }
}
