//! What training on the prepared files will cost, and asking the model afterwards.

use std::fs;
use std::path::Path;

use anyhow::Context;
use cli::{Exit, Failure, ResultExt};
use tokens::{ModelRow, PriceTable, default_epochs};

use crate::counter::Counter;
use crate::report::{Asking, Budget, SideTokens};

/// How many questions the cost of asking is given for.
const QUESTIONS: u64 = 1000;

/// The price table at `path`, or the bundled one.
pub(crate) fn price_table(path: Option<&Path>) -> Result<PriceTable, Failure> {
    let Some(path) = path else { return Ok(PriceTable::bundled()) };
    let named = || format!("--price-table: {}", path.display());
    let text = fs::read_to_string(path).with_context(named).or_exit(Exit::Usage)?;
    PriceTable::from_toml(&text).with_context(named).or_exit(Exit::BadData)
}

/// What it costs to ask the tuned `model` questions like those of the training examples.
pub(crate) fn asking(
    model: &str,
    prices: &PriceTable,
    (examples, tokens): (usize, SideTokens),
) -> Option<Asking> {
    let row = prices.model(model)?;
    let mean = |tokens: u64| tokens.div_ceil(examples.max(1) as u64);
    let answers = tokens.reasoning + tokens.response;
    // The system prompt and the frame are read with each question.
    let [input, output] = [tokens.total.saturating_sub(answers), answers].map(mean);
    let usd = row.inference_cost(input * QUESTIONS, output * QUESTIONS)?.0;
    Some(Asking { questions: QUESTIONS, input_tokens: input, output_tokens: output, usd })
}

/// The estimate for training `model`, which `counter` counts for, on `examples` examples of together `tokens` tokens.
pub(crate) fn budget(
    model: &str,
    counter: &Counter,
    prices: &PriceTable,
    (examples, tokens): (usize, u64),
) -> Budget {
    if let Some(tokens_per_second) = counter.tokens_per_second() {
        let seconds_per_epoch = tokens as f64 / tokens_per_second;
        let epochs = default_epochs(examples);
        return Budget::Time { tokens, tokens_per_second, seconds_per_epoch, epochs };
    }
    let Some(row) = prices.model(model) else {
        let reason = if engine::models::find(model).is_some() {
            format!("{model} trains on this machine at no charge, in a time that is not known yet")
        } else {
            format!("no price is known for {model}")
        };
        return Budget::Unknown { reason };
    };
    let Some(usd_per_million) = row.training_usd_per_million else {
        return Budget::Unknown { reason: format!("no training price is known for {}", row.id) };
    };
    let epochs = default_epochs(examples);
    let usd = row.training_cost(tokens, epochs).map_or(0.0, |usd| usd.0);
    Budget::Cost {
        model: row.id.clone(),
        tokens,
        epochs,
        usd_per_million,
        usd,
        as_of: prices.as_of.to_string(),
    }
}

/// What stands in the way of training `row`, in words.
pub(crate) fn objections(row: &ModelRow, prices: &PriceTable) -> Vec<String> {
    let mut objections = Vec::new();
    if !row.fine_tunable {
        objections.push(format!("{} could no longer be fine-tuned on {}", row.id, prices.as_of));
    }
    if let Some(day) = row.shutdown_date {
        objections.push(format!("{} and models tuned from it stop answering on {day}", row.id));
    }
    objections
}
