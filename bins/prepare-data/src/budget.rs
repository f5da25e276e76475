//! What training on the prepared files will cost.

use tokens::{ModelRow, PriceTable, default_epochs};

use crate::counter::Counter;
use crate::report::Budget;

/// The estimate for training `model`, which `counter` counts for, on `examples` examples of together `tokens` tokens.
pub(crate) fn budget(
    model: &str,
    counter: &Counter,
    prices: &PriceTable,
    (examples, tokens): (usize, u64),
) -> Budget {
    if let Some(tokens_per_second) = counter.tokens_per_second() {
        let seconds_per_epoch = tokens as f64 / tokens_per_second;
        return Budget::Time { tokens, tokens_per_second, seconds_per_epoch };
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
