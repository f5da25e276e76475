//! Models as they stood at the end of an epoch.

use rusqlite::{Connection, params};
use wire::Checkpoint;

use super::{Part, Result, Span};

/// Adds `checkpoint` unless the job has one at its step.
pub(crate) fn insert(connection: &Connection, job_id: &str, checkpoint: &Checkpoint) -> Result<()> {
    connection.execute(
        "INSERT INTO checkpoints (id, job_id, step, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (job_id, step) DO NOTHING",
        params![
            checkpoint.id,
            job_id,
            checkpoint.step_number.unwrap_or_default().cast_signed(),
            serde_json::to_string(checkpoint)?,
        ],
    )?;
    Ok(())
}

/// The checkpoints of a job; `None` when the span starts at none.
pub(crate) fn list(
    connection: &Connection,
    job_id: &str,
    span: &Span,
) -> Result<Option<Part<Checkpoint>>> {
    let Some(start) = span.start(connection, "checkpoints")? else { return Ok(None) };
    let (behind, direction) = span.order();
    let mut query = connection.prepare(&format!(
        "SELECT body FROM checkpoints WHERE job_id = ?1 AND seq {behind} ?2
         ORDER BY seq {direction} LIMIT ?3"
    ))?;
    let rows = query
        .query_map(params![job_id, start, span.rows_to_read()], |row| row.get::<_, String>(0))?;
    let items = rows.map(|body| Ok(serde_json::from_str(&body?)?)).collect::<Result<_>>()?;
    Ok(Some(span.cut(items)))
}
