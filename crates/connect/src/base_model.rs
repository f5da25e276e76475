//! The base model on this machine: found, or fetched once with its progress shown.

use std::path::PathBuf;

use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use engine::locate::{
    self, HubError, HubSettings, HubToken, LocateError, Located, Options, Progress, Source,
};

/// A base model by a known name, a path or a name of the Hugging Face hub, and where it may be looked for.
///
/// # Examples
///
/// ```
/// use cli::{Environment, Terminal};
/// use connect::BaseModel;
///
/// let environment = Environment::from_pairs([("MEDTUNE_CACHE_DIR", "/var/cache/medtune")]);
/// let model = BaseModel::new("../../tests/golden/tiny-llama", &environment)?;
/// assert_eq!((model.name(), model.id()), ("../../tests/golden/tiny-llama", "tiny-llama".to_owned()));
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let found = model.find(&mut Terminal::plain(&mut out, &mut err))?;
/// assert_eq!(Some(found.path), model.path());
///
/// let on_hub = BaseModel::new("HuggingFaceTB/SmolLM2-360M", &environment)?;
/// assert!(on_hub.path().is_some_and(|path| path.starts_with("/var/cache/medtune/models")));
/// # Ok::<(), cli::Failure>(())
/// ```
#[derive(Clone, Debug)]
pub struct BaseModel {
    name: String,
    source: Source,
    options: Box<Options>,
}

impl BaseModel {
    /// The model called `name`, looked for as `environment` says.
    ///
    /// The variables are `MEDTUNE_CACHE_DIR`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE`.
    ///
    /// # Errors
    ///
    /// [`Exit::Usage`] when `name` is neither a known name, nor a path, nor a name of the hub.
    pub fn new(name: &str, environment: &Environment) -> Result<Self, Failure> {
        let source = Source::parse(name).or_exit(Exit::Usage)?;
        let offline =
            environment.get("HF_HUB_OFFLINE").is_some_and(|value| value != "0" && value != "false");
        let hub = HubSettings {
            endpoint: environment.get("HF_ENDPOINT").map(str::to_owned),
            token: environment.get("HF_TOKEN").map(|token| HubToken::from(token.to_owned())),
            offline,
            ..HubSettings::default()
        };
        let options = Options { hub, ..Options::new(environment.cache_dir().join("models")) };
        let options = Box::new(options);
        Ok(Self { name: name.to_owned(), source, options })
    }

    /// What the user called it: a known name, a path or a name of the hub.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that the embedded server knows it by.
    pub fn id(&self) -> String {
        server::BaseModel::named(&self.name, "", "").id
    }

    /// Where the user said it is, if that is a path, or where the cache keeps what the user named by its name on the hub.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Path(path) => Some(path.clone()),
            Source::Hub(model) => Some(model.cached_in(&self.options.cache_dir)),
            _ => None,
        }
    }

    /// Finds it; it may be fetched now.
    ///
    /// # Errors
    ///
    /// [`Exit::Service`] when it cannot be fetched, [`Exit::Failed`] when a file is missing or cannot be read or written.
    pub fn find(&self, terminal: &mut Terminal<'_>) -> Result<server::BaseModel, Failure> {
        let bar = cli::bytes_progress(terminal, 0);
        let located = locate::locate(&self.source, &self.options, &mut |progress| match progress {
            Progress::Notice(text) => {
                // A notice that cannot be printed changes nothing about the model.
                let _ = bar.suspend(|| writeln!(terminal.err, "{text}"));
            }
            Progress::Bytes { done, total } => {
                bar.set_length(total);
                bar.set_position(done);
            }
            _ => {}
        });
        bar.finish_and_clear();
        let Located { path, sha256, .. } = located.map_err(failure)?;
        Ok(server::BaseModel::named(&self.name, path, sha256))
    }
}

fn failure(error: LocateError) -> Failure {
    match error {
        LocateError::Unknown { .. } => Failure::new(Exit::Usage, error),
        LocateError::File { .. } => Failure::new(Exit::Failed, error),
        LocateError::Hub(HubError::Forbidden { .. }) => Failure::new(Exit::Service, error)
            .hint("agree to its licence on the hub and set HF_TOKEN to a token that may read it"),
        LocateError::Hub(HubError::Missing { .. }) => Failure::new(Exit::Service, error).hint(
            "a path is looked for first and was not there; of a repository of GGUF files name one: OWNER/NAME:FILE.gguf",
        ),
        _ => Failure::new(Exit::Service, error)
            .hint("with the model's file at hand, --base-model PATH needs no network"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_neither_known_nor_there_is_named() {
        let failure = BaseModel::new("/nowhere/missing.gguf", &Environment::default()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(format!("{:#}", failure.error()).contains("missing.gguf"), "{failure:?}");
    }

    #[test]
    fn a_model_of_the_hub_is_called_by_its_last_name_and_kept_in_the_cache() -> anyhow::Result<()> {
        let environment = Environment::from_pairs([("MEDTUNE_CACHE_DIR", "/cache")]);
        let find = |name| BaseModel::new(name, &environment).map_err(|_| anyhow::anyhow!("{name}"));
        let model = find("HuggingFaceTB/SmolLM2-360M")?;
        assert_eq!(model.id(), "smollm2-360m");
        let path = model.path().unwrap_or_default();
        assert_eq!(path, PathBuf::from("/cache/models/hub--HuggingFaceTB--SmolLM2-360M/main"));
        assert_eq!(find("o/n:q4/Small.Q4_0.gguf")?.id(), "small.q4_0");
        Ok(())
    }

    #[test]
    fn the_token_of_the_hub_is_in_no_debug_output() -> anyhow::Result<()> {
        let environment = Environment::from_pairs([("HF_TOKEN", "hf_planted")]);
        let model = BaseModel::new("smollm2-135m-instruct", &environment)
            .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        assert!(!format!("{model:?}").contains("planted"));
        assert_eq!(model.id(), "smollm2-135m-instruct");
        Ok(())
    }
}
