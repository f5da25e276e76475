//! What users write: `owner/name`, with `@REVISION` and `:FILE.gguf` where they want them.

use std::fmt;
use std::path::{Path, PathBuf};

use hub::Repository;

use crate::models::{HubFiles, PinnedFile};

/// The newest commit's name.
const NEWEST: &str = "main";

/// A model by its name on the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubModel {
    /// `owner/name`.
    repository: String,
    /// A branch, a tag or a commit.
    revision: String,
    /// One GGUF file of the repository; none takes its safetensors with their JSON files.
    file: Option<String>,
    /// Files whose bytes are known beforehand.
    pinned: &'static [PinnedFile],
}

impl HubModel {
    /// Reads `owner/name`, `owner/name@REVISION`, `owner/name:FILE.gguf` or both together.
    ///
    /// The name of a model's file is none of these, since it is more likely a path with a mistake in it.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, file) = match text.split_once(':') {
            Some((name, file)) => (name, Some(file)),
            None => (text, None),
        };
        let (repository, revision) = name.split_once('@').unwrap_or((name, NEWEST));
        Repository::model(repository).ok()?;
        let is_file = |name: &str| super::is_a(name, "gguf") || super::is_a(name, "safetensors");
        let named = file.is_none_or(|file| super::is_a(file, "gguf") && is_path(file));
        (named && is_path(revision) && !is_file(repository)).then(|| Self {
            repository: repository.to_owned(),
            revision: revision.to_owned(),
            file: file.map(str::to_owned),
            pinned: &[],
        })
    }

    /// The repository of a known model, at its commit.
    pub(crate) fn known(files: &HubFiles) -> Self {
        Self {
            repository: format!("{}/{}", files.owner, files.repository),
            revision: files.revision.to_owned(),
            file: None,
            pinned: files.files,
        }
    }

    /// `owner/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Where it lies in a cache once it was fetched.
    pub fn cached_in(&self, cache_dir: &Path) -> PathBuf {
        let folder = cache_dir.join(self.folder()).join(self.place());
        self.file.as_ref().map_or_else(|| folder.clone(), |file| folder.join(super::last(file)))
    }

    /// A branch, a tag or a commit.
    pub(super) fn revision(&self) -> &str {
        &self.revision
    }

    /// The GGUF file, where one is named.
    pub(super) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// What a file must be, where that is known beforehand.
    pub(super) fn pinned(&self, name: &str) -> Option<&'static PinnedFile> {
        self.pinned.iter().find(|file| file.name == name)
    }

    /// The repository's folder in the cache.
    pub(super) fn folder(&self) -> String {
        format!("hub--{}", self.repository.replace('/', "--"))
    }

    /// Where in that folder this model lies.
    pub(super) fn place(&self) -> String {
        let file = self.file.iter().map(String::as_str);
        let parts: Vec<&str> = [self.revision.as_str()].into_iter().chain(file).collect();
        parts.join("--").replace('/', "--")
    }
}

/// As the user may write it.
impl fmt::Display for HubModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.repository)?;
        if self.revision != NEWEST {
            write!(formatter, "@{}", self.revision)?;
        }
        self.file.iter().try_for_each(|file| write!(formatter, ":{file}"))
    }
}

/// Whether it is a path that leads nowhere but downwards, in characters that every file system takes.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+ ".contains(c);
    let part = |part: &str| {
        !part.is_empty() && part.chars().all(plain) && !part.bytes().all(|byte| byte == b'.')
    };
    text.split('/').all(part)
}
