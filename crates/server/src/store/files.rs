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
        "INSERT INTO files (id, sha256, purpose, body) VALUES (?1, ?2, ?3, ?4)",
        params![
            file.object.id.as_str(),
            file.sha256,
            purpose,
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
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE status IN ('validating_files', 'queued', 'running')
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

/// Whether any file has this content.
pub(crate) fn is_content_used(connection: &Connection, sha256: &str) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM files WHERE sha256 = ?1)";
    Ok(connection.query_row(query, [sha256], |row| row.get(0))?)
}
