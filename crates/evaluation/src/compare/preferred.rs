//! Preferences, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::{Order, Preference};
use crate::statistics::{Outcomes, mcnemar_exact};

/// What a judge prefers over all pairs of answers.
///
/// # Examples
///
/// ```
/// use evaluation::{Preferred, judge::Order};
///
/// let preferred: Preferred = serde_json::from_str(
///     r#"{"judge": "judge", "outcomes": {"wins": 12, "ties": 5, "losses": 3}, "p": 0.035,
///         "orders": {"same": 15, "first": 4, "wavering": 1}}"#,
/// )?;
/// assert_eq!((preferred.count(Order::Same), preferred.count(Order::Second)), (15, 0));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preferred {
    /// The judge's name.
    pub judge: String,
    /// How often it preferred the tuned model's answer, neither, and the base's.
    pub outcomes: Outcomes,
    /// The exact two-sided p-value of the sign test over those that are not ties.
    pub p: f64,
    /// How often verdicts stayed, or changed with the order of the answers, or could not be read.
    pub orders: BTreeMap<Order, usize>,
}

impl Preferred {
    pub(super) fn of<'a>(
        judge: &str,
        preferences: impl IntoIterator<Item = &'a Preference>,
    ) -> Self {
        let (mut orders, mut signs) = (BTreeMap::new(), Vec::new());
        for preference in preferences {
            *orders.entry(preference.order).or_insert(0) += 1;
            signs.push((0.0, f64::from(preference.tuned)));
        }
        let outcomes = Outcomes::of(signs);
        let p = mcnemar_exact(outcomes.losses, outcomes.wins);
        Self { judge: judge.to_owned(), outcomes, p, orders }
    }

    /// How often verdicts ended in this way.
    pub fn count(&self, order: Order) -> usize {
        self.orders.get(&order).copied().unwrap_or(0)
    }
}
