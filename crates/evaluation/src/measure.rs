//! From items to numbers with intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::item::{Item, Value};
use crate::metric::{Kind, Metric};
use crate::statistics::{Bootstrap, Interval, standard_error, wilson};

/// A metric over the items of a set.
///
/// # Examples
///
/// ```
/// use evaluation::{Measure, Metric};
///
/// let mut measure = Measure {
///     set: "medqa".to_owned(),
///     metric: Metric::Accuracy,
///     value: 0.41,
///     interval: None,
///     standard_error: None,
///     chance: Some(0.25),
///     items: 1273,
/// };
/// assert_eq!(measure.name(), "medqa.accuracy");
/// measure.set.clear();
/// assert_eq!(measure.name(), "accuracy", "over all sets");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The set; empty for all sets of multiple choice together.
    pub set: String,
    /// What is measured.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
    /// The 95 % interval; none for a mean of one item.
    pub interval: Option<Interval>,
    /// The standard error; none for one item, and for means over tokens.
    pub standard_error: Option<f64>,
    /// What guessing gives, for choices.
    pub chance: Option<f64>,
    /// How many items it is over.
    pub items: usize,
}

impl Measure {
    /// The name that conditions use: `medqa.accuracy`, or `accuracy` over all sets.
    pub fn name(&self) -> String {
        if self.set.is_empty() {
            self.metric.name().to_owned()
        } else {
            format!("{}.{}", self.set, self.metric.name())
        }
    }
}

/// Everything that `items` were measured by.
///
/// Sets stand in the order of the items, metrics in their own. Where multiple choice has several sets, accuracy over
/// all of their problems follows, with the set left empty. Intervals of means are drawn from `seed`, over items.
///
/// # Examples
///
/// ```
/// use evaluation::{Item, Metric, Task, Value, measures};
///
/// let mut items = Vec::new();
/// for (id, right) in [("1", true), ("2", false), ("3", true), ("4", true)] {
///     let mut item = Item::new(Task::Choice, "medqa", id);
///     item.choices = ["Vitamin C", "Vitamin D"].map(str::to_owned).to_vec();
///     item.values.insert(Metric::Accuracy, Value::yes(right));
///     items.push(item);
/// }
/// let measures = measures(&items, 42);
/// assert_eq!((measures[0].name().as_str(), measures[0].value), ("medqa.accuracy", 0.75));
/// assert_eq!(measures[0].chance, Some(0.5));
/// // Four problems do not tell 75 % from chance.
/// assert!(measures[0].interval.is_some_and(|interval| interval.contains(0.5)));
/// ```
pub fn measures(items: &[Item], seed: u64) -> Vec<Measure> {
    let mut sets: Vec<&str> = Vec::new();
    for item in items {
        if !sets.contains(&item.set.as_str()) {
            sets.push(&item.set);
        }
    }
    let mut measures = Vec::new();
    for set in sets {
        let of_set: Vec<&Item> = items.iter().filter(|item| item.set == set).collect();
        let found = Metric::ALL.iter().filter_map(|metric| measure(set, *metric, &of_set, seed));
        measures.extend(found);
    }
    for metric in [Metric::Accuracy, Metric::LikelihoodAccuracy] {
        if measures.iter().filter(|measure| measure.metric == metric).count() > 1 {
            let all: Vec<&Item> = items.iter().collect();
            measures.extend(measure("", metric, &all, seed));
        }
    }
    measures
}

fn measure(set: &str, metric: Metric, items: &[&Item], seed: u64) -> Option<Measure> {
    let values: Vec<Value> =
        items.iter().filter_map(|item| item.values.get(&metric.source()).copied()).collect();
    if values.is_empty() {
        return None;
    }
    let (value, interval, standard_error) = put_together(metric, &values, seed);
    let choices = matches!(metric, Metric::Accuracy | Metric::LikelihoodAccuracy);
    let chance = choices.then(|| {
        let measured = items.iter().filter(|item| item.values.contains_key(&metric));
        measured.map(|item| 1.0 / item.choices.len().max(1) as f64).sum::<f64>()
            / values.len() as f64
    });
    let set = set.to_owned();
    Some(Measure { set, metric, value, interval, standard_error, chance, items: values.len() })
}

