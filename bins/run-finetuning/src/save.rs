//! The model on disk, for `ask` and for whoever reads the bare id.

use std::path::{Path, PathBuf};

use connect::OPENAI;
use ftjob::Finished;
use inference::SavedModel;
use transport::Provider;

use crate::config::{Place, Target};
use crate::ledger::Entry;

/// Where the bare id goes.
pub(crate) fn id_file(model_file: &Path) -> PathBuf {
    model_file.with_file_name(SavedModel::ID_FILE)
}

/// Writes both files, each whole or not at all; the bare id last, so that it is never ahead of what belongs to it.
pub(crate) fn save(
    target: &Target,
    model_file: &Path,
    finished: &Finished,
    entry: &Entry,
) -> anyhow::Result<()> {
    let mut saved = SavedModel::of_id(&finished.model);
    if let Some(origin) = &entry.origin {
        saved = saved.trained_with(origin.template.clone(), &origin.system_prompt);
    }
    saved.job_id = Some(finished.job.clone());
    saved.base_model.clone_from(&entry.base_model);
    match &target.place {
        Place::Service(endpoint) => {
            saved.provider = Provider::OpenAi;
            saved.base_url = Some(endpoint.base_url().to_owned()).filter(|url| url != OPENAI);
        }
        Place::Local { data_dir, base } => {
            saved.provider = Provider::Local;
            saved.data_dir = Some(beside(model_file, data_dir));
            saved.base_model_path = base.path().map(|path| beside(model_file, &path));
        }
    }
    for file in &entry.files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        saved.files.insert(name, file.sha256.clone());
    }
    if let Some(folder) = model_file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    saved.save(model_file)?;
    saved.save_id(&id_file(model_file))?;
    Ok(())
}

/// `path` as it is found from the saved file's folder: relative where both are below the working folder, else absolute.
fn beside(model_file: &Path, path: &Path) -> PathBuf {
    let here = model_file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    if here && path.is_relative() {
        return path.to_owned();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
