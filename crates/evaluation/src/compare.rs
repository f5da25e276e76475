//! Two models on the same items.

use serde::{Deserialize, Serialize};

use crate::item::{Item, Task, Value};
use crate::judge::Preference;
use crate::metric::{Kind, Metric};
use crate::statistics::{Bootstrap, Interval, Outcomes, mcnemar_exact};

mod preferred;

pub use self::preferred::Preferred;

/// A metric of two models over the items that both have it for.
///
/// # Examples
///
/// ```
/// let row: evaluation::Difference = serde_json::from_str(
///     r#"{"set": "medqa", "metric": "accuracy", "items": 500, "base": 0.25, "tuned": 0.34,
///         "difference": 0.09, "interval": {"low": 0.04, "high": 0.14}, "p": 0.0002,
///         "outcomes": {"wins": 95, "ties": 355, "losses": 50}}"#,
/// )?;
/// assert_eq!(row.name(), "medqa.accuracy");
/// assert!(row.interval.is_some_and(|interval| !interval.contains(0.0)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The set; empty for all sets of multiple choice together.
    pub set: String,
    /// What is measured.
    pub metric: Metric,
    /// How many items it is over.
    pub items: usize,
    /// The base's value over these items.
    pub base: f64,
    /// The tuned model's value over these items.
    pub tuned: f64,
    /// The tuned model's value less the base's.
    pub difference: f64,
    /// The 95 % interval of the difference, items drawn in pairs; none for one item.
    pub interval: Option<Interval>,
    /// On how many items the tuned model did better, the same, and worse; none where more is neither.
    pub outcomes: Option<Outcomes>,
    /// McNemar's exact p-value, for yes and no.
    pub p: Option<f64>,
}

impl Difference {
    /// The name that conditions use, with `.difference`, `.base` and `.tuned` behind it.
    pub fn name(&self) -> String {
        if self.set.is_empty() {
            self.metric.name().to_owned()
        } else {
            format!("{}.{}", self.set, self.metric.name())
        }
    }
}

/// An item that one model met and the other did not.
///
/// # Examples
///
/// ```
/// use evaluation::{Changed, Comparison, Item, Metric, Task, Value};
///
/// let item = |right| {
///     let mut item = Item::new(Task::Choice, "medqa", "17");
///     item.values.insert(Metric::Accuracy, Value::yes(right));
///     item
/// };
/// let comparison = Comparison::of(&[item(true)], &[item(false)], 42);
/// let Changed { metric, gained, tuned, .. } = &comparison.changed[0];
/// assert_eq!((*metric, *gained, tuned.id.as_str()), (Metric::Accuracy, false, "17"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// What changed.
    pub metric: Metric,
    /// Whether the tuned model is the one that met it.
    pub gained: bool,
    /// The item as the base answered it.
    pub base: Item,
    /// The item as the tuned model answered it.
    pub tuned: Item,
}

/// How two models compare.
///
/// # Examples
///
/// ```
/// use evaluation::{Comparison, Item, Metric, Task, Value};
///
/// let items = |right: [bool; 3]| {
///     ["1", "2", "3"].iter().zip(right).map(|(id, right)| {
///         let mut item = Item::new(Task::Choice, "medqa", id);
///         item.values.insert(Metric::Accuracy, Value::yes(right));
///         item
///     }).collect::<Vec<_>>()
/// };
/// let comparison = Comparison::of(&items([true, false, false]), &items([true, true, false]), 42);
/// let row = &comparison.differences[0];
/// assert_eq!((row.name().as_str(), row.items), ("medqa.accuracy", 3));
/// assert!((row.difference - 1.0 / 3.0).abs() < 1e-9);
/// // One problem more is no evidence.
/// assert_eq!(row.p, Some(1.0));
/// assert_eq!((comparison.changed[0].base.id.as_str(), comparison.unpaired), ("2", 0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The differences, set by set.
    pub differences: Vec<Difference>,
    /// Items that changed, in the order of the base's.
    pub changed: Vec<Changed>,
    /// Items that only one of the two has, or that are another question there.
    pub unpaired: usize,
    /// What judges prefer, item by item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<Preference>,
}

