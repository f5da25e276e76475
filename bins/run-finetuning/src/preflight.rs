//! What is checked before a byte leaves: the files, the settings, and the model at the service.

use std::path::Path;

use anyhow::anyhow;
use cli::{Exit, Failure, Terminal};
use connect::Profile;
use ftjob::{Client, Error, Method, Recipe};
use tokens::Day;

use crate::config::{Config, Target};
use crate::examples::{Counter, Examples, Reading};
use crate::explain;
use crate::words::Words;

/// A model that stops answering within so many days is worth a warning.
const SOON_DAYS: i64 = 90;

/// The checked files, and their words.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) train: Examples,
    pub(crate) valid: Option<Examples>,
    pub(crate) words: Words,
}

impl Files {
    /// Reads both files and refuses what a service would refuse later, or should not get.
    pub(crate) async fn read(
        config: &Config,
        train: &Path,
        counter: Option<&Counter>,
        terminal: &mut Terminal<'_>,
    ) -> Result<Self, Failure> {
        let paths = std::iter::once(train).chain(config.valid.as_deref());
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut words = Words::for_bytes(paths.map(size).sum());
        let reading = Reading { counter, method: config.recipe.method };
        let read = Examples::read(train, reading, &mut words, terminal).await;
        let bad_file = |error, path: &Path| bad_file(error, path, config.recipe.method);
        let train = read.map_err(|error| bad_file(error, train))?;
        let valid = match &config.valid {
            Some(path) => {
                let reading = Reading { counter: None, ..reading };
                let read = Examples::read(path, reading, &mut words, terminal).await;
                Some(read.map_err(|error| bad_file(error, path))?)
            }
            None => None,
        };
        let files = Self { train, valid, words };
        files.check(config, terminal)?;
        Ok(files)
    }

    pub(crate) fn all(&self) -> Vec<&Examples> {
        std::iter::once(&self.train).chain(&self.valid).collect()
    }

    fn check(&self, config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let fewest = config.target.profile.fewest_examples;
        // Of another server on this machine it is not known whether it wants as many.
        let is_known = config.target.is_local() || !config.target.is_on_this_machine();
        let fewest = fewest.filter(|_| is_known).unwrap_or(1);
        if self.train.count < fewest {
            let (path, count) = (self.train.file.path.display(), self.train.count);
            let error = anyhow!("{path}: {count} examples, and at least {fewest} are wanted");
            return Err(Failure::new(Exit::BadData, error));
        }
        for examples in self.all() {
            tell_oddities(examples, terminal)?;
            check_identifiers(examples, config, terminal)?;
        }
        self.check_overlap(config, terminal)
    }

    fn check_overlap(&self, config: &Config, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let Some(valid) = &self.valid else { return Ok(()) };
        let shared = self.train.shared_with(valid);
        if shared == 0 {
            return Ok(());
        }
        let path = valid.file.path.display();
        let text = format!("{path}: {shared} of {} examples are trained on as well", valid.count);
        if config.caution.allow_overlap {
            writeln!(terminal.err, "warning: {text}")?;
            return Ok(());
        }
        let hint = "what is measured on them says nothing; prepare-data splits without overlap, --allow-overlap goes on";
        Err(Failure::new(Exit::BadData, anyhow!(text)).hint(hint))
    }
}

fn bad_file(error: anyhow::Error, path: &Path, method: Method) -> Failure {
    let failure = Failure::new(Exit::BadData, error);
    if matches!(method, Method::Preferences { .. }) {
        failure.hint("each line is a pair: {\"input\": {\"messages\": [..]}, \"preferred_output\": [one message], \"non_preferred_output\": [one message]}")
    } else if path.exists() {
        failure
            .hint(format!("prepare-data check {} names everything that is wrong", path.display()))
    } else {
        failure.hint("prepare-data writes it; --train and --valid name others")
    }
}

fn tell_oddities(examples: &Examples, terminal: &mut Terminal<'_>) -> std::io::Result<()> {
    let path = examples.file.path.display();
    for (code, (count, line)) in &examples.oddities {
        writeln!(terminal.err, "warning: {path}: {code} {count} times, first in line {line}")?;
    }
    if let Some((count, line)) = examples.cut {
        writeln!(
            terminal.err,
            "warning: {path}: {count} examples are longer than the model trains on; their ends are cut off, first that of line {line}"
        )?;
    }
    Ok(())
}

