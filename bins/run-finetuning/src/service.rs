//! The service: one that is there already, or the embedded server started for the job.

use std::path::PathBuf;

use cli::{Exit, Failure, Terminal};
use server::{BaseModel, Embedded};
use transport::{Client, Endpoint, Key, Provider, Retry, Settings};

use crate::base;
use crate::config::Place;

/// A service that can be started or is there.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is there.
    Service(Endpoint),
    /// It is to be started.
    Local { data_dir: PathBuf, base: BaseModel },
}

/// A service that is ready.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) client: Client,
    embedded: Option<Embedded>,
}

/// Finds the service; on this machine that may fetch the base model.
pub(crate) fn find(place: &Place, terminal: &mut Terminal<'_>) -> Result<Found, Failure> {
    match place {
        Place::Service(endpoint) => Ok(Found::Service(Endpoint::clone(endpoint))),
        Place::Local { data_dir, source, name, locate } => {
            let base = base::find(name, source, locate, terminal)?;
            Ok(Found::Local { data_dir: data_dir.clone(), base })
        }
    }
}

impl Found {
    /// What a run's key and record call the service; the same for every run at it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Service(endpoint) => endpoint.base_url().to_owned(),
            Self::Local { .. } => "local".to_owned(),
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

    /// Connects to the service, or starts it.
    pub(crate) async fn start(self, retries: u32) -> Result<Service, Failure> {
        let (endpoint, embedded) = match self {
            Self::Service(endpoint) => (endpoint, None),
            Self::Local { data_dir, base } => {
                let options = server::Options::new(data_dir, vec![base]);
                let embedded = Embedded::start(options).await.map_err(not_started)?;
                let key = Key::new(embedded.token().expose())?;
                (Endpoint::new(Provider::Local, embedded.base_url(), Some(key))?, Some(embedded))
            }
        };
        let retry = Retry { attempts: retries.saturating_add(1), ..Retry::default() };
        let settings = Settings { retry, ..Settings::default() };
        Ok(Service { client: Client::new(endpoint, settings)?, embedded })
    }
}

impl Service {
    /// Stops the embedded server, if it was started; a job that runs leaves what is needed to go on.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        match self.embedded {
            Some(embedded) => Ok(embedded.shutdown().await?),
            None => Ok(()),
        }
    }
}

fn not_started(error: server::Error) -> Failure {
    let in_use = matches!(error, server::Error::InUse { .. });
    let failure = Failure::new(Exit::Failed, error);
    if in_use {
        let hint = "train at the server that runs on it, with --base-url http://127.0.0.1:8080/v1, or give --data-dir";
        return failure.hint(hint);
    }
    failure
}