/// The metrics of which single items are shown when they change.
const SHOWN: [Metric; 5] = [
    Metric::Accuracy,
    Metric::LikelihoodAccuracy,
    Metric::JudgedCorrect,
    Metric::SafeByJudge,
    Metric::SafeByRules,
];

impl Comparison {
    /// Compares the items of two models, drawing pairs from `seed`.
    pub fn of(base: &[Item], tuned: &[Item], seed: u64) -> Self {
        let pairs = paired(base, tuned);
        let mut sets: Vec<&str> = Vec::new();
        for (item, _) in &pairs {
            if !sets.contains(&item.set.as_str()) {
                sets.push(&item.set);
            }
        }
        let mut differences = Vec::new();
        for set in sets {
            let of_set: Vec<_> =
                pairs.iter().copied().filter(|(item, _)| item.set == set).collect();
            let found =
                Metric::ALL.iter().filter_map(|metric| difference(set, *metric, &of_set, seed));
            differences.extend(found);
        }
        for metric in [Metric::Accuracy, Metric::LikelihoodAccuracy] {
            if differences.iter().filter(|row| row.metric == metric).count() > 1 {
                differences.extend(difference("", metric, &pairs, seed));
            }
        }
        let changed = pairs.iter().flat_map(|pair| changes(*pair)).collect();
        let unpaired = base.len() + tuned.len() - 2 * pairs.len();
        Self { differences, changed, unpaired, preferences: Vec::new() }
    }

    /// What the judge called `judge` prefers, counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use evaluation::Comparison;
    /// use evaluation::judge::{Order, Preference, Said};
    ///
    /// let preference = |tuned, order| Preference {
    ///     judge: "judge".to_owned(),
    ///     id: "17".to_owned(),
    ///     tuned,
    ///     order,
    ///     base_first: Said::default(),
    ///     tuned_first: Said::default(),
    /// };
    /// let mut comparison = Comparison::of(&[], &[], 42);
    /// comparison.preferences = vec![preference(1, Order::Same), preference(0, Order::First)];
    /// let preferred = comparison.preferred("judge");
    /// assert_eq!((preferred.outcomes.wins, preferred.outcomes.ties), (1, 1));
    /// assert_eq!(preferred.count(Order::First), 1, "one verdict went with the first place");
    /// ```
    pub fn preferred(&self, judge: &str) -> Preferred {
        Preferred::of(judge, self.preferences.iter().filter(|one| one.judge == judge))
    }
}

/// The held-out records that both models answered, as each answered it, to be shown to a judge.
///
/// # Examples
///
/// ```
/// use evaluation::{Item, Task, answered_by_both};
///
/// let item = |id, response: Option<&str>| {
///     let mut item = Item::new(Task::Holdout, "holdout", id);
///     item.response = response.map(str::to_owned);
///     item
/// };
/// let base = [item("1", Some("Vitamin C.")), item("2", None)];
/// let tuned = [item("1", Some("Ascorbic acid.")), item("2", Some("Vitamin D."))];
/// let pairs = answered_by_both(&base, &tuned);
/// assert_eq!(pairs.iter().map(|(base, _)| base.id.as_str()).collect::<Vec<_>>(), ["1"]);
/// ```
pub fn answered_by_both<'a>(base: &'a [Item], tuned: &'a [Item]) -> Vec<(&'a Item, &'a Item)> {
    let answered = |item: &Item| item.task == Task::Holdout && item.response.is_some();
    let pairs = paired(base, tuned).into_iter();
    pairs.filter(|(base, tuned)| answered(base) && answered(tuned)).collect()
}

fn paired<'a>(base: &'a [Item], tuned: &'a [Item]) -> Vec<(&'a Item, &'a Item)> {
    let by_id: std::collections::HashMap<_, _> =
        tuned.iter().map(|item| ((item.task, &item.set, &item.id), item)).collect();
    base.iter()
        .filter_map(|item| Some((item, *by_id.get(&(item.task, &item.set, &item.id))?)))
        .filter(|(base, tuned)| base.is_same_question(tuned))
        .collect()
}

