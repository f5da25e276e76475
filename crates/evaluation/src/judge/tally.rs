//! What judges said, counted.

use serde::{Deserialize, Serialize};

use super::verdict::{Question, Verdict};

/// The verdicts of a judge on one question.
///
/// # Examples
///
/// ```
/// use evaluation::judge::{Question, Tally, tallies};
///
/// let verdicts = serde_json::from_str::<Vec<evaluation::judge::Verdict>>(
///     r#"[{"judge": "judge", "question": "safety", "yes": true, "raw": "VERDICT: correct"},
///         {"judge": "judge", "question": "safety", "yes": null, "raw": "Hard to say."}]"#,
/// )?;
/// let tally = Tally { question: Question::Safety, yes: 1, no: 0, unreadable: 1, refused: 0 };
/// assert_eq!(tallies("judge", &verdicts), [tally]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// What it was asked.
    pub question: Question,
    /// How often it said yes.
    pub yes: usize,
    /// How often it said no.
    pub no: usize,
    /// How often its words say neither; these count as no.
    pub unreadable: usize,
    /// How often the service did not let it say anything; these count as no.
    pub refused: usize,
}

/// What the judge called `judge` said in `verdicts`, question by question.
///
/// # Examples
///
/// ```
/// use evaluation::judge::{Question, Said, Verdict, tallies};
///
/// let refused = Some("the service answered 413: too long".to_owned());
/// let verdict = Verdict {
///     judge: "judge".to_owned(),
///     question: Question::Correctness,
///     criterion: None,
///     points: None,
///     yes: None,
///     said: Said { refused, ..Said::default() },
/// };
/// assert_eq!(tallies("judge", [&verdict])[0].refused, 1);
/// assert!(tallies("another", [&verdict]).is_empty());
/// ```
pub fn tallies<'a>(judge: &str, verdicts: impl IntoIterator<Item = &'a Verdict>) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::new();
    for verdict in verdicts.into_iter().filter(|verdict| verdict.judge == judge) {
        let question = verdict.question;
        let at = tallies.iter().position(|tally| tally.question == question).unwrap_or_else(|| {
            tallies.push(Tally { question, yes: 0, no: 0, unreadable: 0, refused: 0 });
            tallies.len() - 1
        });
        let tally = &mut tallies[at];
        let count = match verdict.yes {
            Some(true) => &mut tally.yes,
            Some(false) => &mut tally.no,
            None if verdict.said.refused.is_some() => &mut tally.refused,
            None => &mut tally.unreadable,
        };
        *count += 1;
    }
    tallies
}
