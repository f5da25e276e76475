//! The database: files, uploads, jobs, events, checkpoints and models, all of it durable before it is acknowledged.
//!
//! One connection behind a lock; every change is one transaction, written through to the disk (`synchronous = FULL`)
//! in a write-ahead log.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

pub(crate) mod checkpoints;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod jobs;
pub(crate) mod models;
pub(crate) mod uploads;

/// The version of the tables that this code reads and writes.
const SCHEMA_VERSION: i64 = 3;
/// What each version adds to the one before.
const SCHEMAS: [&str; 3] = [
    include_str!("store/schema.sql"),
    include_str!("store/schema_2.sql"),
    include_str!("store/schema_3.sql"),
];

/// What can be wrong with the database.
///
/// # Examples
///
/// ```
/// use std::error::Error as _;
///
/// use server::{Error, StoreError, tuned_models};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("medtune.sqlite"), "no database at all".repeat(100))?;
/// let Err(Error::Database { path, source }) = tuned_models(folder.path()) else { panic!("it is none") };
/// let reason: StoreError = source;
/// assert!(path.ends_with("medtune.sqlite"));
/// assert!(reason.source().is_some(), "what SQLite says");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct StoreError(Cause);

enum Cause {
    Database(rusqlite::Error),
    Row(serde_json::Error),
    File(std::io::Error),
    Version(i64),
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Database(_) => f.write_str("a database operation"),
            Cause::Row(_) => f.write_str("a row of the database"),
            Cause::File(_) => f.write_str("a stored file"),
            Cause::Version(found) => write!(
                f,
                "version {found} of the tables was written by a later release than this one"
            ),
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::Database(error) => Some(error),
            Cause::Row(error) => Some(error),
            Cause::File(error) => Some(error),
            Cause::Version(_) => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(Cause::Database(error))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self(Cause::Row(error))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self(Cause::File(error))
    }
}

/// The open database.
pub(crate) struct Store(Mutex<Connection>);

impl Store {
    /// Opens or makes the database at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let done = usize::try_from(version).ok().filter(|_| version <= SCHEMA_VERSION);
        let done = done.ok_or(StoreError(Cause::Version(version)))?;
        if done < SCHEMAS.len() {
            let change = connection.transaction()?;
            for schema in &SCHEMAS[done..] {
                change.execute_batch(schema)?;
            }
            change.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            change.commit()?;
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// Does `work` as one transaction: all of it or, on an error, none.
    pub(crate) fn change<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        // A panic inside `work` rolled its transaction back, so the connection behind a poisoned lock is sound.
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let change = connection.transaction()?;
        let done = work(&change)?;
        change.commit()?;
        Ok(done)
    }

    /// As [`change`](Self::change), off the asynchronous threads.
    pub(crate) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(self);
        match tokio::task::spawn_blocking(move || store.change(work)).await {
            Ok(done) => done,
            Err(error) => Err(std::io::Error::other(error).into()),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Starts behind the item of this identifier.
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
    pub(crate) newest_first: bool,
}

/// Part of a list, and whether more of it follows.
#[derive(Debug)]
pub(crate) struct Part<T> {
    pub(crate) items: Vec<T>,
    pub(crate) has_more: bool,
}

impl Span {
    /// The position behind which `table` is read; `None` when the item `after` does not exist.
    fn start(&self, connection: &Connection, table: &str) -> Result<Option<i64>> {
        let Some(after) = &self.after else {
            return Ok(Some(if self.newest_first { i64::MAX } else { 0 }));
        };
        let query = format!("SELECT seq FROM {table} WHERE id = ?1");
        Ok(connection.query_row(&query, [after], |row| row.get(0)).optional()?)
    }

    /// The SQL that compares and orders by position.
    fn order(&self) -> (&'static str, &'static str) {
        if self.newest_first { ("<", "DESC") } else { (">", "ASC") }
    }

    /// One more than asked for, which tells whether more follows.
    fn rows_to_read(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX - 1).saturating_add(1)
    }

    fn cut<T>(&self, mut items: Vec<T>) -> Part<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        Part { items, has_more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_later_release_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        drop(Store::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
    }

    #[test]
    fn a_database_of_the_first_release_is_read_and_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let first = Connection::open(&path).unwrap();
        first.execute_batch(SCHEMAS[0]).unwrap();
        first.pragma_update(None, "user_version", 1).unwrap();
        let body = r#"{"id":"file-1","filename":"a"}"#;
        let insert =
            "INSERT INTO files (id, sha256, purpose, body) VALUES ('file-1', 's', 'fine-tune', ?1)";
        first.execute(insert, [body]).unwrap();
        drop(first);
        for _ in 0..2 {
            let store = Store::open(&path).unwrap();
            let file = store.change(|connection| files::find(connection, "file-1")).unwrap();
            assert_eq!(file.map(|file| file.object.filename).as_deref(), Some("a"));
            assert_eq!(store.change(uploads::count_pending).unwrap(), 0);
            assert!(store.change(jobs::going_on).unwrap().is_empty());
        }
    }

    #[test]
    fn a_failed_change_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("x.sqlite")).unwrap();
        let insert = "INSERT INTO models VALUES ('m', 1, 'b', 's', NULL, 'f')";
        let failed: Result<()> = store.change(|connection| {
            connection.execute(insert, [])?;
            Err(std::io::Error::other("later").into())
        });
        assert!(failed.is_err());
        let count = "SELECT COUNT(*) FROM models";
        let rows: i64 = store.change(|c| Ok(c.query_row(count, [], |row| row.get(0))?)).unwrap();
        assert_eq!(rows, 0);
    }
}
