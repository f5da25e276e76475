//! How often findings are right, on sentences that were written for it: `labelled/*.jsonl`, whose README says how.

use std::collections::BTreeMap;

use identifiers::{Kind, redact, scan};
use serde::Deserialize;

/// What is reached on the set as it stands; a change that falls below is a regression.
const PRECISION: f64 = 0.95;
const RECALL: f64 = 0.95;

#[derive(Deserialize)]
struct Positive {
    kind: String,
    identifier: String,
    text: String,
}

#[derive(Deserialize)]
struct Negative {
    text: String,
}

#[derive(Default)]
struct Score {
    right: u32,
    missed: u32,
    wrong: u32,
}

impl Score {
    fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(&self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

fn read<T: for<'de> Deserialize<'de>>(lines: &str) -> serde_json::Result<Vec<T>> {
    lines.lines().map(serde_json::from_str).collect()
}

/// A finding is right when it has the kind of the identifier and covers all of it; any other is wrong.
fn score(positives: &[Positive], negatives: &[Negative]) -> (BTreeMap<String, Score>, Vec<String>) {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let mut errors = Vec::new();
    for positive in positives {
        let start = positive
            .text
            .find(&positive.identifier)
            .expect("the identifier stands in its sentence");
        let end = start + positive.identifier.len();
        let mut found = false;
        for finding in scan(&positive.text) {
            let covers = finding.range.start <= start && finding.range.end >= end;
            if finding.kind.to_string() == positive.kind && covers {
                found = true;
            } else {
                scores.entry(finding.kind.to_string()).or_default().wrong += 1;
                errors.push(format!("wrong {finding}: {}", positive.text));
            }
        }
        let score = scores.entry(positive.kind.clone()).or_default();
        score.right += u32::from(found);
        score.missed += u32::from(!found);
        if !found {
            errors.push(format!("missed {}: {}", positive.kind, positive.text));
        }
    }
    for negative in negatives {
        for finding in scan(&negative.text) {
            scores.entry(finding.kind.to_string()).or_default().wrong += 1;
            errors.push(format!("wrong {finding}: {}", negative.text));
        }
    }
    (scores, errors)
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn precision_and_recall_hold_on_the_labelled_set() -> anyhow::Result<()> {
    let positives: Vec<Positive> = read(include_str!("labelled/positives.jsonl"))?;
    let negatives: Vec<Negative> = read(include_str!("labelled/negatives.jsonl"))?;
    assert!(
        positives.len() >= 220 && negatives.len() >= 420,
        "{} and {}",
        positives.len(),
        negatives.len()
    );
    let (scores, errors) = score(&positives, &negatives);
    let mut all = Score::default();
    println!("{} positives, {} negatives", positives.len(), negatives.len());
    for (kind, score) in &scores {
        println!(
            "{kind:8} precision {:.3} recall {:.3} ({} right, {} missed, {} wrong)",
            score.precision(),
            score.recall(),
            score.right,
            score.missed,
            score.wrong
        );
        all.right += score.right;
        all.missed += score.missed;
        all.wrong += score.wrong;
    }
    println!(
        "all      precision {:.3} recall {:.3} ({} right, {} missed, {} wrong)",
        all.precision(),
        all.recall(),
        all.right,
        all.missed,
        all.wrong
    );
    for error in &errors {
        println!("{error}");
    }
    assert!(all.precision() >= PRECISION, "precision fell to {:.3}", all.precision());
    assert!(all.recall() >= RECALL, "recall fell to {:.3}", all.recall());
    Ok(())
}

#[test]
fn every_kind_is_in_the_set_and_its_right_findings_are_redacted() -> anyhow::Result<()> {
    let positives: Vec<Positive> = read(include_str!("labelled/positives.jsonl"))?;
    for kind in Kind::ALL {
        let of_kind: Vec<_> =
            positives.iter().filter(|positive| positive.kind == kind.code()).collect();
        assert!(of_kind.len() >= 10, "{kind} has {}", of_kind.len());
        let redacted = of_kind
            .iter()
            .filter(|positive| redact(&positive.text).contains(&format!("[{kind}]")))
            .count();
        assert!(redacted * 10 >= of_kind.len() * 8, "{kind}: {redacted} of {}", of_kind.len());
    }
    Ok(())
}
