//! Which file of which repository.

use std::fmt;

use crate::Error;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
}

/// A repository of the hub, by its owner and name.
///
/// # Examples
///
/// ```
/// use hub::Repository;
///
/// let records = Repository::dataset("FreedomIntelligence/medical-o1-reasoning-SFT")?;
/// let model = Repository::model("HuggingFaceTB/SmolLM2-135M-Instruct")?;
/// assert_eq!(records.to_string(), "FreedomIntelligence/medical-o1-reasoning-SFT");
/// assert_eq!(model.file("config.json").revision, "main");
/// assert!(Repository::model("../SmolLM2").is_err());
/// # Ok::<(), hub::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub(crate) kind: Kind,
    pub(crate) owner: String,
    pub(crate) name: String,
}

impl Repository {
    /// The dataset called `owner/name`.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] where the text is no such name.
    pub fn dataset(name: &str) -> Result<Self, Error> {
        Self::parse(Kind::Dataset, name)
    }

    /// The model called `owner/name`.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] where the text is no such name.
    pub fn model(name: &str) -> Result<Self, Error> {
        Self::parse(Kind::Model, name)
    }

    fn parse(kind: Kind, text: &str) -> Result<Self, Error> {
        let is_part = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.chars().all(plain) && !part.bytes().all(|byte| byte == b'.')
        };
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner) && is_part(name) => {
                Ok(Self { kind, owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(Error::Name { name: text.to_owned() }),
        }
    }

    /// The newest version of the repository's file at the path `name`.
    pub fn file(&self, name: &str) -> RemoteFile {
        RemoteFile {
            repository: self.clone(),
            revision: "main".to_owned(),
            name: name.to_owned(),
            pinned: None,
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A file of a repository.
///
/// # Examples
///
/// ```
/// use hub::{RemoteFile, Repository};
///
/// let newest = Repository::model("HuggingFaceTB/SmolLM2-135M-Instruct")?.file("tokenizer.json");
/// assert!(newest.pinned.is_none());
/// let commit = "12fd25f77366fa6b3b4b768ec3050bf629380bac".to_owned();
/// let fixed = RemoteFile { revision: commit, ..newest };
/// assert_eq!((fixed.name.as_str(), fixed.revision.len()), ("tokenizer.json", 40));
/// # Ok::<(), hub::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it is.
    pub repository: Repository,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// Its path in the repository.
    pub name: String,
    /// What it must be, where the caller knows; otherwise the hub is asked.
    pub pinned: Option<Pinned>,
}

/// What a file must be.
///
/// # Examples
///
/// ```
/// use hub::{Error, Pinned, RemoteFile, Repository, Settings, fetch};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.txt");
/// std::fs::write(&path, "somebody's own notes")?;
/// let git_sha1 = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".to_owned();
/// let pinned = Some(Pinned { bytes: 0, sha256: String::new(), git_sha1 });
/// let file = RemoteFile { pinned, ..Repository::dataset("clinic/records")?.file("notes.txt") };
/// // What stands in the place is not what was meant, and is left alone.
/// let error = fetch(&file, &path, &Settings::default(), &mut |_, _| {}).unwrap_err();
/// assert!(matches!(error, Error::Occupied { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal; empty where it is not known.
    pub sha256: String,
    /// Its name in git in hexadecimal, the SHA-1 of a header and its bytes; empty where it is not known.
    pub git_sha1: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_an_owner_and_a_name() {
        for good in ["owner/name", "Free-D_1/med.o1-SFT"] {
            assert_eq!(Repository::dataset(good).unwrap().to_string(), good);
        }
        for bad in ["", "name", "/name", "owner/", "a/b/c", "a/..", "../b", "a b/c", "http://x"] {
            assert!(Repository::dataset(bad).is_err(), "{bad}");
        }
    }
}
