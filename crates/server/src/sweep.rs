//! What nobody needs any more: files and uploads whose time ran out, contents that no row names.
//!
//! Rows go first and contents behind them, so that a row never lacks its content; what a crash leaves between the two
//! goes when the folder is opened again.

use std::sync::Arc;

use crate::folder::Folder;
use crate::state::State;
use crate::store::{self, Store, files, uploads};
use crate::{Error, blob};

/// Ends what has run out of time by now.
pub(crate) async fn expired(state: &Arc<State>) -> store::Result<()> {
    let now = state.clock.now();
    let expire = state.store.call(move |connection| {
        let mut contents = files::expire(connection, now)?;
        contents.extend(uploads::expire(connection, now)?);
        Ok(contents)
    });
    contents(state, expire.await?).await
}

/// Removes those of the contents named by `hashes` that no row names (any more).
pub(crate) async fn contents(state: &Arc<State>, hashes: Vec<String>) -> store::Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    let shared = Arc::clone(state);
    // Asked again under the lock, so that no upload of the same content comes between.
    state
        .store
        .call(move |connection| {
            for sha256 in &hashes {
                if !files::is_content_used(connection, sha256)? {
                    blob::remove(&shared.folder, sha256)?;
                }
            }
            Ok(())
        })
        .await
}

/// Removes every content that no row names: a crash came between the two.
pub(crate) fn strays(folder: &Folder, store: &Store) -> Result<(), Error> {
    let path = folder.blobs();
    let fail = |source| Error::Folder { path: path.clone(), source };
    for shelf in std::fs::read_dir(&path).map_err(fail)? {
        for content in std::fs::read_dir(shelf.map_err(fail)?.path()).map_err(fail)? {
            let content = content.map_err(fail)?;
            let sha256 = content.file_name().to_string_lossy().into_owned();
            let used = store.change(|connection| files::is_content_used(connection, &sha256));
            if !used.map_err(|source| Error::Database { path: folder.database(), source })? {
                std::fs::remove_file(content.path()).map_err(fail)?;
            }
        }
    }
    Ok(())
}
