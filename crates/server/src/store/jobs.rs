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

/// Which jobs are wanted, by their metadata.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Those that carry all these pairs.
    With(BTreeMap<String, String>),
    /// Those that carry none.
    Without,
}

impl Wanted {
    fn takes(&self, job: &Job) -> bool {
        let own = job.metadata.as_ref();
        match self {
            Self::With(pairs) => {
                pairs.iter().all(|(key, value)| own.and_then(|own| own.get(key)) == Some(value))
            }
            Self::Without => own.is_none_or(BTreeMap::is_empty),
        }
    }
}

/// The jobs that are `wanted`; `None` when the span starts at no job.
pub(crate) fn list(
    connection: &Connection,
    wanted: &Wanted,
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
        if wanted.takes(&job) {
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
        "UPDATE jobs SET status = ?2, body = ?3, goes_on = 0 WHERE id = ?1",
        params![id, job.status.as_str(), serde_json::to_string(&job)?],
    )?;
    Ok(Some(job))
}

/// Gives the job to the one who trains it; `None` when it is not to be trained (any more).
pub(crate) fn start(connection: &Connection, id: &str) -> Result<Option<Job>> {
    match status(connection, id)? {
        Some(JobStatus::Queued | JobStatus::Running) => {
            change(connection, id, |job| job.status = JobStatus::Running)
        }
        _ => Ok(None),
    }
}

/// Pauses a running job until the server starts again, and not until somebody resumes it.
pub(crate) fn rest(connection: &Connection, id: &str) -> Result<Option<Job>> {
    let rested = change(connection, id, |job| {
        job.status = JobStatus::Paused;
        job.estimated_finish = None;
    })?;
    connection.execute("UPDATE jobs SET goes_on = 1 WHERE id = ?1", [id])?;
    Ok(rested)
}

/// The jobs that [`rest`] paused and nobody has touched since, oldest first.
pub(crate) fn going_on(connection: &Connection) -> Result<Vec<Job>> {
    let mut query = connection
        .prepare("SELECT body FROM jobs WHERE goes_on = 1 AND status = 'paused' ORDER BY seq")?;
    let bodies = query.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| Ok(serde_json::from_str(&body?)?)).collect()
}

/// Where a job stands.
pub(crate) fn status(connection: &Connection, id: &str) -> Result<Option<JobStatus>> {
    let query = "SELECT status FROM jobs WHERE id = ?1";
    let status: Option<String> = connection.query_row(query, [id], |row| row.get(0)).optional()?;
    Ok(status.as_deref().map(JobStatus::from))
}

/// The jobs that have not come to their end, oldest first.
pub(crate) fn unfinished(connection: &Connection) -> Result<Vec<Job>> {
    let mut query = connection.prepare(
        "SELECT body FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY seq",
    )?;
    let bodies = query.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| Ok(serde_json::from_str(&body?)?)).collect()
}

/// How many jobs there are of each status.
pub(crate) fn count(connection: &Connection) -> Result<Vec<(String, i64)>> {
    let mut query = connection.prepare("SELECT status, COUNT(*) FROM jobs GROUP BY status")?;
    let counts = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}
