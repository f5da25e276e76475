//! Looking up a tuned model in a data folder, also while a server uses it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::Error;
use crate::store::{StoreError, models};

/// Where a tuned model's adapter is, and what it was trained on.
///
/// # Examples
///
/// ```
/// use server::TunedModel;
///
/// let tuned = TunedModel {
///     id: "ft:smollm2-135m-instruct:local:med-cot-v1:a1b2c3d4".to_owned(),
///     base: "smollm2-135m-instruct".to_owned(),
///     base_sha256: "b179c952".to_owned(),
///     adapter: "data/adapters/ftjob-1/final".into(),
/// };
/// let for_vllm = format!("--lora-modules {}={}", tuned.id, tuned.adapter.display());
/// assert!(for_vllm.ends_with("a1b2c3d4=data/adapters/ftjob-1/final"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunedModel {
    /// The name that clients ask for.
    pub id: String,
    /// The base model's name.
    pub base: String,
    /// The SHA-256 of the base model's weights.
    pub base_sha256: String,
    /// The folder of the adapter, in PEFT's format.
    pub adapter: PathBuf,
}

/// The tuned models of the data folder `data_dir`, oldest first; none where there is no database yet.
///
/// Nothing is written and no lock is taken: an adapter's folder never changes, so it can be read beside a server.
///
/// # Examples
///
/// ```
/// use server::{Options, Server, tuned_models};
///
/// let folder = tempfile::tempdir()?;
/// assert_eq!(tuned_models(folder.path())?, [], "no server was here yet");
/// let _running = Server::open(Options::new(folder.path(), vec![]))?;
/// assert_eq!(tuned_models(folder.path())?, [], "it has trained nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Database`] where the database cannot be read.
pub fn tuned_models(data_dir: &Path) -> Result<Vec<TunedModel>, Error> {
    let path = data_dir.join("medtune.sqlite");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let list = || {
        // A database in the write-ahead mode is opened for writing even by who only reads.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        models::list(&Connection::open_with_flags(&path, flags)?)
    };
    let models = list().map_err(|source: StoreError| Error::Database { path, source })?;
    let adapters = data_dir.join("adapters");
    let described = models.into_iter().map(|model| TunedModel {
        adapter: adapters.join(&model.folder),
        id: model.id,
        base: model.base,
        base_sha256: model.base_sha256,
    });
    Ok(described.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn models_are_listed_beside_an_open_database_and_none_where_there_is_none() -> anyhow::Result<()>
    {
        let folder = tempfile::tempdir()?;
        assert_eq!(tuned_models(folder.path())?, []);
        let store = Store::open(&folder.path().join("medtune.sqlite"))?;
        let model = models::TunedModel {
            id: "ft:a".to_owned(),
            created: 1,
            base: "a".to_owned(),
            base_sha256: "00".to_owned(),
            job_id: None,
            folder: "job".to_owned(),
        };
        store.change(|connection| models::insert(connection, &model))?;
        let found = tuned_models(folder.path())?;
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].id[..], &found[0].base[..]), ("ft:a", "a"));
        assert_eq!(found[0].adapter, folder.path().join("adapters/job"));
        Ok(())
    }

    #[test]
    fn a_file_that_is_no_database_is_named() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("medtune.sqlite"), "nonsense".repeat(100))?;
        let error = tuned_models(folder.path()).expect_err("it is no database");
        assert!(error.to_string().contains("medtune.sqlite"), "{error}");
        Ok(())
    }
}
