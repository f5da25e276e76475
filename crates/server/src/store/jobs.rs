//! Fine-tuning jobs. A job's status changes only here, and never out of a final one.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use wire::{Job, JobStatus};

use super::{Part, Result, Span};

pub(crate) fn insert(connection: &Connection, job: &Job) -> Result<()> {
    connection.execute(
        "INSERT INTO jobs (id, status, training_file, validation_file, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            job.id.as_str(),
            job.status.as_str(),
            job.training_file.as_ref().map(wire::FileId::as_str),
            job.validation_file.as_ref().map(wire::FileId::as_str),
            serde_json::to_string(job)?,
        ],
    )?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Job>> {
    let query = "SELECT body FROM jobs WHERE id = ?1";
    let body: Option<String> = connection.query_row(query, [id], |row| row.get(0)).optional()?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}

/// The jobs that carry all pairs of `metadata`; `None` when the span starts at no job.
pub(crate) fn list(
    connection: &Connection,
    metadata: &BTreeMap<String, String>,
    span: &Span,
) -> Result<Option<Part<Job>>> {
    let Some(start) = span.start(connection, "jobs")? else { return Ok(None) };
    let (behind, direction) = span.order();
    let query = format!("SELECT body FROM jobs WHERE seq {behind} ?1 ORDER BY seq {direction}");
    let mut query = connection.prepare(&query)?;
    let mut rows = query.query([start])?;
    let mut jobs: Vec<Job> = Vec::new();
    while jobs.len() <= span.limit
        && let Some(row) = rows.next()?
    {
        let job: Job = serde_json::from_str(&row.get::<_, String>(0)?)?;
        let own = job.metadata.as_ref();
        if metadata.iter().all(|(key, value)| own.and_then(|own| own.get(key)) == Some(value)) {
            jobs.push(job);
        }
    }
    Ok(Some(span.cut(jobs)))
}

/// The oldest job in one of `statuses`, the first of them first, that `can` be worked on.
pub(crate) fn next(
    connection: &Connection,
    statuses: &[JobStatus],
    can: impl Fn(&Job) -> bool,
) -> Result<Option<Job>> {
    let mut query = connection.prepare("SELECT body FROM jobs WHERE status = ?1 ORDER BY seq")?;
    for status in statuses {
        let mut rows = query.query([status.as_str()])?;
        while let Some(row) = rows.next()? {
            let job: Job = serde_json::from_str(&row.get::<_, String>(0)?)?;
            if can(&job) {
                return Ok(Some(job));
            }
        }
    }
    Ok(None)
}

/// Changes a job that has not come to its end; `None` when it has, or does not exist.
pub(crate) fn change(
    connection: &Connection,
    id: &str,
    change: impl FnOnce(&mut Job),
) -> Result<Option<Job>> {
    let Some(mut job) = find(connection, id)? else { return Ok(None) };
    if job.status.is_terminal() {
        return Ok(None);
    }
    change(&mut job);
    connection.execute(
        "UPDATE jobs SET status = ?2, body = ?3 WHERE id = ?1",
        params![id, job.status.as_str(), serde_json::to_string(&job)?],
    )?;
    Ok(Some(job))
}

/// Whether the job still runs: a cancelled one is to be left alone.
pub(crate) fn is_running(connection: &Connection, id: &str) -> Result<bool> {
    let query = "SELECT status FROM jobs WHERE id = ?1";
    let status: Option<String> = connection.query_row(query, [id], |row| row.get(0)).optional()?;
    Ok(status.as_deref() == Some(JobStatus::Running.as_str()))
}
