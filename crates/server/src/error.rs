//! Why a server cannot start or stops.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// An error of the server itself; what clients get is answered over HTTP.
///
/// # Examples
///
/// ```
/// use server::{Error, Options, Server};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let options = Options::new(folder.path(), vec![]);
/// let _first = Server::open(options.clone())?;
/// let second = Server::open(options);
/// assert!(matches!(second, Err(Error::InUse { .. })), "two servers would spoil each other's jobs");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process uses the data folder.
    #[error("the data folder {} is in use by another server", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder, or something in it, cannot be made or opened.
    #[error("the data folder {}", path.display())]
    Folder {
        /// The file or folder at fault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("the database {}", path.display())]
    Database {
        /// The database's file.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// No base model has this name.
    #[error("no base model is called `{id}`")]
    UnknownModel {
        /// The name asked for.
        id: String,
    },
    /// A model's files cannot be loaded.
    #[error("the model `{id}`")]
    Model {
        /// The model's name.
        id: String,
        /// What the engine said.
        source: engine::Error,
    },
    /// The network: an address that cannot be bound, or a listener that broke.
    #[error("the listener")]
    Listen {
        /// What the system said.
        source: io::Error,
    },
    /// The threads for jobs or answers cannot be started.
    #[error("the threads for jobs and answers")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// `error` and what it comes from, in one line for the log.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
