//! What a job at a service will cost, whether its model is trained at all, and the question before it is spent.

use std::fs;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt, Terminal};
use ftjob::Recipe;
use tokens::{ChatConstants, Encoding, PriceTable, default_epochs};

use crate::config::{Caution, Place, Target};
use crate::examples::{Counter, Examples};
use crate::ledger::Planned;

/// The price table at `path`, or the bundled one.
pub(crate) fn table(path: Option<&Path>) -> Result<PriceTable, Failure> {
    let Some(path) = path else { return Ok(PriceTable::bundled()) };
    let named = || format!("--price-table: {}", path.display());
    let text = fs::read_to_string(path).with_context(named).or_exit(Exit::Usage)?;
    PriceTable::from_toml(&text).with_context(named).or_exit(Exit::BadData)
}

/// What counts a service's tokens, where the model's encoding is known.
pub(crate) fn counter(target: &Target, model: &str, prices: &PriceTable) -> Option<Counter> {
    let Place::Service(_) = &target.place else { return None };
    let encoding = Encoding::for_model(tokens::base_model(model)).ok()?;
    let row = prices.model(model);
    let limit = row.and_then(|row| row.max_training_tokens).unwrap_or(usize::MAX);
    Some(Counter { encoding, constants: ChatConstants::for_model(model), limit })
}

/// Refuses a model that `OpenAI` no longer trains before anything is sent there.
pub(crate) fn check_model(target: &Target, model: &str, caution: &Caution) -> Result<(), Failure> {
    let Place::Service(endpoint) = &target.place else { return Ok(()) };
    // Other services have tables of their own.
    if endpoint.host() != "api.openai.com" {
        return Ok(());
    }
    let prices = &caution.prices;
    let today = caution.today.max(prices.as_of);
    if let Some(end) = prices.training_ends.filter(|end| *end <= today) {
        let error = anyhow!("OpenAI takes no fine-tuning jobs from anybody since {end}");
        return Err(Failure::new(Exit::Service, error).hint(crate::explain::WAYS));
    }
    let Some(row) = prices.model(model) else { return Ok(()) };
    if row.fine_tunable && !row.is_shut_down(today) {
        return Ok(());
    }
    let since = row
        .shutdown_date
        .map(|day| {
            format!(
                ", which {} on {day}",
                if day <= today { "was shut down" } else { "shuts down" }
            )
        })
        .unwrap_or_default();
    let error = anyhow!("OpenAI no longer trains {}{since} (as of {})", row.id, prices.as_of);
    let left = prices.models.iter().filter(|row| row.fine_tunable && !row.is_shut_down(today));
    let left: Vec<&str> = left.map(|row| row.id.as_str()).collect();
    let hint = format!(
        "trained there on that day: {}; or train on this machine with --provider local",
        left.join(", ")
    );
    Err(Failure::new(Exit::Service, error).hint(hint))
}

/// What a recipe is expected to take; `None` where tokens are not counted.
pub(crate) fn plan(recipe: &Recipe, train: &Examples, prices: &PriceTable) -> Option<Planned> {
    let tokens = train.tokens?;
    let epochs = recipe.epochs.unwrap_or_else(|| default_epochs(train.count));
    let row = prices.model(&recipe.model);
    let usd = row.and_then(|row| row.training_cost(tokens, epochs)).map(|usd| usd.0);
    Some(Planned { tokens, epochs, usd })
}

/// What `plans` cost together, with the arithmetic, and the sum where all are known.
pub(crate) fn estimate(
    model: &str,
    plans: &[Option<Planned>],
    prices: &PriceTable,
) -> (String, Option<f64>) {
    let sum = plans.iter().map(|plan| plan.as_ref()?.usd).sum::<Option<f64>>();
    let price = prices.model(model).and_then(|row| row.training_usd_per_million);
    let (Some(sum), Some(price)) = (sum, price) else {
        return (format!("what it costs is not known for {model}"), None);
    };
    let terms: Vec<String> = plans
        .iter()
        .flatten()
        .map(|plan| {
            let times = if plan.epochs == 1 { "epoch" } else { "epochs" };
            format!("{} tokens x {} {times} x {price} USD per million", plan.tokens, plan.epochs)
        })
        .collect();
    let shown = terms.iter().take(4).cloned().collect::<Vec<_>>().join(" + ");
    let more = if terms.len() > 4 { format!(" + {} more", terms.len() - 4) } else { String::new() };
    (format!("about {sum:.2} USD ({shown}{more}); prices of {}", prices.as_of), Some(sum))
}

/// Asks before money is spent or records are sent; `usd` is what it will cost, where that is known.
pub(crate) fn consent(
    (target, model): (&Target, &str),
    caution: &Caution,
    (estimate, usd): (&str, Option<f64>),
    input: &mut dyn BufRead,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let Place::Service(endpoint) = &target.place else { return Ok(()) };
    if let Some(most) = caution.max_cost {
        if usd.is_none() && !endpoint.is_loopback() {
            let error = anyhow!("--max-cost {most}: {estimate}");
            let hint =
                "--price-table gives prices of your own; without --max-cost it is asked instead";
            return Err(Failure::new(Exit::Usage, error).hint(hint));
        }
        if let Some(usd) = usd.filter(|usd| *usd > most) {
            let error = anyhow!("it would cost about {usd:.2} USD, more than --max-cost {most}");
            return Err(Failure::new(Exit::Usage, error).hint(estimate));
        }
    }
    if endpoint.is_loopback() {
        return Ok(());
    }
    let host = endpoint.host();
    writeln!(
        terminal.err,
        "the records will be sent to {host}; training {model} there: {estimate}"
    )?;
    if caution.yes || asked("go on?", input, terminal)? {
        return Ok(());
    }
    if !terminal.in_is_terminal {
        let error = anyhow!("this may cost money, and nobody can be asked");
        return Err(Failure::new(Exit::Usage, error).hint("--yes agrees to it"));
    }
    Err(Failure::new(Exit::Usage, anyhow!("not agreed to; nothing was sent")))
}

/// Whether a person says yes to `question`; nobody there is no.
pub(crate) fn asked(
    question: &str,
    input: &mut dyn BufRead,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<bool> {
    if !terminal.in_is_terminal {
        return Ok(false);
    }
    write!(terminal.err, "{question} [y/N] ")?;
    terminal.err.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests;
