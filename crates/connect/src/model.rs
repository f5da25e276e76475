//! The saved model that a tool asks, and where it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use inference::{SavedModel, SavedModelError};
use transport::{Endpoint, Provider};

use crate::endpoint::host;
use crate::{BaseModel, Place, Profiles, data_dir, endpoint, profile_endpoint};

/// The provider of whoever names none.
const AUTO: &str = "auto";

/// The arguments that say which model is meant and where it is.
///
/// # Examples
///
/// ```
/// use clap::Parser;
/// use cli::Environment;
/// use connect::{ModelArguments, OPENAI, Source};
/// use inference::SavedModel;
///
/// #[derive(Parser)]
/// struct Tool {
///     #[command(flatten)]
///     model: ModelArguments,
/// }
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join(SavedModel::FILE);
/// SavedModel::of_id("ft:gpt-4.1-mini-2025-04-14:org::id").save(&file)?;
/// let tool = Tool::parse_from(["ask", "--model-file", &file.to_string_lossy()]);
/// let saved = tool.model.saved()?;
/// let environment = Environment::from_pairs([("OPENAI_API_KEY", "sk-secret")]);
/// let Source::Service(endpoint) = tool.model.source(&saved, &environment)? else { panic!("it is OpenAI's") };
/// assert_eq!((saved.model.as_str(), endpoint.base_url()), ("ft:gpt-4.1-mini-2025-04-14:org::id", OPENAI));
/// # Ok::<(), cli::Failure>(())
/// ```
#[derive(Args, Clone, Debug)]
pub struct ModelArguments {
    /// What run-finetuning saved; where it is missing, `fine_tuned_model_id.txt` beside it.
    #[arg(long, value_name = "FILE", default_value = SavedModel::FILE)]
    pub model_file: PathBuf,
    /// Another model than the saved one; the saved model's base is asked as the saved model is.
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// Where the model is: `auto` (where it was trained), `local` (on this machine), `openai`, `azure`, `nebius` or one of
    /// `medtune.toml`.
    #[arg(long, value_name = "NAME", default_value = AUTO)]
    pub provider: String,
    /// The service's address with its `/v1` [default: the provider's variable, `OPENAI_BASE_URL` or OpenAI's].
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// The embedded server's data [default: that of the training, `MEDTUNE_DATA_DIR` or .medtune/server].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The base model on this machine, a name or a path [default: that of the training].
    #[arg(long, value_name = "NAME|PATH")]
    pub base_model: Option<String>,
}

/// Where a model is, before anything is fetched or started.
///
/// # Examples
///
/// ```
/// use clap::Parser;
/// use cli::{Environment, Terminal};
/// use connect::{ModelArguments, Place, Source};
///
/// #[derive(Parser)]
/// struct Tool {
///     #[command(flatten)]
///     model: ModelArguments,
/// }
///
/// let folder = tempfile::tempdir()?;
/// let data_dir = folder.path().to_string_lossy();
/// let local = ["--provider", "local", "--model", "tiny-llama", "--base-model", "../../tests/golden/tiny-llama"];
/// let tool = Tool::parse_from(["ask", "--data-dir", &data_dir].into_iter().chain(local));
/// let saved = tool.model.saved()?;
/// let source = tool.model.source(&saved, &Environment::default())?;
/// assert!(matches!(&source, Source::Local { data_dir, .. } if data_dir == folder.path()));
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let place = source.find(&saved, &mut Terminal::plain(&mut out, &mut err))?; // may fetch the base model
/// assert!(matches!(place, Place::Local(options) if options.base_models[0].id == "tiny-llama"));
/// # Ok::<(), cli::Failure>(())
/// ```
#[derive(Debug)]
pub enum Source {
    /// At a service.
    Service(Endpoint),
    /// On this machine.
    Local {
        /// The embedded server's folder.
        data_dir: PathBuf,
        /// The base model's weights.
        weights: BaseModel,
    },
}