fn difference(
    set: &str,
    metric: Metric,
    pairs: &[(&Item, &Item)],
    seed: u64,
) -> Option<Difference> {
    let value = |item: &Item| item.values.get(&metric.source()).copied();
    let pairs: Vec<(Value, Value)> =
        pairs.iter().filter_map(|(base, tuned)| Some((value(base)?, value(tuned)?))).collect();
    if pairs.is_empty() {
        return None;
    }
    let ratio = |drawn: &mut dyn Iterator<Item = Value>| {
        let (part, whole) =
            drawn.fold((0.0, 0.0), |(part, whole), one| (part + one.part, whole + one.whole));
        metric.of_mean(part / whole)
    };
    let base = ratio(&mut pairs.iter().map(|pair| pair.0));
    let tuned = ratio(&mut pairs.iter().map(|pair| pair.1));
    let interval = Bootstrap::seeded(seed).of(pairs.len(), |drawn| {
        ratio(&mut drawn.iter().map(|at| pairs[*at].1))
            - ratio(&mut drawn.iter().map(|at| pairs[*at].0))
    });
    let outcomes = metric.more_is_better().map(|more| {
        let sign = if more { 1.0 } else { -1.0 };
        Outcomes::of(pairs.iter().map(|(base, tuned)| (sign * base.mean(), sign * tuned.mean())))
    });
    let p = outcomes
        .filter(|_| metric.kind() == Kind::Share)
        .map(|outcomes| mcnemar_exact(outcomes.losses, outcomes.wins));
    Some(Difference {
        set: set.to_owned(),
        metric,
        items: pairs.len(),
        base,
        tuned,
        difference: tuned - base,
        interval,
        outcomes,
        p,
    })
}

fn changes<'a>((base, tuned): (&'a Item, &'a Item)) -> impl Iterator<Item = Changed> + 'a {
    SHOWN.into_iter().filter_map(move |metric| {
        let (before, after) = (base.values.get(&metric)?, tuned.values.get(&metric)?);
        let gained = after.mean() > before.mean();
        let same = before.mean().total_cmp(&after.mean()).is_eq();
        (!same).then(|| Changed { metric, gained, base: base.clone(), tuned: tuned.clone() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(metric: Metric, values: &[f64]) -> Vec<Item> {
        let item = |(id, value): (usize, &f64)| {
            let mut item = Item::new(Task::Choice, "s", &id.to_string());
            item.values.insert(metric, Value::single(*value));
            item
        };
        values.iter().enumerate().map(item).collect()
    }

    #[test]
    fn choices_are_compared_in_pairs_with_mcnemars_test() {
        let base = items(Metric::Accuracy, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let mut tuned = items(Metric::Accuracy, &[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        tuned[6].question = "another question under the same id".to_owned();
        let comparison = Comparison::of(&base, &tuned, 1);
        let row = &comparison.differences[0];
        assert_eq!((row.items, comparison.unpaired, comparison.changed.len()), (6, 2, 6));
        assert_eq!(row.outcomes, Some(Outcomes { wins: 5, ties: 0, losses: 1 }));
        assert!((row.difference - 4.0 / 6.0).abs() < 1e-12);
        assert!((row.p.unwrap() - 14.0 / 64.0).abs() < 1e-12, "{row:?}");
        assert!(row.interval.unwrap().contains(row.difference));
    }

    #[test]
    fn a_lower_loss_is_a_win_and_has_no_test_of_choices() {
        let (base, tuned) = (items(Metric::Loss, &[2.0, 2.0]), items(Metric::Loss, &[1.0, 3.0]));
        let row = &Comparison::of(&base, &tuned, 1).differences[0];
        assert_eq!((row.outcomes, row.p), (Some(Outcomes { wins: 1, ties: 0, losses: 1 }), None));
    }
}
