//! Uploaded files and results: their rows, each naming a content by its hash.

use rusqlite::{Connection, OptionalExtension as _, params};
use wire::FileObject;

use super::{Part, Result, Span};

/// A file and the hash of its content.
#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    pub(crate) object: FileObject,
    pub(crate) sha256: String,
}

/// What became of a request to delete a file.
#[derive(Debug)]
pub(crate) enum Deletion {
    Missing,
    /// An unfinished job needs it.
    InUse,
    /// Gone, and no longer in need of this content.
    Done {
        sha256: String,
    },
}

pub(crate) fn insert(connection: &Connection, file: &StoredFile) -> Result<()> {
    let purpose = file.object.purpose.as_ref().map_or("", |purpose| purpose.as_str());
    connection.execute(
        "INSERT INTO files (id, sha256, purpose, expires_at, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            file.object.id.as_str(),
            file.sha256,
            purpose,
            file.object.expires_at,
            serde_json::to_string(&file.object)?
        ],
    )?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<StoredFile>> {
    let query = "SELECT sha256, body FROM files WHERE id = ?1";
    let row: Option<(String, String)> =
        connection.query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    row.map(|(sha256, body)| Ok(StoredFile { object: serde_json::from_str(&body)?, sha256 }))
        .transpose()
}

/// The files of `purpose`, or all; `None` when the span starts at no file.
pub(crate) fn list(
    connection: &Connection,
    purpose: Option<&str>,
    span: &Span,
) -> Result<Option<Part<FileObject>>> {
    let Some(start) = span.start(connection, "files")? else { return Ok(None) };
    let (behind, direction) = span.order();
    let mut query = connection.prepare(&format!(
        "SELECT body FROM files WHERE seq {behind} ?1 AND (?2 IS NULL OR purpose = ?2)
         ORDER BY seq {direction} LIMIT ?3"
    ))?;
    let rows = query
        .query_map(params![start, purpose, span.rows_to_read()], |row| row.get::<_, String>(0))?;
    let files = rows.map(|body| Ok(serde_json::from_str(&body?)?)).collect::<Result<_>>()?;
    Ok(Some(span.cut(files)))
}

pub(crate) fn delete(connection: &Connection, id: &str) -> Result<Deletion> {
    let Some(file) = find(connection, id)? else { return Ok(Deletion::Missing) };
    let needed: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')
         AND (training_file = ?1 OR validation_file = ?1))",
        [id],
        |row| row.get(0),
    )?;
    if needed {
        return Ok(Deletion::InUse);
    }
    connection.execute("DELETE FROM files WHERE id = ?1", [id])?;
    Ok(Deletion::Done { sha256: file.sha256 })
}

/// Deletes the files whose time ran out by `now` and that no unfinished job needs; returns their contents' hashes.
pub(crate) fn expire(connection: &Connection, now: i64) -> Result<Vec<String>> {
    let mut query = connection.prepare("SELECT id FROM files WHERE expires_at <= ?1")?;
    let ids =
        query.query_map([now], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let mut contents = Vec::new();
    for id in ids {
        if let Deletion::Done { sha256 } = delete(connection, &id)? {
            contents.push(sha256);
        }
    }
    Ok(contents)
}

/// How many files there are, and how many bytes they have together.
pub(crate) fn size(connection: &Connection) -> Result<(i64, i64)> {
    let query = "SELECT COUNT(*), COALESCE(SUM(json_extract(body, '$.bytes')), 0) FROM files";
    Ok(connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Whether any file or part of an upload has this content.
pub(crate) fn is_content_used(connection: &Connection, sha256: &str) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM files WHERE sha256 = ?1)
         OR EXISTS (SELECT 1 FROM parts WHERE sha256 = ?1)";
    Ok(connection.query_row(query, [sha256], |row| row.get(0))?)
}
