//! Counts the tokens of a chat and says what training on a thousand such chats would cost.
//!
//! `cargo run --package medtune-examples --example count_tokens [MODEL]`

#![expect(clippy::print_stdout, reason = "an example shows what it made")]

use anyhow::Context;
use template::{Parts, SYSTEM_PROMPT, Template};
use tokens::{Encoding, PriceTable, count_chat, default_epochs};

const EXAMPLES: usize = 1000;

fn main() -> anyhow::Result<()> {
    let model = std::env::args().nth(1).unwrap_or_else(|| "gpt-4.1-mini-2025-04-14".to_owned());
    let encoding = Encoding::for_model(&model)?;
    let answer = Template::Headed.render(&Parts::of(
        "Sudden pain that spreads to the left arm at this age is a myocardial infarction until it is ruled out.",
        "Treat as an acute coronary syndrome: ECG and troponin at once.",
    ))?;
    let chat = [
        ("system", SYSTEM_PROMPT),
        (
            "user",
            "A 60-year-old patient reports sudden chest pain radiating to the left arm. What now?",
        ),
        ("assistant", answer.as_str()),
    ];
    let tokens = count_chat(&encoding, chat);
    println!(
        "{model} ({}): {} tokens, {} of them learned",
        encoding.name(),
        tokens.total,
        tokens.assistant
    );

    let prices = PriceTable::bundled();
    let row = prices.model(&model).with_context(|| format!("no price for {model}"))?;
    let epochs = default_epochs(EXAMPLES);
    let billed = row.billable_tokens(tokens.total) * EXAMPLES;
    match row.training_cost(billed as u64, epochs) {
        Some(cost) => {
            println!("{EXAMPLES} such chats, {epochs} epochs: {cost} (prices of {})", prices.as_of);
        }
        None => println!("{model} cannot be trained there (prices of {})", prices.as_of),
    }
    Ok(())
}
