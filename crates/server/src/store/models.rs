//! Fine-tuned models and checkpoints: which adapter over which base.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Result;

/// A fine-tuned model.
#[derive(Debug, Clone)]
pub(crate) struct TunedModel {
    pub(crate) id: String,
    pub(crate) created: i64,
    /// The base model's name, and the hash of the weights that it was trained on.
    pub(crate) base: String,
    pub(crate) base_sha256: String,
    pub(crate) job_id: Option<String>,
    /// The adapter's folder, below the folder of adapters.
    pub(crate) folder: String,
}

const COLUMNS: &str = "id, created, base, base_sha256, job_id, folder";

fn read(row: &Row<'_>) -> rusqlite::Result<TunedModel> {
    Ok(TunedModel {
        id: row.get(0)?,
        created: row.get(1)?,
        base: row.get(2)?,
        base_sha256: row.get(3)?,
        job_id: row.get(4)?,
        folder: row.get(5)?,
    })
}

/// Adds `model`, in place of one with the same name.
pub(crate) fn insert(connection: &Connection, model: &TunedModel) -> Result<()> {
    connection.execute(
        &format!("INSERT OR REPLACE INTO models ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
        params![model.id, model.created, model.base, model.base_sha256, model.job_id, model.folder],
    )?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<TunedModel>> {
    let query = format!("SELECT {COLUMNS} FROM models WHERE id = ?1");
    Ok(connection.query_row(&query, [id], read).optional()?)
}

/// All of them, oldest first.
pub(crate) fn list(connection: &Connection) -> Result<Vec<TunedModel>> {
    let mut query =
        connection.prepare(&format!("SELECT {COLUMNS} FROM models ORDER BY created, rowid"))?;
    let models = query.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(models)
}

/// Removes a model's row; says whether there was one.
pub(crate) fn delete(connection: &Connection, id: &str) -> Result<bool> {
    Ok(connection.execute("DELETE FROM models WHERE id = ?1", [id])? > 0)
}

/// How many there are.
pub(crate) fn count(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT COUNT(*) FROM models", [], |row| row.get(0))?)
}
