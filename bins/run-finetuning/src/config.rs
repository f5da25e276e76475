//! The command line and the environment, made one.

use std::path::PathBuf;
use std::time::Duration;

use cli::{Environment, Failure};
use connect::BaseModel;
use ftjob::Recipe;
use tokens::PriceTable;
use transport::Endpoint;

use crate::arguments::{Arguments, Choice};
use crate::price;

/// The original's model is shut down; this one is its size and could be trained the longest.
const SERVICE_MODEL: &str = "gpt-4.1-mini-2025-04-14";
/// The validation file's name where none is given.
const VALID: &str = "medical_valid.jsonl";

/// Everything that decides what is trained, where and on what.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) place: Place,
    /// Why it is that place, in a few words.
    pub(crate) why: String,
    pub(crate) recipe: Recipe,
    pub(crate) train: PathBuf,
    pub(crate) valid: Option<PathBuf>,
    pub(crate) poll: Duration,
    pub(crate) retries: u32,
    pub(crate) prices: PriceTable,
    pub(crate) yes: bool,
    pub(crate) runs_dir: PathBuf,
    pub(crate) model_file: PathBuf,
}

/// Where to train.
#[derive(Debug)]
pub(crate) enum Place {
    /// At a service.
    Service(Box<Endpoint>),
    /// On this machine.
    Local { data_dir: PathBuf, base: BaseModel },
}

impl Config {
    pub(crate) fn resolve(
        arguments: Arguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let (local, why) = choose(&arguments, environment);
        let (place, model) = if local {
            local_place(&arguments, environment)?
        } else {
            service_place(&arguments, environment)?
        };
        let looked_for = || Some(PathBuf::from(VALID)).filter(|path| path.exists());
        let seconds = arguments.poll_seconds.unwrap_or(if local { 1.0 } else { 20.0 });
        Ok(Self {
            place,
            why,
            recipe: Recipe {
                suffix: Some(arguments.suffix).filter(|suffix| !suffix.is_empty()),
                seed: arguments.seed,
                epochs: arguments.epochs,
                batch_size: arguments.batch_size,
                learning_rate_multiplier: arguments.learning_rate_multiplier,
                ..Recipe::new(model)
            },
            train: arguments.train,
            valid: arguments.valid.or_else(looked_for),
            poll: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
            retries: arguments.retries,
            prices: price::table(arguments.price_table.as_deref())?,
            yes: arguments.yes,
            runs_dir: arguments.runs_dir,
            model_file: arguments.model_file,
        })
    }
}

/// Whether to train on this machine, and why.
fn choose(arguments: &Arguments, environment: &Environment) -> (bool, String) {
    let named = |flag: &str| format!("--{flag} says so");
    match arguments.provider {
        Choice::Local => (true, named("provider")),
        Choice::Openai => (false, named("provider")),
        Choice::Auto if arguments.base_url.is_some() => (false, named("base-url")),
        Choice::Auto if environment.get("OPENAI_API_KEY").is_some() => {
            (false, "OPENAI_API_KEY is set".to_owned())
        }
        Choice::Auto => (true, "OPENAI_API_KEY is not set".to_owned()),
    }
}

fn local_place(
    arguments: &Arguments,
    environment: &Environment,
) -> Result<(Place, String), Failure> {
    let name = arguments.base_model.as_deref().unwrap_or(engine::models::MODELS[0].name);
    let base = BaseModel::new(name, environment)?;
    let data_dir = connect::data_dir(arguments.data_dir.clone(), environment);
    let id = base.id();
    Ok((Place::Local { data_dir, base }, id))
}

fn service_place(
    arguments: &Arguments,
    environment: &Environment,
) -> Result<(Place, String), Failure> {
    let endpoint = connect::endpoint(arguments.base_url.as_deref(), environment)?;
    // A service on this machine is most likely our own server, which has no model of OpenAI's.
    let default =
        if endpoint.is_loopback() { engine::models::MODELS[0].name } else { SERVICE_MODEL };
    let model = arguments.base_model.clone().unwrap_or_else(|| default.to_owned());
    Ok((Place::Service(Box::new(endpoint)), model))
}
