//! The command line and the environment, made one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use cli::{Environment, Exit, Failure, ResultExt as _};
use connect::{BaseModel, Profile, Profiles};
use ftjob::{Recipe, Timing};
use tokens::{Day, PriceTable};
use transport::{Endpoint, Retry, Settings};

use crate::arguments::{Common, Method, Train};
use crate::continued;
use crate::price;
use crate::sweep::Axis;

/// The validation file's name where none is given.
const VALID: &str = "medical_valid.jsonl";

/// Where a run goes and how it is asked there, which is all that a run begun before needs.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) profile: Profile,
    pub(crate) overrides: Vec<String>,
    pub(crate) place: Place,
    /// Why it is that place, in a few words.
    pub(crate) why: String,
    pub(crate) settings: Settings,
}

/// Where to train.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// At a service.
    Service(Box<Endpoint>),
    /// On this machine.
    Local { data_dir: PathBuf, base: BaseModel },
}

/// How a job is followed and what is printed of it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) timing: Timing,
    pub(crate) deadline: Option<Duration>,
    pub(crate) json: bool,
}

/// What is checked and asked before anything is spent.
#[derive(Debug, Clone)]
pub(crate) struct Caution {
    pub(crate) prices: PriceTable,
    pub(crate) today: Day,
    pub(crate) max_cost: Option<f64>,
    pub(crate) yes: bool,
    pub(crate) allow_identifiers: bool,
    pub(crate) allow_overlap: bool,
}

/// Everything that decides what is trained, where and on what.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) target: Target,
    pub(crate) recipe: Recipe,
    pub(crate) sweep: Vec<Axis>,
    pub(crate) continue_from: Option<String>,
    pub(crate) train: PathBuf,
    pub(crate) valid: Option<PathBuf>,
    pub(crate) caution: Caution,
    pub(crate) watch: Watch,
    pub(crate) in_parts: bool,
    pub(crate) detach: bool,
    pub(crate) runs_dir: PathBuf,
    pub(crate) model_file: PathBuf,
}

impl Config {
    pub(crate) fn resolve(arguments: Train, environment: &Environment) -> Result<Self, Failure> {
        let root = &arguments.common.runs_dir;
        let continued = arguments.continue_from.as_deref();
        let base = continued.map(|model| continued::base(root, model)).transpose()?.flatten();
        let named = arguments.base_model.as_deref().or(base.as_deref()).or(continued);
        let target = Target::resolve(&arguments.common, named, environment)?;
        let model = match &target.place {
            Place::Local { base, .. } => base.id(),
            Place::Service(endpoint) => service_model(&target.profile, endpoint, named)?,
        };
        let model = arguments.continue_from.clone().unwrap_or(model);
        let method = method(&arguments)?;
        // What prepare-data leaves in the folder are examples, not pairs.
        let is_supervised = method == ftjob::Method::Supervised;
        let looked_for =
            || Some(PathBuf::from(VALID)).filter(|path| is_supervised && path.exists());
        let watch = target.watch(arguments.poll_seconds, arguments.deadline, arguments.common.json);
        Ok(Self {
            target,
            recipe: Recipe {
                method,
                suffix: Some(arguments.suffix).filter(|suffix| !suffix.is_empty()),
                seed: arguments.seed,
                epochs: arguments.epochs,
                batch_size: arguments.batch_size,
                learning_rate_multiplier: arguments.learning_rate_multiplier,
                ..Recipe::new(model)
            },
            sweep: arguments.sweep,
            continue_from: arguments.continue_from,
            train: arguments.train,
            valid: arguments.valid.or_else(looked_for),
            caution: Caution {
                prices: price::table(arguments.price_table.as_deref())?,
                today: today()?,
                max_cost: arguments.max_cost,
                yes: arguments.common.yes,
                allow_identifiers: arguments.allow_identifiers,
                allow_overlap: arguments.allow_overlap,
            },
            watch,
            in_parts: arguments.in_parts,
            detach: arguments.detach,
            runs_dir: arguments.common.runs_dir,
            model_file: arguments.model_file,
        })
    }
}

