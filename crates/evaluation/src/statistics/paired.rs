//! Two models on the same items.

use serde::{Deserialize, Serialize};

/// The p-value of McNemar's exact two-sided test.
///
/// It is made of the items that only one of two models got right. Under the hypothesis that both are equally good, each
/// such item is a fair coin's toss; the p-value is twice the smaller tail of the binomial distribution, at most 1
/// (McNemar, 1947; `statsmodels.stats.contingency_tables.mcnemar` with `exact=True`). Terms are summed in logarithms,
/// so that thousands of items do not underflow.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::mcnemar_exact;
///
/// assert_eq!(mcnemar_exact(0, 0), 1.0);
/// assert!((mcnemar_exact(1, 9) - 22.0 / 1024.0).abs() < 1e-12);
/// ```
pub fn mcnemar_exact(only_first: usize, only_second: usize) -> f64 {
    let tosses = only_first + only_second;
    let smaller = only_first.min(only_second);
    let mut log_choose = 0.0_f64;
    let mut tail = 0.0;
    for k in 0..=smaller {
        tail += (log_choose - tosses as f64 * std::f64::consts::LN_2).exp();
        log_choose += ((tosses - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// How two models did on the same items, the second seen from the first.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::Outcomes;
///
/// // What the base and the tuned model got for four problems.
/// let outcomes = Outcomes::of([(0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]);
/// assert_eq!(outcomes, Outcomes { wins: 2, ties: 1, losses: 1 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Items on which the second did better.
    pub wins: usize,
    /// Items on which both did the same.
    pub ties: usize,
    /// Items on which the second did worse.
    pub losses: usize,
}

impl Outcomes {
    /// Counts pairs of values, the first model's and the second's, where more is better.
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut outcomes = Self::default();
        for (first, second) in pairs {
            match second.total_cmp(&first) {
                std::cmp::Ordering::Greater => outcomes.wins += 1,
                std::cmp::Ordering::Equal => outcomes.ties += 1,
                std::cmp::Ordering::Less => outcomes.losses += 1,
            }
        }
        outcomes
    }
}
