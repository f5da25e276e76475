//! Runs of characters that two texts share.

use std::collections::HashMap;

/// The longest runs that count.
const ORDER: usize = 6;
/// How much more recall counts than precision.
const BETA: f64 = 2.0;

/// chrF2 of `candidate` against `reference`, 0 to 100, as sacrebleu computes it for a sentence.
///
/// Popović, 2015, "chrF: character n-gram F-score"; sacrebleu's signature is
/// `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`. White space does not count. It needs no words, so it says something
/// about any script.
///
/// # Examples
///
/// ```
/// use evaluation::similarity::chrf;
///
/// assert!((chrf("发热三天", "发热三天") - 100.0).abs() < 1e-9);
/// assert_eq!(chrf("", "fever"), 0.0);
/// ```
pub fn chrf(candidate: &str, reference: &str) -> f64 {
    let characters = |text: &str| text.split_whitespace().flat_map(str::chars).collect::<Vec<_>>();
    let (candidate, reference) = (characters(candidate), characters(reference));
    let (mut precisions, mut recalls, mut orders) = (0.0, 0.0, 0.0);
    for order in 1..=ORDER {
        let (ours, theirs) = (runs(&candidate, order), runs(&reference, order));
        let total = |runs: &HashMap<&[char], usize>| runs.values().sum::<usize>() as f64;
        let (our_total, their_total) = (total(&ours), total(&theirs));
        // An order that one of the two is too short for says nothing.
        if our_total == 0.0 || their_total == 0.0 {
            continue;
        }
        let shared = ours.iter().map(|(run, count)| (*count).min(*theirs.get(run).unwrap_or(&0)));
        let shared = shared.sum::<usize>() as f64;
        precisions += shared / our_total;
        recalls += shared / their_total;
        orders += 1.0;
    }
    if precisions + recalls == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precisions / orders, recalls / orders);
    let factor = BETA * BETA;
    100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))
}

fn runs(text: &[char], order: usize) -> HashMap<&[char], usize> {
    let mut runs = HashMap::new();
    for run in text.windows(order) {
        *runs.entry(run).or_insert(0) += 1;
    }
    runs
}
