//! Counts that other programs made: Python's tiktoken on real records, and the cookbook's printed statistics.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use tokens::{Encoding, count_chat, default_epochs};

fn shared(path: &str) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn text<'a>(record: &'a Value, field: &str) -> Result<&'a str> {
    record[field].as_str().with_context(|| format!("no text in `{field}`"))
}

#[test]
#[ignore = "needs ../shared: .ci/run runs it"]
fn shared_records_count_as_python_counted_them() -> Result<()> {
    let mut compared = 0;
    for line in shared("golden/token_counts.jsonl")?.lines() {
        let golden: Value = serde_json::from_str(line)?;
        let records: Value = serde_json::from_str(&shared(text(&golden, "file")?)?)?;
        let record = &records[usize::try_from(golden["index"].as_u64().context("no index")?)?];
        let (question, reasoning) = (text(record, "Question")?, text(record, "Complex_CoT")?);
        let response = text(record, "Response")?;
        let joined = format!("{reasoning}\n\n{response}");
        for encoding in [Encoding::Cl100k, Encoding::O200k] {
            let example =
                count_chat(&encoding, [("user", question), ("assistant", joined.as_str())]);
            let counted = serde_json::json!({
                "Question": encoding.count(question),
                "Complex_CoT": encoding.count(reasoning),
                "Response": encoding.count(response),
                "cot_nn_response": encoding.count(&joined),
                "no_system_example_total": example.total,
            });
            assert_eq!(counted, golden[encoding.name()], "record {}", golden["index"]);
            compared += 1;
        }
    }
    assert!(compared >= 2 * 148, "only {compared} records were compared");
    Ok(())
}

#[test]
#[ignore = "needs ../shared: .ci/run runs it"]
fn the_shared_toy_file_has_the_cookbooks_statistics() -> Result<()> {
    let golden: Value = serde_json::from_str(&shared("golden/cookbook_toy_stats.json")?)?;
    let (mut messages, mut totals, mut assistants) = (Vec::new(), Vec::new(), Vec::new());
    for line in shared("chat_jsonl/cookbook_toy.jsonl")?.lines() {
        let example: Value = serde_json::from_str(line)?;
        let chat = example["messages"].as_array().context("no messages")?;
        let pairs: Result<Vec<_>> =
            chat.iter().map(|one| Ok((text(one, "role")?, text(one, "content")?))).collect();
        let tokens = count_chat(&Encoding::Cl100k, pairs?);
        messages.push(chat.len());
        totals.push(tokens.total);
        assistants.push(tokens.assistant);
    }
    assert_eq!(serde_json::json!(totals), golden["total_tokens"]["per_example"]);
    assert_eq!(serde_json::json!(assistants), golden["assistant_tokens"]["per_example"]);
    for (counts, name) in
        [(&messages, "messages"), (&totals, "total_tokens"), (&assistants, "assistant_tokens")]
    {
        for (statistic, value) in statistics(counts) {
            let expected = golden[name][statistic].as_f64().context("no statistic")?;
            assert!(
                (value - expected).abs() < 1e-9,
                "{name} {statistic}: {value} is not {expected}"
            );
        }
    }
    let capped: usize = totals.iter().map(|&tokens| tokens.min(4_096)).sum();
    let epochs = default_epochs(totals.len());
    assert_eq!(golden["billable_tokens_cap4096"], capped);
    assert_eq!(golden["default_epochs"], epochs);
    assert_eq!(golden["billable_all_epochs"], capped * usize::try_from(epochs)?);
    Ok(())
}

/// Mean, median and the outer tenths, by numpy's linear interpolation.
fn statistics(counts: &[usize]) -> [(&'static str, f64); 4] {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let quantile = |fraction: f64| {
        let place = fraction * (sorted.len() - 1) as f64;
        let below = sorted
            .iter()
            .enumerate()
            .rfind(|&(index, _)| index as f64 <= place)
            .map_or(0, |(index, _)| index);
        let (low, high) = (sorted[below] as f64, sorted[(below + 1).min(sorted.len() - 1)] as f64);
        low + (high - low) * (place - below as f64)
    };
    let mean = sorted.iter().sum::<usize>() as f64 / sorted.len() as f64;
    [("mean", mean), ("median", quantile(0.5)), ("q10", quantile(0.1)), ("q90", quantile(0.9))]
}
