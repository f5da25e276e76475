//! Which model is measured, and where it is.

use cli::{Environment, Failure, Terminal};
use connect::{ModelArguments, Place};
use inference::SavedModel;

/// A model and the place to ask it at.
#[derive(Debug)]
pub(crate) struct Model {
    /// The model with the system prompt and template to ask it with.
    pub(crate) saved: SavedModel,
    pub(crate) place: Place,
    /// What answers there, for the record of answers: an address, or the weights on this machine.
    pub(crate) service: String,
    /// The same for people.
    pub(crate) shown: String,
}

/// Finds the model that the arguments name; on this machine that may fetch the base model.
pub(crate) fn find(
    arguments: &ModelArguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Model, Failure> {
    let saved = arguments.saved()?;
    let place = arguments.source(&saved, environment)?.find(&saved, terminal)?;
    let (service, shown) = match &place {
        Place::Service(endpoint) => (endpoint.base_url().to_owned(), endpoint.host().to_owned()),
        Place::Local(options) => {
            let weights: Vec<&str> =
                options.base_models.iter().map(|base| base.sha256.as_str()).collect();
            (format!("local weights {}", weights.join(" ")), "this machine".to_owned())
        }
    };
    Ok(Model { saved, place, service, shown })
}
