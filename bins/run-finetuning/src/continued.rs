//! Going on from a model with only those records that it was not trained on.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use cli::{Exit, Failure, Terminal};
use ftjob::Method;
use serde::{Deserialize, Serialize};

use crate::examples::{Examples, reader};
use crate::ledger::{self, Entry};

/// The file in a run's folder that names the contents it was trained on.
const MANIFEST: &str = "manifest.json";
const VERSION: u32 = 1;

/// The contents that a run was trained on: hashes, and not a word.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    contents: Vec<String>,
}

/// Writes which contents a run is trained on, into its `folder`.
pub(crate) fn write_manifest(folder: &Path, train: &Examples) -> anyhow::Result<()> {
    let contents = train.contents.iter().map(ToString::to_string).collect();
    ledger::write(&folder.join(MANIFEST), &Manifest { version: VERSION, contents })
}

/// Whether the run of `entry` made `model`, at its end or as a checkpoint on the way.
fn made(entry: &Entry, model: &str) -> bool {
    let rest = entry.model.as_deref().and_then(|own| model.strip_prefix(own));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(":ckpt-"))
}

/// The base model of `model` as the run that made it was told on this machine, which may be a path.
pub(crate) fn base(root: &Path, model: &str) -> anyhow::Result<Option<String>> {
    let runs = ledger::all(root)?;
    let run = runs.into_iter().find(|(_, entry)| made(entry, model));
    Ok(run.and_then(|(_, entry)| entry.base_model_named))
}

/// The contents that `model` was trained on, and those of the models before it.
fn learnt(root: &Path, model: &str) -> anyhow::Result<HashSet<String>> {
    let runs = ledger::all(root)?;
    let (mut learnt, mut next, mut seen) = (HashSet::new(), Some(model.to_owned()), HashSet::new());
    while let Some(model) = next.take().filter(|model| seen.insert(model.clone())) {
        let run = runs.iter().find(|(_, entry)| made(entry, &model));
        let (folder, entry) =
            run.with_context(|| format!("no run in {} made {model}", root.display()))?;
        let path = folder.join(MANIFEST);
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
        if manifest.version > VERSION {
            bail!(
                "{}: version {}, and this program reads up to {VERSION}",
                path.display(),
                manifest.version
            );
        }
        learnt.extend(manifest.contents);
        next.clone_from(&entry.continued_from);
    }
    Ok(learnt)
}

/// Writes the examples of `train` that `model` was not trained on to a file beside it, and gives that file.
pub(crate) fn rest(
    root: &Path,
    model: &str,
    (train, method): (&Path, Method),
    terminal: &mut Terminal<'_>,
) -> Result<PathBuf, Failure> {
    let learnt = learnt(root, model).map_err(|error| Failure::new(Exit::Usage, error))?;
    let bad = |error: anyhow::Error| Failure::new(Exit::BadData, error);
    let named = || train.display().to_string();
    let input = File::open(train).with_context(named).map_err(bad)?;
    let stem = train.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let path = train.with_file_name(format!("{stem}.continued.jsonl"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    let (mut fresh, mut known) = (0_usize, 0_usize);
    let mut output = BufWriter::new(file.as_file_mut());
    for checked in reader(input, method) {
        let checked = checked.with_context(named).map_err(bad)?;
        let hash = checked.content_hash().map(|hash| hash.to_string());
        if hash.is_some_and(|hash| learnt.contains(&hash)) {
            known += 1;
            continue;
        }
        let Some(value) = &checked.value else {
            return Err(bad(anyhow!("{}, line {}: no JSON", named(), checked.place.line)));
        };
        fresh += 1;
        serde_json::to_writer(&mut output, value)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    drop(output);
    if fresh == 0 {
        let error = anyhow!("{}: {model} was trained on all {known} examples already", named());
        return Err(Failure::new(Exit::BadData, error)
            .hint("add records, or train anew without --continue-from"));
    }
    file.persist(&path)?;
    writeln!(
        terminal.err,
        "{fresh} examples are new to {model}, {known} are not and are left out; written to {}",
        path.display()
    )?;
    Ok(path)
}