impl ModelArguments {
    /// The saved model, or the one that `--model` names with what the saved one tells about it.
    ///
    /// # Errors
    ///
    /// [`Exit::BadData`] when there is no saved model and none is named, or when its file is a bad one.
    pub fn saved(&self) -> Result<SavedModel, Failure> {
        let loaded = SavedModel::load(&self.model_file);
        let Some(id) = &self.model else {
            return loaded.map_err(|error| {
                let missing = matches!(error, SavedModelError::Missing { .. });
                let failure = Failure::new(Exit::BadData, error);
                let hint =
                    "run-finetuning trains a model and saves it there; --model ID names any other";
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

    /// Where `saved` is to be asked.
    ///
    /// # Errors
    ///
    /// [`Exit::Usage`] when there is no such provider, or when an address, a key or a name has a wrong form or is missing;
    /// [`Exit::BadData`] when the folder of a training on this machine is not there.
    pub fn source(&self, saved: &SavedModel, environment: &Environment) -> Result<Source, Failure> {
        if self.provider != AUTO {
            return self.named_source(saved, environment);
        }
        // A server whose address is given is a service, also one on this machine.
        if saved.provider == Provider::Local && self.base_url.is_none() {
            return self.local(saved, environment);
        }
        let base_url = self.base_url.as_deref().or(saved.base_url.as_deref());
        endpoint(base_url, environment).map(Source::Service)
    }

    fn named_source(
        &self,
        saved: &SavedModel,
        environment: &Environment,
    ) -> Result<Source, Failure> {
        let name = self.provider.as_str();
        let profiles = Profiles::in_folder(Path::new(".")).or_exit(Exit::Usage)?;
        let profile = profiles.named(name, &[]).context("--provider").or_exit(Exit::Usage)?;
        if profile.embedded {
            return self.local(saved, environment);
        }
        let mut base_url = self.base_url.as_deref();
        if let (None, Some(url)) = (base_url, &saved.base_url) {
            // The address of the training, unless it is known to be another provider's.
            let owner = host(url)?;
            base_url = Some(url.as_str())
                .filter(|_| profiles.of_host(&owner).is_none_or(|owner| owner == name));
        }
        profile_endpoint(&profile, base_url, environment).map(Source::Service)
    }

    fn local(&self, saved: &SavedModel, environment: &Environment) -> Result<Source, Failure> {
        let folder = self.data_dir.clone().or_else(|| saved.data_dir.clone());
        let data_dir = data_dir(folder, environment);
        // A base model needs no folder of a training: the server makes an empty one.
        if saved.model != saved.base_model && !data_dir.is_dir() {
            let error = anyhow!("{}: no such folder", data_dir.display());
            let hint = "the embedded server keeps its models there; --data-dir names another, --base-url a server";
            return Err(Failure::new(Exit::BadData, error).hint(hint));
        }
        let path = saved.base_model_path.as_deref().map(|path| path.display().to_string());
        let name = self.base_model.clone().or(path).unwrap_or_else(|| saved.base_model.clone());
        Ok(Source::Local { data_dir, weights: BaseModel::new(&name, environment)? })
    }
}

impl Source {
    /// The place where `saved` can be asked; on this machine that may fetch the base model.
    ///
    /// # Errors
    ///
    /// As [`BaseModel::find`].
    pub fn find(self, saved: &SavedModel, terminal: &mut Terminal<'_>) -> Result<Place, Failure> {
        let (data_dir, weights) = match self {
            Self::Service(endpoint) => return Ok(Place::Service(endpoint)),
            Self::Local { data_dir, weights } => (data_dir, weights),
        };
        let found = weights.find(terminal)?;
        // The server knows the base model by the name that it was trained under, wherever its file is now.
        let base = server::BaseModel { id: saved.base_model.clone(), ..found };
        Ok(Place::Local(server::Options::new(data_dir, vec![base])))
    }
}

/// Reads a temperature, for use as a parser of an argument's value.
///
/// # Examples
///
/// ```
/// use connect::temperature;
///
/// assert_eq!(temperature("0.5"), Ok(0.5));
/// assert_eq!(temperature("hot"), Err("not a number from 0 to 2".to_owned()));
/// ```
///
/// # Errors
///
/// What is wrong when `text` is not a number from 0 to 2.
pub fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=2.0).contains(&number) => Ok(number),
        _ => Err("not a number from 0 to 2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Tool {
        #[command(flatten)]
        model: ModelArguments,
    }

    /// Where the model saved in a folder of its own is asked, with these arguments.
    fn check(change: impl Fn(&mut SavedModel), arguments: &[&str]) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(SavedModel::FILE);
        let mut saved = SavedModel::of_id("ft:base:org::id");
        change(&mut saved);
        saved.save(&file)?;
        let file = file.display().to_string();
        let mut line = vec!["tool", "--model-file", &file];
        line.extend(arguments);
        let model = Tool::try_parse_from(line)?.model;
        let environment = Environment::from_pairs([("OPENAI_API_KEY", "k")]);
        let told = |failure: Failure| anyhow!("{:#}", failure.error());
        let saved = model.saved().map_err(told)?;
        Ok(match model.source(&saved, &environment).map_err(told)? {
            Source::Service(endpoint) => format!("{} at {}", saved.model, endpoint.base_url()),
            Source::Local { data_dir, weights } => {
                format!("{} in {} on {}", saved.model, data_dir.display(), weights.name())
            }
        })
    }

    /// A folder that is there.
    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");

    fn local(saved: &mut SavedModel) {
        saved.provider = Provider::Local;
        saved.base_model = "smollm2-135m-instruct".to_owned();
        saved.data_dir = Some(DATA.into());
    }

    #[test]
    fn a_model_is_asked_where_it_was_trained_unless_an_argument_says_otherwise()
    -> anyhow::Result<()> {
        let at = "http://127.0.0.1:8080/v1";
        let service = |saved: &mut SavedModel| saved.base_url = Some(at.to_owned());
        assert_eq!(check(service, &[])?, format!("ft:base:org::id at {at}"));
        assert_eq!(
            check(service, &["--base-url", "http://localhost:1/v1"])?,
            "ft:base:org::id at http://localhost:1/v1"
        );
        assert_eq!(
            check(local, &[])?,
            format!("ft:base:org::id in {DATA} on smollm2-135m-instruct")
        );
        assert_eq!(
            check(local, &["--data-dir", "src", "--base-model", "Cargo.toml"])?,
            "ft:base:org::id in src on Cargo.toml"
        );
        assert_eq!(check(local, &["--base-url", at])?, format!("ft:base:org::id at {at}"));
        assert_eq!(
            check(local, &["--provider", "openai"])?,
            format!("ft:base:org::id at {}", crate::OPENAI)
        );
        assert_eq!(
            check(
                service,
                &["--provider", "local", "--data-dir", "src", "--base-model", "Cargo.toml"]
            )?,
            "ft:base:org::id in src on Cargo.toml"
        );
        let nebius = |saved: &mut SavedModel| {
            saved.base_url = Some("https://api.tokenfactory.nebius.com/v1".to_owned());
        };
        assert_eq!(
            check(nebius, &["--provider", "openai"])?,
            format!("ft:base:org::id at {}", crate::OPENAI)
        );
        let unknown = check(service, &["--provider", "nobody"]).map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|error| error.contains("no provider `nobody`")));
        Ok(())
    }

    #[test]
    fn another_model_has_nothing_of_the_saved_one_but_its_base_has() -> anyhow::Result<()> {
        let base = ["--model", "smollm2-135m-instruct"];
        assert_eq!(
            check(local, &base)?,
            format!("smollm2-135m-instruct in {DATA} on smollm2-135m-instruct")
        );
        assert_eq!(check(local, &["--model", "other"])?, format!("other at {}", crate::OPENAI));
        Ok(())
    }
}
