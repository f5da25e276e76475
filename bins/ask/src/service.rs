//! Where the question goes: a service, or the embedded server started for it.

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, Terminal};
use connect::{BaseModel, Place};

use crate::config::{Config, Source};

/// Finds the place that `config` names; on this machine that may fetch the base model.
pub(crate) fn find(
    config: &Config,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Place, Failure> {
    match &config.source {
        Source::Service { base_url } => {
            connect::endpoint(base_url.as_deref(), environment).map(Place::Service)
        }
        Source::Local { data_dir, base_model } => {
            // A base model needs no folder of a training: the server makes an empty one.
            let is_tuned = config.saved.model != config.saved.base_model;
            if is_tuned && !data_dir.is_dir() {
                let error = anyhow!("{}: no such folder", data_dir.display());
                let hint = "the embedded server keeps its models there; --data-dir names another, --base-url a server";
                return Err(Failure::new(Exit::BadData, error).hint(hint));
            }
            let found = BaseModel::new(base_model, environment)?.find(terminal)?;
            // The server knows the base model by the name that it was trained under, wherever its file is now.
            let base = server::BaseModel { id: config.saved.base_model.clone(), ..found };
            Ok(Place::Local(server::Options::new(data_dir, vec![base])))
        }
    }
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
    let code = error.refusal().and_then(transport::Refusal::code);
    match error.status() {
        Some(400) if code == Some("context_length_exceeded") => Some(
            "this is too long for the model; in a conversation /reset forgets what was said so far",
        ),
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
