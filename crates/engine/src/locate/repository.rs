//! Models by their names on the Hugging Face hub: fetched once, checked, and found again without asking.

mod files;
mod name;
mod record;

use std::fs;
use std::path::Path;

use super::error::LocateError;
use super::shelf::Shelf;
use super::{Found, HubSettings, Located, Options, Progress};
pub use name::HubModel;
use record::Record;

/// Finds the model in the cache, or fetches it.
pub(super) fn locate(
    model: &HubModel,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    let shelf = Shelf::open(options.cache_dir.join(model.folder()))?;
    if let Some(located) = find(model, &shelf, progress) {
        return Ok(located);
    }
    let _lock = shelf.lock(progress)?;
    // Another process may have fetched it while this one waited.
    if let Some(located) = find(model, &shelf, progress) {
        return Ok(located);
    }
    fetch(model, &shelf, &options.hub, progress)
}

/// The model, where it is here and whole. What is damaged is told and left to be fetched again.
fn find(model: &HubModel, shelf: &Shelf, progress: &mut dyn FnMut(Progress)) -> Option<Located> {
    let folder = shelf.path(&model.place());
    if !folder.is_dir() {
        return None;
    }
    match Record::read(&folder).and_then(|record| record.check(&folder).map(|()| record)) {
        Ok(record) => Some(record.located(folder, Found::Cache)),
        Err(error) => {
            let told = format!("{} is damaged: {}", folder.display(), super::error::chain(&error));
            progress(Progress::Notice(told));
            None
        }
    }
}

/// Brings all files of one commit into a folder beside the model's place, and then there.
fn fetch(
    model: &HubModel,
    shelf: &Shelf,
    settings: &HubSettings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    let files = files::Wanted::list(model, shelf, settings)?;
    let total = files.all.iter().map(|file| file.bytes).sum::<u64>();
    progress(Progress::Notice(format!(
        "fetching {model} ({} MB) from {}",
        total.div_ceil(1_000_000),
        settings.address()
    )));
    let mut recorded = Vec::with_capacity(files.all.len());
    let mut before = 0;
    for file in &files.all {
        let mut heard = |done, _| progress(Progress::Bytes { done: before + done, total });
        let fetched = files.fetch(file, settings, &mut heard)?;
        if file.is_weights() {
            progress(Progress::Notice(file.checked_by()));
        }
        before += file.bytes;
        recorded.push(record::File::new(&file.local_name(), fetched.bytes, fetched.sha256));
    }
    let record = Record::new(model, &files.commit, recorded);
    record.write(&files.folder)?;
    let folder = shelf.path(&model.place());
    Shelf::place(&files.folder, &folder)?;
    shelf.remove_beginning_with(&format!(".hub-{}-", model.place()));
    Ok(record.located(folder, Found::Hub))
}

/// Whether a file's name ends so, as the hub and [`crate::Weights::open`] tell files apart.
fn is_a(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// A file's last part: models lie in their folder without folders of their own.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Removes a file that is in the way.
fn remove(path: &Path) -> Result<(), LocateError> {
    fs::remove_file(path).map_err(LocateError::file(path))
}

#[cfg(test)]
mod tests;
