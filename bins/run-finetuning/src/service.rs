//! The service that a run goes to, as its record calls it.

use std::path::PathBuf;

use cli::{Failure, Terminal};
use server::BaseModel;
use transport::Endpoint;

use crate::config::Place;

/// A service that can be started or is there.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is there.
    Service(Endpoint),
    /// It is to be started.
    Local { data_dir: PathBuf, base: BaseModel },
}

/// What the ledger calls the embedded server.
pub(crate) const LOCAL: &str = "local";

/// Finds the service; on this machine that may fetch the base model.
pub(crate) fn find(place: &Place, terminal: &mut Terminal<'_>) -> Result<Found, Failure> {
    match place {
        Place::Service(endpoint) => Ok(Found::Service(Endpoint::clone(endpoint))),
        Place::Local { data_dir, base } => {
            Ok(Found::Local { data_dir: data_dir.clone(), base: base.find(terminal)? })
        }
    }
}

impl Found {
    /// What a run's key and record call the service; the same for every run at it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Service(endpoint) => endpoint.base_url().to_owned(),
            Self::Local { .. } => LOCAL.to_owned(),
        }
    }

    /// What besides the files and the recipe decides what comes out.
    pub(crate) fn mark(&self) -> String {
        match self {
            Self::Service(_) => self.name(),
            Self::Local { base, data_dir } => {
                let folder = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.clone());
                format!("local {} {}", base.sha256, folder.display())
            }
        }
    }

    /// Where to connect to.
    pub(crate) fn place(self) -> connect::Place {
        match self {
            Self::Service(endpoint) => connect::Place::Service(endpoint),
            Self::Local { data_dir, base } => {
                connect::Place::Local(server::Options::new(data_dir, vec![base]))
            }
        }
    }
}
