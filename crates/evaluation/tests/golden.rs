//! Metrics and statistics against the reference implementations' numbers (`tests/golden/make_evaluation.py`).

use evaluation::similarity::{chrf, rouge_l, token_f1};
use evaluation::statistics::{
    Bootstrap, cohens_kappa, mcnemar_exact, quantile, standard_error, wilson,
};
use serde_json::Value;

const GOLDEN: &str = include_str!("../../../tests/golden/evaluation.json");

fn rows(name: &str) -> anyhow::Result<Vec<Value>> {
    let golden: Value = serde_json::from_str(GOLDEN)?;
    let rows = golden[name].as_array().cloned().unwrap_or_default();
    anyhow::ensure!(!rows.is_empty(), "the golden file has no `{name}`");
    Ok(rows)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().map(number).collect()
}

/// Whether they are the same to 1e-9, relative where they are large.
#[track_caller]
fn same(ours: f64, theirs: &Value, what: &dyn std::fmt::Debug) {
    let theirs = number(theirs);
    let far = (ours - theirs).abs() / theirs.abs().max(1.0);
    assert!(far < 1e-9, "{ours} is not {theirs}: {what:?}");
}

#[test]
fn similarities_are_those_of_rouge_score_sacrebleu_and_squad() -> anyhow::Result<()> {
    for row in rows("similarities")? {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (candidate, reference) = (text("candidate"), text("reference"));
        same(rouge_l(&candidate, &reference), &row["rouge_l"], &row);
        same(chrf(&candidate, &reference), &row["chrf"], &row);
        same(token_f1(&candidate, &reference), &row["token_f1"], &row);
    }
    Ok(())
}

#[test]
fn intervals_and_errors_are_those_of_statsmodels_scipy_and_numpy() -> anyhow::Result<()> {
    for row in rows("wilson")? {
        let count = |name: &str| row[name].as_u64().and_then(|count| usize::try_from(count).ok());
        let interval = wilson(count("successes").unwrap_or(0), count("trials").unwrap_or(0));
        let interval = interval.expect("there are trials");
        same(interval.low, &row["low"], &row);
        same(interval.high, &row["high"], &row);
    }
    for row in rows("standard_errors")? {
        let error = standard_error(&numbers(&row["values"])).expect("there are two values");
        same(error, &row["standard_error"], &row);
    }
    for row in rows("quantiles")? {
        let values = numbers(&row["values"]);
        for (share, name) in [(0.025, "low"), (0.975, "high")] {
            same(quantile(&values, share).expect("there are values"), &row[name], &row);
        }
    }
    Ok(())
}

#[test]
fn the_paired_test_and_agreement_are_those_of_statsmodels() -> anyhow::Result<()> {
    for row in rows("mcnemar")? {
        let count = |name: &str| row[name].as_u64().and_then(|count| usize::try_from(count).ok());
        let p = mcnemar_exact(count("first").unwrap_or(0), count("second").unwrap_or(0));
        same(p, &row["p"], &row);
        // Tiny p-values must be right too, not only near nothing.
        let theirs = number(&row["p"]);
        assert!(theirs < 1e-300 || (p / theirs - 1.0).abs() < 1e-9, "{p} {row}");
    }
    for row in rows("kappas")? {
        let labels = |name: &str| row[name].as_array().cloned().unwrap_or_default();
        let pairs: Vec<_> = labels("first").into_iter().zip(labels("second")).collect();
        same(cohens_kappa(&pairs).expect("there are two labels"), &row["kappa"], &row);
    }
    Ok(())
}

/// The draws differ, so the ends do, by chance: with 10,000 draws by less than 3 % of the interval's width.
#[test]
fn the_bootstrap_is_that_of_scipy_but_for_its_draws() -> anyhow::Result<()> {
    for row in rows("bootstraps")? {
        let ours = Bootstrap::seeded(1).of_mean(&numbers(&row["values"])).expect("many values");
        let (low, high) = (number(&row["low"]), number(&row["high"]));
        let tolerance = 0.03 * (high - low);
        assert!((ours.low - low).abs() < tolerance, "{ours:?} {low} {high}");
        assert!((ours.high - high).abs() < tolerance, "{ours:?} {low} {high}");
    }
    Ok(())
}
