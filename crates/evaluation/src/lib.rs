//! Measure a model so that a sceptic accepts the numbers.
//!
//! A [`Subject`] is a model that is asked through a [`Recorder`], which keeps every answer on disk and asks nothing
//! twice. Each question with its answer is an [`Item`]; [`measures`] puts the items' values together, each with its
//! interval, by pure functions over what was recorded. [`Comparison`] does the same for two models in pairs.
//!
//! - [`holdout`]: form, length, likeness to the reference, loss and token accuracy by half.
//! - [`choice`]: multiple-choice problems, by generation and by log-likelihood; unreadable answers are wrong answers.
//! - [`judge`]: correctness, rubrics and preferences by another model; [`safety`]: a small built-in set.
//! - [`guard`]: whether what is measured stands in the training data.
//! - [`similarity`] and [`statistics`]: as the reference implementations compute them.
//! - [`report`]: the same numbers as JSON, as one HTML page, as a model card, and as text.
//!
//! ```
//! use evaluation::choice::{Score, mark, read_problems};
//! use template::Template;
//!
//! let problems = read_problems(
//!     r#"[{"question": "Scurvy: which vitamin?", "options": {"A": "B12", "B": "C"}, "answer": "B"}]"#,
//!     "own",
//! )?;
//! let answers = ["The answer is (B)."];
//! let marked: Vec<_> = problems
//!     .into_iter()
//!     .zip(answers)
//!     .map(|(problem, answer)| mark(problem, Some(answer), &Template::Headed))
//!     .collect();
//! let score = Score::of(&marked).expect("there is a problem");
//! assert_eq!((score.correct, score.items), (1, 1));
//! assert!(score.interval.low < 0.3, "one right answer proves little");
//! # Ok::<(), evaluation::choice::ProblemError>(())
//! ```

pub mod statistics;
pub mod similarity;
mod metric;
mod item;
mod measure;
mod answers;
mod recorder;
mod subject;
pub mod choice;
pub mod holdout;
pub mod safety;
pub mod judge;
pub mod guard;
mod compare;
mod condition;
pub mod report;

pub use crate::answers::{Answers, AnswersError};
pub use crate::compare::{Changed, Comparison, Difference, Preferred, answered_by_both};
pub use crate::condition::{Condition, NotACondition};
pub use crate::item::{Item, Task, Value};
pub use crate::measure::{Measure, measures, read_by};
pub use crate::metric::{Kind, Metric};
pub use crate::recorder::{AskError, Recorder};
pub use crate::subject::{Reply, Subject, TokenSums};
