//! What happened in a job, newest last; an event is told once, whatever is done twice.

use rusqlite::{Connection, params};
use wire::Event;

use super::{Part, Result, Span};

/// Adds `event` to the job unless one with this `key` is there; says whether it was added.
pub(crate) fn insert(
    connection: &Connection,
    job_id: &str,
    key: &str,
    event: &Event,
) -> Result<bool> {
    let added = connection.execute(
        "INSERT INTO events (id, job_id, key, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (job_id, key) DO NOTHING",
        params![event.id, job_id, key, serde_json::to_string(event)?],
    )?;
    Ok(added > 0)
}

/// The events of a job; `None` when the span starts at no event.
pub(crate) fn list(
    connection: &Connection,
    job_id: &str,
    span: &Span,
) -> Result<Option<Part<Event>>> {
    let Some(start) = span.start(connection, "events")? else { return Ok(None) };
    let (behind, direction) = span.order();
    let mut query = connection.prepare(&format!(
        "SELECT body FROM events WHERE job_id = ?1 AND seq {behind} ?2
         ORDER BY seq {direction} LIMIT ?3"
    ))?;
    let rows = query
        .query_map(params![job_id, start, span.rows_to_read()], |row| row.get::<_, String>(0))?;
    let events = rows.map(|body| Ok(serde_json::from_str(&body?)?)).collect::<Result<_>>()?;
    Ok(Some(span.cut(events)))
}

/// Whether the job has an event with this `key`.
pub(crate) fn is_told(connection: &Connection, job_id: &str, key: &str) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM events WHERE job_id = ?1 AND key = ?2)";
    Ok(connection.query_row(query, [job_id, key], |row| row.get(0))?)
}