/// Identifiers of patients leave this machine only when that is allowed in so many words.
fn check_identifiers(
    examples: &Examples,
    config: &Config,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    if examples.identifiers.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> =
        examples.identifiers.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let lines: Vec<String> = examples.identifier_lines.iter().map(u64::to_string).collect();
    let text = format!(
        "{}: identifiers of patients ({}), first in lines {}",
        examples.file.path.display(),
        kinds.join(", "),
        lines.join(", ")
    );
    if config.target.is_on_this_machine() || config.caution.allow_identifiers {
        writeln!(terminal.err, "warning: {text}")?;
        return Ok(());
    }
    let hint = "nothing was sent; prepare-data --phi redact removes them, --provider local keeps them here, --allow-identifiers sends them";
    Err(Failure::new(Exit::BadData, anyhow!(text)).hint(hint))
}

/// Refuses settings beyond what the provider's profile says it takes.
pub(crate) fn check_settings(profile: &Profile, recipe: &Recipe) -> Result<(), Failure> {
    let limits = [
        ("--epochs", recipe.epochs, profile.most_epochs),
        ("--batch-size", recipe.batch_size, profile.most_batch),
    ];
    for (flag, value, most) in limits {
        if let (Some(value), Some(most)) = (value, most)
            && value > most
        {
            let error = anyhow!("{flag} {value}: {} takes at most {most}", profile.name);
            return Err(Failure::new(Exit::Usage, error));
        }
    }
    Ok(())
}

/// Asks the service for the base model, so that one that is unknown or shut down is told of before anything is sent.
pub(crate) async fn look_up_model(
    client: &Client,
    (target, model): (&Target, &str),
    today: Day,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let known = match client.model(model).await {
        Ok(known) => known,
        Err(error) if has_no_such_endpoint(&error) => return Ok(()),
        Err(error) => {
            let is_unknown = error.transport().and_then(transport::Error::status) == Some(404);
            let failure = explain::failure(error, None);
            return Err(if is_unknown {
                failure.hint(format!(
                    "is there a model {model} at the service? --base-model names another"
                ))
            } else {
                failure
            });
        }
    };
    let Some(shutdown) = known.shutdown_date.as_deref().and_then(|day| day.parse::<Day>().ok())
    else {
        return Ok(());
    };
    if shutdown <= today {
        let error = anyhow!("the service shut {model} down on {shutdown}");
        return Err(Failure::new(Exit::Service, error).hint(explain::WAYS));
    }
    if days_between(today, shutdown).is_some_and(|days| days <= SOON_DAYS) {
        let name = &target.profile.name;
        writeln!(
            terminal.err,
            "warning: {name} shuts {model} down on {shutdown}, and what is tuned from it stops answering then"
        )?;
    }
    Ok(())
}

/// Services may list no models, hide them from a key, or not know a path at all; only a model that is named as unknown is.
fn has_no_such_endpoint(error: &Error) -> bool {
    let Some(refusal) = error.transport().and_then(transport::Error::refusal) else { return false };
    match refusal.status {
        400 | 403 | 405 | 422 | 501 => true,
        404 => refusal.code() != Some("model_not_found"),
        _ => false,
    }
}

fn days_between(from: Day, to: Day) -> Option<i64> {
    let date = |day: Day| day.to_string().parse::<jiff::civil::Date>().ok();
    date(from)?.until(date(to)?).ok().map(|span| i64::from(span.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_beyond_a_providers_limits_are_named() {
        let profile =
            Profile { name: "nebius".to_owned(), most_epochs: Some(20), ..Profile::default() };
        let recipe = |epochs| Recipe { epochs: Some(epochs), ..Recipe::new("m") };
        assert!(check_settings(&profile, &recipe(20)).is_ok());
        let failure = check_settings(&profile, &recipe(21)).unwrap_err();
        assert_eq!(failure.error().to_string(), "--epochs 21: nebius takes at most 20");
    }

    #[test]
    fn days_are_counted_over_months_and_years() {
        let days = |from: &str, to: &str| days_between(from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(days("2026-11-26", "2027-01-14"), Some(49));
        assert_eq!(days("2026-11-26", "2026-11-26"), Some(0));
    }
}
