//! The command line, the environment and the saved model, made one.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt};
use inference::{Patience, Sampling, SavedModel, SavedModelError};
use template::Template;
use transport::Provider;

use crate::arguments::{Arguments, Place};

/// Everything that decides what is asked, where and how.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) question: String,
    /// The model with the system prompt and template to ask it with.
    pub(crate) saved: SavedModel,
    pub(crate) source: Source,
    pub(crate) sampling: Sampling,
    pub(crate) patience: Patience,
    pub(crate) json: bool,
    pub(crate) stream: bool,
}

/// Where the model is.
#[derive(Debug)]
pub(crate) enum Source {
    /// At a service; without an address, at the one that the environment names.
    Service { base_url: Option<String> },
    /// On this machine.
    Local { data_dir: PathBuf, base_model: String },
}

impl Config {
    pub(crate) fn resolve(
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let question = question(arguments.question.as_deref(), &mut std::io::stdin())?;
        let mut saved = saved(arguments)?;
        let changed = arguments.system_prompt.is_some() || arguments.template.is_some();
        let template = match &arguments.template {
            Some(name) => Template::open(name).context("--template").or_exit(Exit::Usage)?,
            None => saved.template.clone(),
        };
        let system_prompt = match &arguments.system_prompt {
            Some(text) => system_prompt(text).or_exit(Exit::Usage)?,
            None => saved.system_prompt.clone(),
        };
        if changed {
            saved = saved.trained_with(template, &system_prompt);
        }
        let source = source(arguments, environment, &saved);
        let known = arguments.model.is_none() && matches!(source, Source::Service { .. });
        let wait = if known { Duration::from_secs(arguments.wait_seconds) } else { Duration::ZERO };
        let sampling = Sampling {
            temperature: Some(arguments.temperature),
            max_tokens: Some(arguments.max_tokens),
            seed: arguments.seed,
            ..Sampling::default()
        };
        Ok(Self {
            question,
            saved,
            source,
            sampling,
            patience: Patience::up_to(wait),
            json: arguments.json,
            stream: !arguments.no_stream,
        })
    }
}

fn question(argument: Option<&str>, input: &mut dyn Read) -> Result<String, Failure> {
    let text = match argument {
        Some("-") => {
            let mut text = String::new();
            input.read_to_string(&mut text).context("standard input").or_exit(Exit::BadData)?;
            text
        }
        Some(text) => text.to_owned(),
        None => String::new(),
    };
    let text = text.trim();
    if text.is_empty() {
        let hint = "ask \"your question\", or ask - to read it from standard input";
        return Err(Failure::new(Exit::Usage, anyhow!("no question")).hint(hint));
    }
    Ok(text.to_owned())
}

/// The saved model, or the one that `--model` names with what the saved one tells about it.
fn saved(arguments: &Arguments) -> Result<SavedModel, Failure> {
    let loaded = SavedModel::load(&arguments.model_file);
    let Some(id) = &arguments.model else {
        return loaded.map_err(|error| {
            let missing = matches!(error, SavedModelError::Missing { .. });
            let failure = Failure::new(Exit::BadData, error);
            let hint =
                "run-finetuning trains a model and saves it there; --model ID asks any other";
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

fn source(arguments: &Arguments, environment: &Environment, saved: &SavedModel) -> Source {
    let local = match arguments.provider {
        Place::Local => true,
        Place::Openai => false,
        // A server whose address is given is a service, also one on this machine.
        Place::Auto => saved.provider == Provider::Local && arguments.base_url.is_none(),
    };
    if !local {
        let base_url = arguments.base_url.clone().or_else(|| saved.base_url.clone());
        return Source::Service { base_url };
    }
    let configured = || environment.get("MEDTUNE_DATA_DIR").map(PathBuf::from);
    let data_dir =
        arguments.data_dir.clone().or_else(|| saved.data_dir.clone()).or_else(configured);
    let path = saved.base_model_path.as_deref().map(|path| path.display().to_string());
    Source::Local {
        data_dir: data_dir.unwrap_or_else(|| Path::new(".medtune/server").to_owned()),
        base_model: arguments
            .base_model
            .clone()
            .or(path)
            .unwrap_or_else(|| saved.base_model.clone()),
    }
}

fn system_prompt(argument: &str) -> anyhow::Result<String> {
    let Some(path) = argument.strip_prefix('@') else { return Ok(argument.to_owned()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("--system-prompt: {path}"))?;
    // Editors end a file with a newline that is not meant.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_comes_from_the_arguments_or_from_standard_input() {
        let check = |argument, input: &str| {
            question(argument, &mut input.as_bytes()).map_err(|failure| failure.exit())
        };
        assert_eq!(check(Some(" Why? "), ""), Ok("Why?".to_owned()));
        assert_eq!(check(Some("-"), "Why?\nNow?\n"), Ok("Why?\nNow?".to_owned()));
        for (argument, input) in [(None, ""), (Some(""), ""), (Some("-"), " \n")] {
            assert_eq!(check(argument, input), Err(Exit::Usage));
        }
    }
}
