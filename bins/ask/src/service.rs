//! Where the question goes: a service, or the embedded server started for it.

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use server::{BaseModel, Embedded};
use transport::{Client, Endpoint, Key, Provider, Settings};

use crate::base;
use crate::config::{Config, Source};

/// `OpenAI`'s own address.
const OPENAI: &str = "https://api.openai.com/v1";

/// A place that was found and can be gone to.
#[derive(Debug)]
pub(crate) enum Place {
    Service(Endpoint),
    Local(server::Options),
}

/// A service that is ready to be asked.
#[derive(Debug)]
pub(crate) struct Service {
    client: Client,
    embedded: Option<Embedded>,
}

/// Finds the place that `config` names; on this machine that may fetch the base model.
pub(crate) fn find(
    config: &Config,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Place, Failure> {
    match &config.source {
        Source::Service { base_url } => {
            endpoint(base_url.as_deref(), environment).map(Place::Service)
        }
        Source::Local { data_dir, base_model } => {
            // A base model needs no folder of a training: the server makes an empty one.
            let is_tuned = config.saved.model != config.saved.base_model;
            if is_tuned && !data_dir.is_dir() {
                let error = anyhow!("{}: no such folder", data_dir.display());
                let hint = "the embedded server keeps its models there; --data-dir names another, --base-url a server";
                return Err(Failure::new(Exit::BadData, error).hint(hint));
            }
            let located = base::locate(base_model, environment, terminal)?;
            // The server knows the base model by the name that it was trained under, wherever its file is now.
            let id = config.saved.base_model.clone();
            let base = BaseModel { id, path: located.path, sha256: located.sha256 };
            Ok(Place::Local(server::Options::new(data_dir, vec![base])))
        }
    }
}

fn endpoint(base_url: Option<&str>, environment: &Environment) -> Result<Endpoint, Failure> {
    let base_url = base_url.or_else(|| environment.get("OPENAI_BASE_URL")).unwrap_or(OPENAI);
    let key = environment.get("OPENAI_API_KEY").map(Key::new).transpose();
    let key = key.context("OPENAI_API_KEY").or_exit(Exit::Usage)?;
    let mut endpoint = Endpoint::new(Provider::OpenAi, base_url, key).or_exit(Exit::Usage)?;
    if environment.get("OPENAI_API_KEY").is_none() && !endpoint.is_loopback() {
        let error = anyhow!("no key for {}", endpoint.host());
        let hint = "set OPENAI_API_KEY in the environment or in .env";
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    if let Some(id) = environment.get("OPENAI_ORG_ID") {
        endpoint = endpoint.with_organization(id).or_exit(Exit::Usage)?;
    }
    if let Some(id) = environment.get("OPENAI_PROJECT_ID") {
        endpoint = endpoint.with_project(id).or_exit(Exit::Usage)?;
    }
    Ok(endpoint)
}

impl Service {
    /// Connects to a service, or starts the embedded server.
    pub(crate) async fn start(place: Place) -> Result<Self, Failure> {
        let (endpoint, embedded) = match place {
            Place::Service(endpoint) => (endpoint, None),
            Place::Local(options) => {
                let embedded = Embedded::start(options).await.map_err(not_started)?;
                let key = Key::new(embedded.token().expose())?;
                let endpoint = Endpoint::new(Provider::Local, embedded.base_url(), Some(key))?;
                (endpoint, Some(embedded))
            }
        };
        let client = Client::new(endpoint, Settings::default())?;
        Ok(Self { client, embedded })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Stops the embedded server, if it was started; the answer is there already, so that an error changes nothing.
    pub(crate) async fn stop(self) {
        if let Some(embedded) = self.embedded {
            let _ = embedded.shutdown().await;
        }
    }
}

fn not_started(error: server::Error) -> Failure {
    let in_use = matches!(error, server::Error::InUse { .. });
    let failure = Failure::new(Exit::Failed, error);
    let hint =
        "a server that runs on it already can be asked with --base-url http://127.0.0.1:8080/v1";
    if in_use { failure.hint(hint) } else { failure }
}

/// The failure that an unanswered question ends the tool with.
pub(crate) fn refused(error: inference::Error) -> Failure {
    let hint = match &error {
        inference::Error::NotAsTrained { .. } => {
            let hint = "give --system-prompt or --template to ask it differently on purpose";
            return Failure::new(Exit::BadData, error).hint(hint);
        }
        inference::Error::NotReady { .. } => Some(
            "a service may take some minutes to serve a new model: ask again, or give --wait-seconds",
        ),
        inference::Error::Service { source, .. } => hint(source),
        _ => None,
    };
    let failure = Failure::new(Exit::Service, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(error: &transport::Error) -> Option<&'static str> {
    match error.status() {
        Some(401) => Some("the service does not take the key in OPENAI_API_KEY"),
        Some(404) => Some(
            "the model is unknown there; --model, --provider and --base-url say what to ask where",
        ),
        None if matches!(error, transport::Error::Unreachable { .. }) => {
            Some("is the service's address right (--base-url, OPENAI_BASE_URL)?")
        }
        _ => None,
    }
}
