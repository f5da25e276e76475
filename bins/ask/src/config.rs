//! The command line, the environment and the saved model, made one.

use std::fs::File;
use std::io::{BufReader, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt};
use connect::Source;
use inference::{Patience, Question, QuestionsError, Sampling, SavedModel};
use template::Template;
use tokens::PriceTable;

use crate::arguments::{Arguments, ManyArguments};

/// Everything that decides what is asked and how.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) task: Task,
    /// Whether the base model is asked as well.
    pub(crate) compare: bool,
    /// The model with the system prompt and template to ask it with.
    pub(crate) saved: SavedModel,
    pub(crate) sampling: Sampling,
    pub(crate) patience: Patience,
    pub(crate) json: bool,
    pub(crate) stream: bool,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Task {
    Question(String),
    /// Whatever a person types.
    Conversation,
    Many(Many),
}

/// The questions of a file.
#[derive(Debug)]
pub(crate) struct Many {
    pub(crate) questions: Vec<Question>,
    pub(crate) output: PathBuf,
    pub(crate) at_once: usize,
    pub(crate) by_batch: bool,
    pub(crate) prices: PriceTable,
}

/// Questions that the embedded server is asked at once.
const LOCAL_AT_ONCE: usize = 8;
/// Questions that a service is asked at once, where its limits let it.
const SERVICE_AT_ONCE: usize = 64;

impl Config {
    /// The configuration, and where the model is.
    pub(crate) fn resolve(
        arguments: &Arguments,
        environment: &Environment,
        is_talk: bool,
    ) -> Result<(Self, Source), Failure> {
        let mut task = task(arguments, is_talk)?;
        let mut saved = arguments.model.saved()?;
        if arguments.compare && saved.model == saved.base_model {
            let error = anyhow!("--compare: {} is the base model itself", saved.model);
            return Err(Failure::new(Exit::Usage, error));
        }
        let changed = arguments.system_prompt.is_some() || arguments.template.is_some();
        let template = match &arguments.template {
            Some(name) => Template::open(name).context("--template").or_exit(Exit::Usage)?,
            None => saved.template.clone(),
        };
        let system_prompt = match &arguments.system_prompt {
            Some(text) => system_prompt(text).context("--system-prompt").or_exit(Exit::Usage)?,
            None => saved.system_prompt.clone(),
        };
        if changed {
            saved = saved.trained_with(template, &system_prompt);
        }
        let source = arguments.model.source(&saved, environment)?;
        if let (Task::Many(many), Source::Local { .. }) = (&mut task, &source) {
            if many.by_batch {
                let error = anyhow!("--batch-api: the embedded server has no batches");
                return Err(Failure::new(Exit::Usage, error).hint("--many without it asks here"));
            }
            many.at_once = arguments.many.at_once.map_or(LOCAL_AT_ONCE, usize::from);
        }
        let known = arguments.model.model.is_none() && matches!(source, Source::Service(_));
        let wait = if known { Duration::from_secs(arguments.wait_seconds) } else { Duration::ZERO };
        let sampling = Sampling {
            temperature: Some(arguments.temperature),
            max_tokens: Some(arguments.max_tokens),
            seed: arguments.seed,
            ..Sampling::default()
        };
        let config = Self {
            task,
            compare: arguments.compare,
            saved,
            sampling,
            patience: Patience::up_to(wait),
            json: arguments.json,
            stream: !arguments.no_stream,
        };
        Ok((config, source))
    }
}

fn task(arguments: &Arguments, is_talk: bool) -> Result<Task, Failure> {
    if let Some(path) = &arguments.many.many {
        return many(&arguments.many, path).map(Task::Many);
    }
    if let Some(path) = &arguments.file {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| path.display().to_string()).or_exit(Exit::BadData)?;
        return question(&text).map(Task::Question);
    }
    match arguments.question.as_deref() {
        None if is_talk => Ok(Task::Conversation),
        Some(text) if text != "-" => question(text).map(Task::Question),
        None if std::io::stdin().is_terminal() => question("").map(Task::Question),
        _ => question(&read(&mut std::io::stdin())?).map(Task::Question),
    }
}

fn read(input: &mut dyn Read) -> Result<String, Failure> {
    let mut text = String::new();
    input.read_to_string(&mut text).context("standard input").or_exit(Exit::BadData)?;
    Ok(text)
}

fn question(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() {
        let hint = "ask \"your question\"; ask - reads it from standard input, --file from a file";
        return Err(Failure::new(Exit::Usage, anyhow!("no question")).hint(hint));
    }
    Ok(text.to_owned())
}

fn many(arguments: &ManyArguments, path: &Path) -> Result<Many, Failure> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(named).or_exit(Exit::BadData)?;
    let questions = Question::read_all(BufReader::new(file)).map_err(|error| {
        let is_line = matches!(error, QuestionsError::Line { .. });
        let failure = Failure::new(Exit::BadData, anyhow::Error::new(error).context(named()));
        let hint = r#"a line is "TEXT", {"question": "TEXT"} or {"messages": [..]}, with an `id` if wanted"#;
        if is_line { failure.hint(hint) } else { failure }
    })?;
    let prices = match &arguments.price_table {
        None => PriceTable::bundled(),
        Some(path) => {
            let named = || format!("--price-table: {}", path.display());
            let text = std::fs::read_to_string(path).with_context(named).or_exit(Exit::Usage)?;
            PriceTable::from_toml(&text).with_context(named).or_exit(Exit::BadData)?
        }
    };
    Ok(Many {
        questions,
        output: arguments.output.clone().unwrap_or_default(),
        at_once: arguments.at_once.map_or(SERVICE_AT_ONCE, usize::from),
        by_batch: arguments.batch_api,
        prices,
    })
}

/// The system prompt that a text or `@FILE` means.
pub(crate) fn system_prompt(argument: &str) -> anyhow::Result<String> {
    let Some(path) = argument.strip_prefix('@') else { return Ok(argument.to_owned()) };
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    // Editors end a file with a newline that is not meant.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_without_the_blanks_around_it_and_a_blank_one_is_none() {
        let check = |input: &str| {
            let text = read(&mut input.as_bytes()).and_then(|text| question(&text));
            text.map_err(|failure| failure.exit())
        };
        assert_eq!(check(" Why? \n"), Ok("Why?".to_owned()));
        assert_eq!(check("Why?\nNow?\n"), Ok("Why?\nNow?".to_owned()));
        for input in ["", " \n"] {
            assert_eq!(check(input), Err(Exit::Usage));
        }
    }
}
