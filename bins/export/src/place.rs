//! Where the result goes, and what may be replaced there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use cli::{Exit, Failure, ResultExt as _};

use crate::arguments::Format;

/// `output`, where something may be written there.
///
/// With `overwrite` a file gives way to a file, and a folder only where it looks like an earlier result: plain files with
/// a model's configuration among them. So no mistyped path can take a folder of the user's away.
pub(crate) fn checked(output: &Path, format: Format, overwrite: bool) -> Result<PathBuf, Failure> {
    let usage = |error| Err(Failure::new(Exit::Usage, error));
    let shown = output.display();
    if output.file_name().is_none() {
        return usage(anyhow!("`--output {shown}` names no file or folder"));
    }
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| !parent.is_dir()) {
        return usage(anyhow!("the folder of `--output {shown}` is not there"));
    }
    let Ok(there) = fs::symlink_metadata(output) else { return Ok(output.to_owned()) };
    let is_empty_folder = there.is_dir() && fs::read_dir(output)?.next().is_none();
    let is_free = format.is_folder() && is_empty_folder;
    if !overwrite && !is_free {
        let error = anyhow!("{shown} is there already");
        return Err(Failure::new(Exit::Usage, error).hint("--overwrite replaces it"));
    }
    let fits = if format.is_folder() {
        is_empty_folder || there.is_dir() && is_result(output).or_exit(Exit::Failed)?
    } else {
        there.is_file()
    };
    if !fits {
        let what = if format.is_folder() { "folder that an export wrote" } else { "file" };
        return usage(anyhow!("{shown} is no {what}, so it is not replaced"));
    }
    Ok(output.to_owned())
}

/// Whether a folder looks like one that this tool wrote.
fn is_result(folder: &Path) -> anyhow::Result<bool> {
    let mut has_configuration = false;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            return Ok(false);
        }
        let name = entry.file_name();
        has_configuration |= name == "config.json" || name == "adapter_config.json";
    }
    Ok(has_configuration)
}
