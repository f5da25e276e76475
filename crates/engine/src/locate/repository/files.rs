//! Which files of a repository make a model, as the hub describes them at one commit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hub::{Described, Fetched, Pinned, RemoteFile, Repository, describe};
use serde::Deserialize;

use super::HubModel;
use crate::locate::HubSettings;
use crate::locate::error::LocateError;
use crate::locate::shelf::Shelf;

/// The index of weights in several files.
const INDEX: &str = "model.safetensors.index.json";
/// What every model has beside its weights.
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
/// What some have.
const USEFUL: [&str; 3] =
    ["tokenizer_config.json", "generation_config.json", "chat_template.jinja"];
/// Files of weights that one model may have.
const SHARDS: usize = 1024;

/// The files of a model, all of one commit, and where they gather.
pub(super) struct Wanted {
    pub(super) commit: String,
    pub(super) folder: PathBuf,
    /// The weights last.
    pub(super) all: Vec<File>,
    repository: Repository,
}

/// A file to be fetched.
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: u64,
    sha256: Option<String>,
    /// Its name in git, which the hub tells of small files.
    git_sha1: Option<String>,
    /// Whether the hash was known before the hub told one.
    known: bool,
}

impl File {
    /// Its name in the model's folder.
    pub(super) fn local_name(&self) -> String {
        super::last(&self.name).to_owned()
    }

    pub(super) fn is_weights(&self) -> bool {
        super::is_a(&self.name, "gguf") || super::is_a(&self.name, "safetensors")
    }

    /// A sentence about what it was held to.
    pub(super) fn checked_by(&self) -> String {
        let Self { name, bytes, .. } = self;
        match (&self.sha256, self.known) {
            (Some(sha256), true) => format!("{name} has the SHA-256 that is known of it: {sha256}"),
            (Some(sha256), false) => {
                format!("{name} has the SHA-256 that the hub tells of it: {sha256}")
            }
            (None, _) if self.git_sha1.is_some() => {
                format!("{name} has the name in git that the hub tells of it")
            }
            (None, _) => format!(
                "the hub tells no SHA-256 of {name}, so that only its length was checked: {bytes} bytes"
            ),
        }
    }
}

impl Wanted {
    /// Asks the hub which files `model` has; a list of weights in several files is fetched for that.
    pub(super) fn list(
        model: &HubModel,
        shelf: &Shelf,
        settings: &HubSettings,
    ) -> Result<Self, LocateError> {
        let repository = Repository::model(model.repository())?;
        let first = model.file().unwrap_or(NEEDED[0]);
        let described = describe(&at(&repository, model.revision(), first), settings)?;
        let commit = described.commit.clone();
        let folder = shelf.unfinished_of(&model.place(), &commit)?;
        let mut wanted = Self { commit, folder, all: Vec::new(), repository };
        wanted.add(model, first, described)?;
        if model.file().is_some() {
            return Ok(wanted);
        }
        wanted.ask(model, NEEDED[1], settings)?;
        for name in USEFUL {
            wanted.ask_whether(model, name, settings)?;
        }
        if wanted.ask_whether(model, INDEX, settings)? {
            let index = wanted.all.last().expect("it was just added");
            wanted.fetch(index, settings, &mut |_, _| {})?;
            for shard in shards(model, &wanted.folder.join(INDEX))? {
                wanted.ask(model, &shard, settings)?;
            }
        } else {
            wanted.ask(model, "model.safetensors", settings)?;
        }
        Ok(wanted)
    }

    /// Adds a file that must be there.
    fn ask(
        &mut self,
        model: &HubModel,
        name: &str,
        settings: &HubSettings,
    ) -> Result<(), LocateError> {
        let described = describe(&at(&self.repository, &self.commit, name), settings)?;
        self.add(model, name, described)
    }

    /// Adds a file where it is there.
    fn ask_whether(
        &mut self,
        model: &HubModel,
        name: &str,
        settings: &HubSettings,
    ) -> Result<bool, LocateError> {
        match self.ask(model, name, settings) {
            Ok(()) => Ok(true),
            Err(LocateError::Hub(hub::Error::Missing { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Adds a file as it was described, unless something else is known of it.
    fn add(
        &mut self,
        model: &HubModel,
        name: &str,
        described: Described,
    ) -> Result<(), LocateError> {
        let Described { bytes, sha256, git_sha1, .. } = described;
        let Some(pinned) = model.pinned(name) else {
            self.all.push(File { name: name.to_owned(), bytes, sha256, git_sha1, known: false });
            return Ok(());
        };
        // Told now, not after gigabytes of another file.
        let differs = |sha256: &String| *sha256 != pinned.sha256;
        if bytes != pinned.bytes || sha256.as_ref().is_some_and(differs) {
            return Err(LocateError::Mismatch {
                name: name.to_owned(),
                expected: pinned.sha256.to_owned(),
                found: sha256.unwrap_or_else(|| "unknown".to_owned()),
                expected_bytes: pinned.bytes,
                found_bytes: bytes,
            });
        }
        let sha256 = Some(pinned.sha256.to_owned());
        self.all.push(File { name: name.to_owned(), bytes, sha256, git_sha1, known: true });
        Ok(())
    }

    /// Brings a file into the folder, checked by what is known of it.
    pub(super) fn fetch(
        &self,
        file: &File,
        settings: &HubSettings,
        heard: &mut dyn FnMut(u64, u64),
    ) -> Result<Fetched, LocateError> {
        let sha256 = file.sha256.clone().unwrap_or_default();
        let git_sha1 = file.git_sha1.clone().unwrap_or_default();
        let pinned = Some(Pinned { bytes: file.bytes, sha256, git_sha1 });
        let remote = RemoteFile { pinned, ..at(&self.repository, &self.commit, &file.name) };
        let target = self.folder.join(file.local_name());
        match hub::fetch(&remote, &target, settings, heard) {
            // Of an attempt whose hub told something else.
            Err(hub::Error::Occupied { .. }) => {
                super::remove(&target)?;
                Ok(hub::fetch(&remote, &target, settings, heard)?)
            }
            fetched => Ok(fetched?),
        }
    }
}

fn at(repository: &Repository, revision: &str, name: &str) -> RemoteFile {
    RemoteFile { revision: revision.to_owned(), ..repository.file(name) }
}

/// The files of weights that an index names.
fn shards(model: &HubModel, index: &Path) -> Result<BTreeSet<String>, LocateError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let fault = |reason: String| LocateError::Repository {
        repository: model.repository().to_owned(),
        reason,
    };
    let bytes = std::fs::read(index).map_err(LocateError::file(index))?;
    let Index { weight_map } = serde_json::from_slice(&bytes)
        .map_err(|error| fault(format!("{INDEX} cannot be read: {error}")))?;
    let shards: BTreeSet<String> = weight_map.into_values().collect();
    let strange = |name: &&String| !super::is_a(name, "safetensors") || name.contains(['/', '\\']);
    if let Some(name) = shards.iter().find(strange) {
        return Err(fault(format!(
            "{INDEX} names `{name}`, which is no file of weights beside it"
        )));
    }
    if shards.is_empty() || shards.len() > SHARDS {
        return Err(fault(format!("{INDEX} names {} files of weights", shards.len())));
    }
    Ok(shards)
}
