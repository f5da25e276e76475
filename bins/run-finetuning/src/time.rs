//! How long training on this machine will take, by a short measurement.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use dataset::{CheckedChat, content_text};
use engine::{ChatMessage, ChatTemplate, Tokenizer, Weights};
use ftjob::Method;
use indicatif::HumanDuration;
use serde_json::Value;

use crate::examples::{Examples, reader};
use crate::ledger::Planned;

/// So many examples are tokenised; the rest is taken to be like them.
const SAMPLE: usize = 64;

/// What training on `train` will take with the base model at `base`, in words with the arithmetic.
pub(crate) fn estimate(
    base: &Path,
    (train, method): (&Examples, Method),
    epochs: u32,
) -> anyhow::Result<String> {
    let weights = Weights::open(base)?;
    let tokenizer = Tokenizer::of(&weights)?;
    let template = ChatTemplate::of(&weights, &tokenizer)?;
    let (mut examples, mut tokens) = (0_usize, 0_usize);
    let path = &train.file.path;
    let input = File::open(path).with_context(|| path.display().to_string())?;
    for checked in reader(input, method).take(SAMPLE) {
        for messages in sequences(&checked?, method) {
            let text = template.render(&messages, false)?;
            tokens += tokenizer.encode_with_special(&text).len();
        }
        examples += 1;
    }
    let all = tokens as f64 * train.count as f64 / examples.max(1) as f64;
    let rate = engine::rate::training_tokens_per_second(weights.config());
    Ok(told(&Planned { tokens: rounded(all), epochs, usd: None }, rate))
}

/// What is read of an example: its messages; of a pair its conversation with each of the answers.
fn sequences(checked: &CheckedChat, method: Method) -> Vec<Vec<ChatMessage>> {
    let messages: Vec<ChatMessage> = checked.messages().into_iter().map(message).collect();
    match (method, messages.as_slice()) {
        (Method::Preferences { .. }, [conversation @ .., better, worse]) => [better, worse]
            .map(|answer| [conversation, std::slice::from_ref(answer)].concat())
            .to_vec(),
        _ => vec![messages],
    }
}

fn message(message: &Value) -> ChatMessage {
    ChatMessage::new(message["role"].as_str().unwrap_or_default(), content_text(message))
}

fn told(planned: &Planned, rate: f64) -> String {
    let Planned { tokens, epochs, .. } = *planned;
    let seconds = tokens as f64 * f64::from(epochs) / rate.max(1e-3);
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let times = if epochs == 1 { "epoch" } else { "epochs" };
    format!(
        "about {} here ({tokens} tokens x {epochs} {times} at {rate:.0} tokens/s, by a short measurement)",
        HumanDuration(time)
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of tokens is positive and far below 2^53"
)]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_with_its_arithmetic() {
        let planned = Planned { tokens: 50_000, epochs: 3, usd: None };
        assert_eq!(
            told(&planned, 100.0),
            "about 25 minutes here (50000 tokens x 3 epochs at 100 tokens/s, by a short measurement)"
        );
    }
}
