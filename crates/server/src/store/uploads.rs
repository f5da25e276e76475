//! Uploads in parts. An upload takes parts while it is pending, and never leaves another state again.

use rusqlite::{Connection, OptionalExtension as _, params};
use wire::{Upload, UploadPart, UploadStatus};

use super::Result;

/// An upload, and what the API does not show of it.
#[derive(Debug, Clone)]
pub(crate) struct StoredUpload {
    pub(crate) object: Upload,
    /// How long the file is to be kept.
    pub(crate) file_seconds: Option<i64>,
    /// The parts that it was completed from, their ids joined by commas.
    pub(crate) joined: Option<String>,
}

/// A part and the hash of its content.
#[derive(Debug, Clone)]
pub(crate) struct StoredPart {
    pub(crate) id: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

pub(crate) fn insert(connection: &Connection, upload: &StoredUpload) -> Result<()> {
    connection.execute(
        "INSERT INTO uploads (id, status, expires_at, file_seconds, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            upload.object.id.as_str(),
            status(&upload.object),
            upload.object.expires_at,
            upload.file_seconds,
            serde_json::to_string(&upload.object)?
        ],
    )?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<StoredUpload>> {
    let query = "SELECT body, file_seconds, parts FROM uploads WHERE id = ?1";
    let row: Option<(String, Option<i64>, Option<String>)> = connection
        .query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    row.map(|(body, file_seconds, joined)| {
        Ok(StoredUpload { object: serde_json::from_str(&body)?, file_seconds, joined })
    })
    .transpose()
}

/// How many uploads take parts.
pub(crate) fn count_pending(connection: &Connection) -> Result<usize> {
    let query = "SELECT COUNT(*) FROM uploads WHERE status = ?1";
    let count: i64 =
        connection.query_row(query, [UploadStatus::Pending.as_str()], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

pub(crate) fn insert_part(
    connection: &Connection,
    part: &UploadPart,
    sha256: &str,
    bytes: u64,
) -> Result<()> {
    connection.execute(
        "INSERT INTO parts (id, upload_id, sha256, bytes) VALUES (?1, ?2, ?3, ?4)",
        params![
            part.id.as_str(),
            part.upload_id.as_ref().map(wire::UploadId::as_str),
            sha256,
            bytes.cast_signed()
        ],
    )?;
    Ok(())
}

/// How many bytes the parts of an upload have together.
pub(crate) fn bytes(connection: &Connection, upload_id: &str) -> Result<u64> {
    let query = "SELECT COALESCE(SUM(bytes), 0) FROM parts WHERE upload_id = ?1";
    let bytes: i64 = connection.query_row(query, [upload_id], |row| row.get(0))?;
    Ok(bytes.cast_unsigned())
}

/// The parts of an upload, in the order of their arrival.
pub(crate) fn parts(connection: &Connection, upload_id: &str) -> Result<Vec<StoredPart>> {
    let query = "SELECT id, sha256, bytes FROM parts WHERE upload_id = ?1 ORDER BY seq";
    let mut query = connection.prepare(query)?;
    let rows = query.query_map([upload_id], |row| {
        let bytes: i64 = row.get(2)?;
        Ok(StoredPart { id: row.get(0)?, sha256: row.get(1)?, bytes: bytes.cast_unsigned() })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Ends a pending upload as `object` says, forgets its parts and returns the hashes of their contents.
///
/// `None` when the upload was not pending any more.
pub(crate) fn end(
    connection: &Connection,
    object: &Upload,
    joined: Option<&str>,
) -> Result<Option<Vec<String>>> {
    let changed = connection.execute(
        "UPDATE uploads SET status = ?2, body = ?3, parts = ?4 WHERE id = ?1 AND status = ?5",
        params![
            object.id.as_str(),
            status(object),
            serde_json::to_string(object)?,
            joined,
            UploadStatus::Pending.as_str()
        ],
    )?;
    if changed == 0 {
        return Ok(None);
    }
    let contents = parts(connection, object.id.as_str())?.into_iter().map(|part| part.sha256);
    let contents = contents.collect();
    connection.execute("DELETE FROM parts WHERE upload_id = ?1", [object.id.as_str()])?;
    Ok(Some(contents))
}

/// Ends the uploads whose time ran out by `now` and returns the hashes of their parts' contents.
pub(crate) fn expire(connection: &Connection, now: i64) -> Result<Vec<String>> {
    let query = "SELECT body FROM uploads WHERE status = ?1 AND expires_at <= ?2";
    let mut query = connection.prepare(query)?;
    let rows = query
        .query_map(params![UploadStatus::Pending.as_str(), now], |row| row.get::<_, String>(0))?;
    let bodies = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut contents = Vec::new();
    for body in bodies {
        let mut object: Upload = serde_json::from_str(&body)?;
        object.status = Some(UploadStatus::Expired);
        contents.extend(end(connection, &object, None)?.unwrap_or_default());
    }
    Ok(contents)
}

fn status(upload: &Upload) -> &str {
    upload.status.as_ref().unwrap_or(&UploadStatus::Pending).as_str()
}
