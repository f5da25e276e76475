//! How far two judges agree.

use serde::{Deserialize, Deserializer, Serialize};

use crate::item::Item;
use crate::judge::{Order, Preference, Question, Verdict};
use crate::statistics::cohens_kappa;

/// How far two judges agree on the same answers.
///
/// # Examples
///
/// ```
/// let agreement: evaluation::report::Agreement = serde_json::from_str(
///     r#"{"about": "correctness", "judges": ["a", "b"], "items": 200, "equal": 0.91, "kappa": 0.78}"#,
/// )?;
/// assert!(agreement.kappa.is_some_and(|kappa| kappa < agreement.equal), "some of it is chance");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// What they were asked: a question's name, or `preference`.
    #[serde(default = "correctness")]
    pub about: String,
    /// The two judges' names.
    pub judges: [String; 2],
    /// Verdicts that both gave.
    pub items: usize,
    /// The share of equal verdicts; one that cannot be read is a verdict of its own kind.
    pub equal: f64,
    /// Cohen's kappa; none where both gave one and the same verdict throughout.
    pub kappa: Option<f64>,
}

fn correctness() -> String {
    Question::Correctness.name().to_owned()
}

/// Reads what the first reports hold too: the agreement on correctness alone, or null.
pub(super) fn lenient<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Agreement>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        All(Vec<Agreement>),
        One(Option<Agreement>),
    }
    Ok(match Shape::deserialize(reader)? {
        Shape::All(all) => all,
        Shape::One(one) => one.into_iter().collect(),
    })
}

/// How far the judges with these names agree, for each question that both were asked.
///
/// # Examples
///
/// ```
/// use evaluation::judge::{Question, Said, Verdict};
/// use evaluation::report::agreements;
/// use evaluation::{Item, Task};
///
/// let verdict = |judge: &str, yes| Verdict {
///     judge: judge.to_owned(),
///     question: Question::Correctness,
///     criterion: None,
///     points: None,
///     yes: Some(yes),
///     said: Said::default(),
/// };
/// let items = [(true, true), (false, false), (true, false)].map(|(a, b)| {
///     let mut item = Item::new(Task::Holdout, "holdout", "5f");
///     item.verdicts = vec![verdict("a", a), verdict("b", b)];
///     item
/// });
/// let agreements = agreements(&items, ["a", "b"]);
/// assert_eq!((agreements[0].about.as_str(), agreements[0].items), ("correctness", 3));
/// assert!((agreements[0].equal - 2.0 / 3.0).abs() < 1e-9);
/// ```
pub fn agreements(items: &[Item], judges: [&str; 2]) -> Vec<Agreement> {
    let of = |question: Question| {
        let both = |item: &Item| {
            // A judge's verdicts on one item stand in the order of its criteria.
            let [first, second] = judges.map(|judge| said_by(judge, question, item));
            first.into_iter().zip(second).collect::<Vec<_>>()
        };
        let pairs: Vec<_> = items.iter().flat_map(both).collect();
        agreement(question.name(), judges, &pairs)
    };
    [Question::Correctness, Question::Criterion, Question::Safety]
        .into_iter()
        .filter_map(of)
        .collect()
}

fn said_by(judge: &str, question: Question, item: &Item) -> Vec<Option<bool>> {
    let is_meant = |verdict: &&Verdict| verdict.question == question && verdict.judge == judge;
    item.verdicts.iter().filter(is_meant).map(|verdict| verdict.yes).collect()
}

/// How far the judges with these names agree in what they prefer.
///
/// There is none without pairs that both judged.
///
/// # Examples
///
/// ```
/// use evaluation::judge::{Order, Preference, Said};
/// use evaluation::report::preference_agreement;
///
/// let preference = |judge: &str, tuned| Preference {
///     judge: judge.to_owned(),
///     id: "17".to_owned(),
///     tuned,
///     order: Order::Same,
///     base_first: Said::default(),
///     tuned_first: Said::default(),
/// };
/// let preferences = [preference("a", 1), preference("b", 1), preference("a", -1), preference("b", -1)];
/// let agreement = preference_agreement(&preferences, ["a", "b"]).expect("both judged pairs");
/// assert_eq!((agreement.items, agreement.kappa), (2, Some(1.0)));
/// assert!(preference_agreement(&preferences, ["a", "c"]).is_none());
/// ```
pub fn preference_agreement(preferences: &[Preference], judges: [&str; 2]) -> Option<Agreement> {
    let [first, second] = judges.map(|judge| {
        let of_judge = preferences.iter().filter(|one| one.judge == judge);
        // What cannot be read is a verdict of its own kind.
        of_judge
            .map(|one| (one.order != Order::Unreadable).then_some(one.tuned))
            .collect::<Vec<_>>()
    });
    let pairs: Vec<_> = first.into_iter().zip(second).collect();
    agreement("preference", judges, &pairs)
}

fn agreement<T: PartialEq>(about: &str, judges: [&str; 2], pairs: &[(T, T)]) -> Option<Agreement> {
    let equal = pairs.iter().filter(|(first, second)| first == second).count();
    (!pairs.is_empty()).then(|| Agreement {
        about: about.to_owned(),
        judges: judges.map(str::to_owned),
        items: pairs.len(),
        equal: equal as f64 / pairs.len() as f64,
        kappa: cohens_kappa(pairs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_reports_say_of_agreement_is_read() -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Part {
            #[serde(default, deserialize_with = "lenient")]
            agreement: Vec<Agreement>,
        }
        let read = |text: &str| serde_json::from_str::<Part>(text).map(|part| part.agreement);
        let one = r#"{"judges": ["a", "b"], "items": 2, "equal": 0.5, "kappa": null}"#;
        assert_eq!(read(&format!(r#"{{"agreement": {one}}}"#))?[0].about, "correctness");
        assert_eq!(read(&format!(r#"{{"agreement": [{one}, {one}]}}"#))?.len(), 2);
        assert!(read(r#"{"agreement": null}"#)?.is_empty() && read("{}")?.is_empty());
        assert!(read(r#"{"agreement": 1}"#).is_err());
        Ok(())
    }
}