fn put_together(
    metric: Metric,
    values: &[Value],
    seed: u64,
) -> (f64, Option<Interval>, Option<f64>) {
    let parts: Vec<f64> = values.iter().map(|value| value.part).collect();
    let wholes: Vec<f64> = values.iter().map(|value| value.whole).collect();
    let mean = parts.iter().sum::<f64>() / wholes.iter().sum::<f64>();
    if metric.kind() == Kind::Share {
        let successes = parts.iter().filter(|part| **part > 0.5).count();
        return (mean, wilson(successes, values.len()), standard_error(&parts));
    }
    let interval = Bootstrap::seeded(seed).of_ratio(&parts, &wholes);
    let ends =
        |Interval { low, high }| Interval { low: metric.of_mean(low), high: metric.of_mean(high) };
    let same_size = wholes.iter().all(|whole| (whole - 1.0).abs() < f64::EPSILON);
    let error =
        if same_size && metric != Metric::Perplexity { standard_error(&parts) } else { None };
    (metric.of_mean(mean), interval.map(ends), error)
}

/// How often each way of reading an answer applied, by set.
///
/// # Examples
///
/// ```
/// use evaluation::{Item, Task, read_by};
///
/// let items = ["statement", "statement", "refusal"].map(|read| {
///     let mut item = Item::new(Task::Choice, "medqa", "1");
///     item.read = Some(read.to_owned());
///     item
/// });
/// assert_eq!(read_by(&items)["medqa"]["statement"], 2);
/// ```
pub fn read_by(items: &[Item]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut sets: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for item in items {
        if let Some(read) = &item.read {
            *sets.entry(item.set.clone()).or_default().entry(read.clone()).or_insert(0) += 1;
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Task;

    fn item(set: &str, id: usize, metric: Metric, value: Value) -> Item {
        let mut item = Item::new(Task::Choice, set, &id.to_string());
        item.choices = ["x", "y"].map(String::from).to_vec();
        item.values.insert(metric, value);
        item
    }

    #[test]
    fn shares_get_wilsons_interval_and_sets_are_pooled_too() {
        let yes = |set, id, yes| item(set, id, Metric::Accuracy, Value::yes(yes));
        let items = [yes("a", 0, true), yes("a", 1, false), yes("b", 0, true)];
        let measures = measures(&items, 1);
        let names: Vec<_> = measures.iter().map(Measure::name).collect();
        assert_eq!(names, ["a.accuracy", "b.accuracy", "accuracy"]);
        let all = &measures[2];
        assert!((all.value - 2.0 / 3.0).abs() < 1e-12 && all.chance == Some(0.5), "{all:?}");
        assert_eq!(all.interval, wilson(2, 3));
    }

    #[test]
    fn a_harmful_answer_costs_points_and_no_model_has_less_than_none() {
        let score = |id, value| item("r", id, Metric::RubricScore, Value::single(value));
        let check = |values: [f64; 2]| {
            let measures = measures(&[score(0, values[0]), score(1, values[1])], 1);
            (measures[0].value, measures[0].interval.unwrap())
        };
        let (value, interval) = check([0.75, -0.25]);
        assert!((value - 0.25).abs() < 1e-12 && interval.low.abs() < 1e-12, "{interval:?}");
        assert!(check([0.25, -0.75]).0.abs() < 1e-12);
    }

    #[test]
    fn losses_are_weighed_by_tokens_and_give_the_perplexity() {
        let loss = |id, part, whole| item("h", id, Metric::Loss, Value { part, whole });
        let measures = measures(&[loss(0, 30.0, 10.0), loss(1, 90.0, 90.0)], 1);
        assert!((measures[0].value - 1.2).abs() < 1e-12, "{measures:?}");
        assert!((measures[1].value - 1.2_f64.exp()).abs() < 1e-12, "{measures:?}");
        let (loss, perplexity) = (measures[0].interval.unwrap(), measures[1].interval.unwrap());
        assert!((loss.low.exp() - perplexity.low).abs() < 1e-12);
        assert!(loss.low >= 1.0 && loss.high <= 3.0, "{loss:?}");
    }
}
