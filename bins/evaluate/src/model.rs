//! Which model is measured, and where it is.

use std::path::{Path, PathBuf};

use cli::{Environment, Exit, Failure, Terminal};
use connect::BaseModel;
use inference::{SavedModel, SavedModelError};
use transport::Provider;

use crate::arguments::{ModelArguments, Place};

/// A model and the place to ask it at.
#[derive(Debug)]
pub(crate) struct Model {
    /// The model with the system prompt and template to ask it with.
    pub(crate) saved: SavedModel,
    pub(crate) place: connect::Place,
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
    let saved = saved(arguments)?;
    let local = match arguments.provider {
        Place::Local => true,
        Place::Openai => false,
        // A server whose address is given is a service, also one on this machine.
        Place::Auto => saved.provider == Provider::Local && arguments.base_url.is_none(),
    };
    if local {
        return on_this_machine(saved, arguments, environment, terminal);
    }
    let base_url = arguments.base_url.as_deref().or(saved.base_url.as_deref());
    let endpoint = connect::endpoint(base_url, environment)?;
    let service = endpoint.base_url().to_owned();
    let shown = endpoint.host().to_owned();
    Ok(Model { saved, place: connect::Place::Service(endpoint), service, shown })
}

/// The saved model, or the one that `--model` names with what the saved one tells about it.
fn saved(arguments: &ModelArguments) -> Result<SavedModel, Failure> {
    let loaded = SavedModel::load(&arguments.model_file);
    let Some(id) = &arguments.model else {
        return loaded.map_err(|error| {
            let missing = matches!(error, SavedModelError::Missing { .. });
            let failure = Failure::new(Exit::BadData, error);
            let hint =
                "run-finetuning trains a model and saves it there; --model ID measures any other";
            if missing { failure.hint(hint) } else { failure }
        });
    };
    match loaded {
        // The base model, asked as the tuned one: what the training changed shows.
        Ok(mut saved) if saved.model == *id || saved.base_model == *id => {
            saved.model.clone_from(id);
            Ok(saved)
        }
        Ok(_) | Err(SavedModelError::Missing { .. }) => {
            let mut saved = SavedModel::of_id(id);
            if engine::models::find(id).is_some() {
                saved.provider = Provider::Local;
            }
            Ok(saved)
        }
        Err(error) => Err(Failure::new(Exit::BadData, error)),
    }
}

fn on_this_machine(
    saved: SavedModel,
    arguments: &ModelArguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Model, Failure> {
    let folder = arguments.data_dir.clone().or_else(|| saved.data_dir.clone());
    let data_dir: PathBuf = connect::data_dir(folder, environment);
    let is_tuned = saved.model != saved.base_model;
    if is_tuned && !data_dir.is_dir() {
        let error = anyhow::anyhow!("{}: no such folder", data_dir.display());
        let hint = "the embedded server keeps its models there; --data-dir names another, --base-url a server";
        return Err(Failure::new(Exit::BadData, error).hint(hint));
    }
    let path = saved.base_model_path.as_deref().map(|path: &Path| path.display().to_string());
    let name = arguments.base_model.clone().or(path).unwrap_or_else(|| saved.base_model.clone());
    let found = BaseModel::new(&name, environment)?.find(terminal)?;
    let service = format!("local weights {}", found.sha256);
    // The server knows the base model by the name that it was trained under, wherever its file is now.
    let base = server::BaseModel { id: saved.base_model.clone(), ..found };
    let place = connect::Place::Local(server::Options::new(data_dir, vec![base]));
    Ok(Model { saved, place, service, shown: "this machine".to_owned() })
}
