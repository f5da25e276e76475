//! The command line, the environment and the saved model, made one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use cli::{Environment, Exit, Failure, ResultExt as _};
use connect::BaseModel;
use inference::{SavedModel, SavedModelError};
use server::TunedModel;

use crate::arguments::{Arguments, Format, Kind};
use crate::place;

/// Everything that decides what is written, from what and where.
#[derive(Debug)]
pub(crate) struct Config {
    /// The tuned model's id, or the adapter's folder.
    pub(crate) model: String,
    pub(crate) adapter: PathBuf,
    pub(crate) base: BaseModel,
    /// The hash of the weights that the adapter was trained on, where it is known.
    pub(crate) base_sha256: Option<String>,
    /// What a PEFT folder names as its base.
    pub(crate) base_name: String,
    pub(crate) format: Format,
    pub(crate) kind: Kind,
    pub(crate) output: PathBuf,
    pub(crate) json: bool,
}

impl Config {
    pub(crate) fn resolve(
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let kind = kind(arguments.format, arguments.kind)?;
        let output = place::checked(&arguments.output, arguments.format, arguments.overwrite)?;
        let given = arguments.adapter.as_ref().zip(arguments.base_model.as_ref());
        let (model, adapter, base, base_sha256) = if let Some((folder, base)) = given {
            (folder.display().to_string(), folder.clone(), base.clone(), None)
        } else {
            let (tuned, base) = tuned(arguments, environment)?;
            (tuned.id, tuned.adapter, base, Some(tuned.base_sha256))
        };
        let known = engine::models::find(&base)
            .map(|entry| format!("{}/{}", entry.hub.owner, entry.hub.repository));
        let base_name = arguments.base_name.clone().or(known).unwrap_or_else(|| base.clone());
        Ok(Self {
            model,
            adapter,
            base: BaseModel::new(&base, environment)?,
            base_sha256,
            base_name,
            format: arguments.format,
            kind,
            output,
            json: arguments.json,
        })
    }
}

/// The type to store weights as, where the format has it.
fn kind(format: Format, asked: Option<Kind>) -> Result<Kind, Failure> {
    use Kind::{Bf16, F16, F32, Q8_0};
    // The first is the default.
    let possible: &[Kind] = match format {
        Format::Peft => &[F32],
        Format::GgufLora => &[F32, F16],
        Format::Safetensors => &[Bf16, F16, F32],
        Format::Gguf => &[F16, Bf16, F32, Q8_0],
    };
    let asked = asked.unwrap_or(possible[0]);
    if possible.contains(&asked) {
        return Ok(asked);
    }
    let names: Vec<&str> = possible.iter().map(|kind| kind.name()).collect();
    let error = anyhow!("`--type {}` cannot be for `--format {}`", asked.name(), format.name());
    Err(Failure::new(Exit::Usage, error).hint(format!("possible are: {}", names.join(", "))))
}

/// The tuned model, and its base as a name or a path.
fn tuned(
    arguments: &Arguments,
    environment: &Environment,
) -> Result<(TunedModel, String), Failure> {
    let saved = match SavedModel::load(&arguments.model_file) {
        Ok(saved) => Some(saved),
        Err(SavedModelError::Missing { .. }) => None,
        Err(error) => return Err(Failure::new(Exit::BadData, error)),
    };
    let id = arguments.model.clone().or_else(|| Some(saved.as_ref()?.model.clone()));
    let Some(id) = id else {
        let error = anyhow!("there is no saved model {}", arguments.model_file.display());
        let hint = "name a tuned model, or give --adapter and --base-model";
        return Err(Failure::new(Exit::BadData, error).hint(hint));
    };
    // What was saved tells about its own model alone.
    let saved = saved.filter(|saved| saved.model == id);
    let flag = arguments.data_dir.clone();
    let of_saved = saved.as_ref().and_then(|saved| saved.data_dir.clone());
    let data_dir = connect::data_dir(flag.or(of_saved), environment);
    let models = server::tuned_models(&data_dir)?;
    let Some(tuned) = models.iter().find(|model| model.id == id) else {
        return Err(unknown(&id, &data_dir, &models));
    };
    let path = saved.and_then(|saved| saved.base_model_path);
    let base = arguments.base_model.clone();
    let base = base.or(path.map(|path| path.display().to_string()));
    Ok((tuned.clone(), base.unwrap_or_else(|| tuned.base.clone())))
}

fn unknown(id: &str, data_dir: &Path, models: &[TunedModel]) -> Failure {
    let error = anyhow!("no tuned model `{id}` in {}", data_dir.display());
    let names: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    let hint = if names.is_empty() {
        "there is none; --data-dir names another folder, and a service's models cannot be exported"
            .to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    };
    Failure::new(Exit::BadData, error).hint(hint)
}

/// That the base is the one that the adapter was trained on.
pub(crate) fn same_base(config: &Config, found: &server::BaseModel) -> Result<(), Failure> {
    match &config.base_sha256 {
        Some(trained) if *trained != found.sha256 => {
            let path = found.path.display();
            let failure = Err(anyhow!("its SHA-256 is {}, not {trained}", found.sha256))
                .with_context(|| {
                    format!("`{}` was trained on other weights than {path}", config.model)
                })
                .or_exit(Exit::BadData);
            failure.map_err(|failure| failure.hint("--base-model names the right ones"))
        }
        _ => Ok(()),
    }
}
