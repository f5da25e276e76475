//! Fetching a model's files from the Hugging Face hub.

use hub::{Pinned, RemoteFile, Repository};

use super::cache::Cache;
use super::error::LocateError;
use super::shelf::Shelf;
use super::{Found, HubSettings, Located, Progress};
use crate::models::{HubFiles, PinnedFile};

/// Fetches all files of the model, checks them and puts them into the cache.
pub(super) fn fetch(
    cache: &Cache<'_>,
    settings: &HubSettings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    if settings.offline {
        return Err(LocateError::Hub(hub::Error::Offline));
    }
    let files = cache.entry.hub;
    let folder = cache.unfinished_hub()?;
    let total = files.bytes();
    progress(Progress::Notice(format!(
        "fetching {} ({} MB) from {}",
        cache.entry.name,
        total.div_ceil(1_000_000),
        settings.address()
    )));
    let mut before = 0;
    for file in files.files {
        let mut heard = |done, _| progress(Progress::Bytes { done: before + done, total });
        let remote = remote(&files, file)?;
        hub::fetch(&remote, &folder.join(file.name), settings, &mut heard)?;
        before += file.bytes;
    }
    Shelf::place(&folder, &cache.hub_folder())?;
    Ok(cache.hub(Found::Hub))
}

fn remote(files: &HubFiles, file: &PinnedFile) -> Result<RemoteFile, LocateError> {
    let repository = Repository::model(&format!("{}/{}", files.owner, files.repository))?;
    let pinned =
        Pinned { bytes: file.bytes, sha256: file.sha256.to_owned(), git_sha1: String::new() };
    Ok(RemoteFile {
        revision: files.revision.to_owned(),
        pinned: Some(pinned),
        ..repository.file(file.name)
    })
}