impl Target {
    /// The place that the arguments and the environment choose; `model` is what is to be trained, if that is named.
    pub(crate) fn resolve(
        common: &Common,
        model: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let profiles = Profiles::in_folder(Path::new(".")).or_exit(Exit::Usage)?;
        let (name, why) = choose(common, environment);
        let mut profile = profiles.named(&name, &common.overrides).or_exit(Exit::Usage)?;
        let place = if profile.embedded {
            let name = model.map_or(engine::models::MODELS[0].name, tokens::base_model);
            let base = BaseModel::new(name, environment)?;
            let data_dir = connect::data_dir(common.data_dir.clone(), environment);
            Place::Local { data_dir, base }
        } else {
            let endpoint =
                connect::profile_endpoint(&profile, common.base_url.as_deref(), environment)?;
            // An address that the variables of OpenAI's SDK name may be another service's.
            if let Some(other) = profiles.of_host(endpoint.host()).filter(|_| name == "openai") {
                profile = profiles.named(other, &common.overrides).or_exit(Exit::Usage)?;
            }
            Place::Service(Box::new(endpoint))
        };
        let retry = Retry::default();
        let first_delay = Duration::try_from_secs_f64(common.retry_seconds);
        let settings = Settings {
            retry: Retry {
                attempts: common.retries.saturating_add(1),
                first_delay: first_delay.unwrap_or(Duration::MAX).min(retry.longest_delay),
                ..retry
            },
            certificates: connect::certificates(environment)?,
            ..Settings::default()
        };
        Ok(Self { profile, overrides: common.overrides.clone(), place, why, settings })
    }

    pub(crate) fn watch(
        &self,
        poll_seconds: Option<f64>,
        deadline: Option<Duration>,
        json: bool,
    ) -> Watch {
        let (poll, longest) = if self.is_local() { (1.0, 2.0) } else { (20.0, 120.0) };
        let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let poll = duration(poll_seconds.unwrap_or(poll));
        let longest_poll = duration(longest).max(poll);
        // Whoever asks for a pace gets that pace.
        let longest_poll = if poll_seconds.is_some() { poll } else { longest_poll };
        // Whoever looks faster than once a second wants everything else to be as fast.
        let second = poll.min(Duration::from_secs(1));
        let timing = Timing {
            poll,
            longest_poll,
            file_poll: second * 2,
            looks: [1, 2, 4, 8].map(|times| second * times).to_vec(),
            ..Timing::default()
        };
        Watch { timing, deadline, json }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self.place, Place::Local { .. })
    }

    /// Whether records stay on this machine.
    pub(crate) fn is_on_this_machine(&self) -> bool {
        match &self.place {
            Place::Local { .. } => true,
            Place::Service(endpoint) => endpoint.is_loopback(),
        }
    }
}

/// From what is learnt; a beta says something of pairs alone.
fn method(arguments: &Train) -> Result<ftjob::Method, Failure> {
    let beta = arguments.beta.is_some() || arguments.sweep.iter().any(Axis::is_of_preferences);
    match arguments.method {
        Method::Dpo => Ok(ftjob::Method::Preferences { beta: arguments.beta }),
        Method::Supervised if beta => {
            let error = anyhow!("beta: only preference tuning has one");
            Err(Failure::new(Exit::Usage, error).hint("--method dpo trains on pairs of answers"))
        }
        Method::Supervised => Ok(ftjob::Method::Supervised),
    }
}

/// The name of the profile to use, and why.
fn choose(common: &Common, environment: &Environment) -> (String, String) {
    let named = |flag: &str| format!("--{flag} says so");
    match common.provider.as_str() {
        "auto" if common.base_url.is_some() => ("openai".to_owned(), named("base-url")),
        "auto" if environment.get("OPENAI_API_KEY").is_some() => {
            ("openai".to_owned(), "OPENAI_API_KEY is set".to_owned())
        }
        "auto" => ("local".to_owned(), "OPENAI_API_KEY is not set".to_owned()),
        name => (name.to_owned(), named("provider")),
    }
}

fn service_model(
    profile: &Profile,
    endpoint: &Endpoint,
    named: Option<&str>,
) -> Result<String, Failure> {
    // A service on this machine is most likely our own server, which has no model of OpenAI's.
    let own = endpoint.is_loopback().then_some(engine::models::MODELS[0].name);
    let model = named.or(own).or(profile.base_model.as_deref());
    model.map(str::to_owned).ok_or_else(|| {
        let error = anyhow!("no model to start from at {}", endpoint.host());
        Failure::new(Exit::Usage, error).hint("--base-model names one that the service trains")
    })
}

/// The day by this machine's clock, in UTC.
fn today() -> anyhow::Result<Day> {
    let now = jiff::Timestamp::now().to_string();
    Ok(now.split('T').next().unwrap_or_default().parse()?)
}
