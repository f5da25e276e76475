//! The base model on this machine: found, or fetched once with its progress shown.

use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use engine::locate::{
    self, HubSettings, HubToken, LocateError, Located, Options, Progress, Source,
};

/// A base model by a known name or a path, and where it may be looked for.
#[derive(Clone, Debug)]
pub struct BaseModel {
    name: String,
    source: Source,
    options: Options,
}

impl BaseModel {
    /// The model called `name`, looked for as `environment` says.
    ///
    /// The variables are `MEDTUNE_CACHE_DIR`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE`.
    ///
    /// # Errors
    ///
    /// [`Exit::Usage`] when `name` is neither a known name nor a path.
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
        Ok(Self { name: name.to_owned(), source, options })
    }

    /// What the user called it: a known name or a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that the embedded server knows it by.
    pub fn id(&self) -> String {
        server::BaseModel::named(&self.name, "", "").id
    }

    /// Where the user said it is, if that is a path.
    pub fn path(&self) -> Option<&std::path::Path> {
        match &self.source {
            Source::Path(path) => Some(path),
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
    fn the_token_of_the_hub_is_in_no_debug_output() -> anyhow::Result<()> {
        let environment = Environment::from_pairs([("HF_TOKEN", "hf_planted")]);
        let model = BaseModel::new("smollm2-135m-instruct", &environment)
            .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        assert!(!format!("{model:?}").contains("planted"));
        assert_eq!(model.id(), "smollm2-135m-instruct");
        Ok(())
    }
}
