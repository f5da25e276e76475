//! What was asked, what came back, and what each answer came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::Verdict;
use crate::metric::Metric;

/// What kind of question an item is.
///
/// # Examples
///
/// ```
/// use evaluation::Task;
///
/// assert_eq!(serde_json::to_string(&Task::Holdout)?, r#""holdout""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A record that was held out of the training.
    Holdout,
    /// A multiple-choice problem.
    Choice,
    /// A conversation with a rubric.
    Rubric,
    /// A question of the built-in safety set.
    Safety,
}

/// What a metric came to for one item.
///
/// It is a value, or the parts of one that is weighed by its size, such as a loss of tokens.
///
/// # Examples
///
/// ```
/// use evaluation::Value;
///
/// let loss = Value { part: 30.0, whole: 20.0 };
/// assert_eq!(loss.mean(), 1.5, "nats a token, of 20 tokens");
/// assert_eq!(Value::yes(true), Value::single(1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The value times the size.
    pub part: f64,
    /// The size, 1 where items weigh the same.
    pub whole: f64,
}

impl Value {
    /// A value of an item that weighs as much as any other.
    pub const fn single(value: f64) -> Self {
        Self { part: value, whole: 1.0 }
    }

    /// Yes or no.
    pub fn yes(yes: bool) -> Self {
        Self::single(f64::from(u8::from(yes)))
    }

    /// The value itself.
    pub fn mean(self) -> f64 {
        self.part / self.whole
    }
}

/// One question with its answer and what it came to.
///
/// It holds the texts: a report of it is as confidential as the records and answers are.
///
/// # Examples
///
/// ```
/// use evaluation::{Item, Metric, Task, Value};
///
/// let mut base = Item::new(Task::Choice, "medqa", "17");
/// base.question = "Which vitamin prevents scurvy?".to_owned();
/// let mut tuned = base.clone();
/// base.values.insert(Metric::Accuracy, Value::yes(false));
/// tuned.values.insert(Metric::Accuracy, Value::yes(true));
/// assert!(base.is_same_question(&tuned));
/// tuned.question = "Which vitamin prevents rickets?".to_owned();
/// assert!(!base.is_same_question(&tuned));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What kind it is.
    pub task: Task,
    /// The set that it belongs to.
    pub set: String,
    /// Its id in the set.
    pub id: String,
    /// The question.
    pub question: String,
    /// The choices, where it has such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What would have been right, or hoped for; of a held-out record the response.
    pub reference: String,
    /// The reasoning of the reference, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_reasoning: Option<String>,
    /// The model's reasoning, where the answer marks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The model's final response, or all of the answer where it marks none; none where it was not asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Why the answer ended, as the service says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// How the answer was read: the rule that found a choice, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// The letter that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<char>,
    /// The log-likelihoods of the choices, in nats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_likelihoods: Vec<f64>,
    /// What it came to.
    pub values: BTreeMap<Metric, Value>,
    /// What judges said, word for word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
}

impl Item {
    /// An item that has not been answered.
    pub fn new(task: Task, set: &str, id: &str) -> Self {
        Self {
            task,
            set: set.to_owned(),
            id: id.to_owned(),
            question: String::new(),
            choices: Vec::new(),
            reference: String::new(),
            reference_reasoning: None,
            reasoning: None,
            response: None,
            finish: None,
            read: None,
            chosen: None,
            log_likelihoods: Vec::new(),
            values: BTreeMap::new(),
            verdicts: Vec::new(),
        }
    }

    /// Whether two items are the same question.
    pub fn is_same_question(&self, other: &Self) -> bool {
        (self.task, &self.set, &self.id) == (other.task, &other.set, &other.id)
            && self.question == other.question
            && self.reference == other.reference
    }
}
