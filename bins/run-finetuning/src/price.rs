//! What a job at a service will cost, and the question before it is spent.

use std::fs;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt, Terminal};
use tokens::{ChatConstants, Encoding, ModelRow, PriceTable, default_epochs};

use crate::config::{Config, Place};
use crate::examples::{Counter, Examples};

/// The price table at `path`, or the bundled one.
pub(crate) fn table(path: Option<&Path>) -> Result<PriceTable, Failure> {
    let Some(path) = path else { return Ok(PriceTable::bundled()) };
    let named = || format!("--price-table: {}", path.display());
    let text = fs::read_to_string(path).with_context(named).or_exit(Exit::Usage)?;
    PriceTable::from_toml(&text).with_context(named).or_exit(Exit::BadData)
}

/// What counts a service's tokens, where the model's encoding is known.
pub(crate) fn counter(config: &Config, prices: &PriceTable) -> Option<Counter> {
    let Place::Service(_) = &config.place else { return None };
    let encoding = Encoding::for_model(&config.recipe.model).ok()?;
    let row = prices.model(&config.recipe.model);
    let limit = row.and_then(|row| row.max_training_tokens).unwrap_or(usize::MAX);
    Some(Counter { encoding, constants: ChatConstants::for_model(&config.recipe.model), limit })
}

/// Refuses a model that `OpenAI` no longer trains before anything is sent there.
pub(crate) fn check_model(config: &Config, prices: &PriceTable) -> Result<(), Failure> {
    let Place::Service(endpoint) = &config.place else { return Ok(()) };
    let Some(row) =
        prices.model(&config.recipe.model).filter(|_| endpoint.host() == "api.openai.com")
    else {
        return Ok(());
    };
    if row.fine_tunable && !row.is_shut_down(prices.as_of) {
        return Ok(());
    }
    let since = row
        .shutdown_date
        .map(|day| format!(", which shuts down or did so on {day}"))
        .unwrap_or_default();
    let error = anyhow!("OpenAI no longer trains {}{since} (as of {})", row.id, prices.as_of);
    let left: Vec<&str> =
        prices.models.iter().filter(|row| row.fine_tunable).map(|row| row.id.as_str()).collect();
    let hint = format!(
        "trained there on that day: {}; or train on this machine with --provider local",
        left.join(", ")
    );
    Err(Failure::new(Exit::Service, error).hint(hint))
}

/// What the job will cost, with its arithmetic.
pub(crate) fn estimate(config: &Config, train: &Examples, prices: &PriceTable) -> String {
    let unknown = || format!("what it costs is not known for {}", config.recipe.model);
    let Some((row, tokens)) = prices.model(&config.recipe.model).zip(train.tokens) else {
        return unknown();
    };
    let epochs = config.recipe.epochs.unwrap_or_else(|| default_epochs(train.count));
    cost(row, tokens, epochs)
        .map_or_else(unknown, |cost| format!("about {cost}; prices of {}", prices.as_of))
}

fn cost(row: &ModelRow, tokens: u64, epochs: u32) -> Option<String> {
    let (usd, price) = (row.training_cost(tokens, epochs)?, row.training_usd_per_million?);
    let times = if epochs == 1 { "epoch" } else { "epochs" };
    Some(format!("{:.2} USD ({tokens} tokens x {epochs} {times} x {price} USD per million)", usd.0))
}

/// Asks before money is spent.
pub(crate) fn consent(
    config: &Config,
    estimate: &str,
    input: &mut dyn BufRead,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let Place::Service(endpoint) = &config.place else { return Ok(()) };
    if endpoint.is_loopback() {
        return Ok(());
    }
    let host = endpoint.host();
    writeln!(
        terminal.err,
        "the records will be sent to {host}; training {} there: {estimate}",
        config.recipe.model
    )?;
    if config.yes {
        return Ok(());
    }
    if !terminal.in_is_terminal {
        let error = anyhow!("this may cost money, and nobody can be asked");
        return Err(Failure::new(Exit::Usage, error).hint("--yes agrees to it"));
    }
    write!(terminal.err, "go on? [y/N] ")?;
    terminal.err.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, anyhow!("not agreed to; nothing was sent")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use transport::{Endpoint, Provider};

    fn check(
        answer: &str,
        in_is_terminal: bool,
        yes: bool,
    ) -> anyhow::Result<(Result<(), Exit>, String)> {
        let endpoint = Endpoint::new(Provider::OpenAi, "https://service.invalid/v1", None)?;
        let config = Config {
            place: Place::Service(Box::new(endpoint)),
            why: String::new(),
            recipe: ftjob::Recipe::new("m"),
            train: "t".into(),
            valid: None,
            poll: std::time::Duration::ZERO,
            retries: 0,
            prices: PriceTable::bundled(),
            yes,
            runs_dir: "r".into(),
            model_file: "m".into(),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = &mut Terminal { in_is_terminal, ..Terminal::plain(&mut out, &mut err) };
        let asked = consent(&config, "about 5 USD", &mut answer.as_bytes(), terminal);
        Ok((asked.map_err(|failure| failure.exit()), String::from_utf8(err)?))
    }

    #[test]
    fn a_price_table_that_is_absent_or_bad_is_named() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("p.toml");
        let exit = |path: &Path| table(Some(path)).map_err(|failure| failure.exit()).err();
        assert_eq!(exit(&path), Some(Exit::Usage));
        fs::write(&path, "version = 1\nas_of = \"soon\"\n")?;
        assert_eq!(exit(&path), Some(Exit::BadData));
        fs::write(&path, "version = 1\nas_of = \"2026-12-01\"\n")?;
        assert_eq!(exit(&path), None);
        assert_eq!(table(Some(&path)).map_err(|failure| failure.exit()).unwrap().models, []);
        Ok(())
    }

    #[test]
    fn money_is_spent_only_with_a_yes() -> anyhow::Result<()> {
        for (answer, in_is_terminal, yes, agreed) in [
            ("y\n", true, false, true),
            ("YES\n", true, false, true),
            ("n\n", true, false, false),
            ("\n", true, false, false),
            ("", true, false, false),
            ("y\n", false, false, false),
            ("", false, true, true),
        ] {
            let (asked, text) = check(answer, in_is_terminal, yes)?;
            assert_eq!(asked.is_ok(), agreed, "{answer:?} {in_is_terminal} {yes}");
            assert!(agreed || asked == Err(Exit::Usage));
            assert!(text.contains("service.invalid") && text.contains("about 5 USD"));
            assert_eq!(text.contains("[y/N]"), in_is_terminal && !yes);
        }
        Ok(())
    }
}
