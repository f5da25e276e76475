//! Why a file is not to be had.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a file could not be fetched.
///
/// # Examples
///
/// ```
/// use hub::{Error, Repository};
///
/// let error = Repository::dataset("medical-o1-reasoning-SFT").unwrap_err();
/// assert!(matches!(&error, Error::Name { name } if name == "medical-o1-reasoning-SFT"));
/// assert!(error.to_string().ends_with("is no repository of the hub: expected `owner/name`"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text names no repository.
    #[error("`{name}` is no repository of the hub: expected `owner/name`")]
    Name {
        /// The text.
        name: String,
    },
    /// The hub may not be asked.
    #[error("the Hugging Face hub is not asked, because it is set to offline")]
    Offline,
    /// The hub did not answer in time.
    #[error("the Hugging Face hub at {endpoint} did not answer within {} seconds", patience.as_secs_f32())]
    Silent {
        /// The hub's address.
        endpoint: String,
        /// How long it had.
        patience: Duration,
    },
    /// The repository or the file is not there, or only for others.
    #[error("the Hugging Face hub at {endpoint} has no {what}")]
    Missing {
        /// The hub's address.
        endpoint: String,
        /// What is missing.
        what: String,
    },
    /// The hub wants a token, or another one.
    #[error("the Hugging Face hub at {endpoint} does not give {what} to everybody")]
    Forbidden {
        /// The hub's address.
        endpoint: String,
        /// What was asked for.
        what: String,
    },
    /// The hub answered with another error or broke off.
    #[error("the Hugging Face hub at {endpoint} cannot be used: {reason}")]
    Hub {
        /// The hub's address.
        endpoint: String,
        /// What its client said.
        reason: String,
    },
    /// What was fetched is not what it should be.
    #[error(
        "{name} has {hash} {found} with {found_bytes} bytes, where {expected} with {expected_bytes} is right"
    )]
    Mismatch {
        /// The file.
        name: String,
        /// What is compared: SHA-256, or the name in git.
        hash: &'static str,
        /// The right hash.
        expected: String,
        /// The hash found.
        found: String,
        /// The right length.
        expected_bytes: u64,
        /// The length found.
        found_bytes: u64,
    },
    /// Another file stands where the fetched one should go.
    #[error("{} is there already and is another file", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// Another process is fetching the same file.
    #[error("another process is writing {}", path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A file could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// An input or output error with the path that it concerns.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
