//! Measure a model so that a sceptic accepts the numbers.
//!
//! - [`choice`]: multiple-choice problems, by generation and by log-likelihood; unreadable answers are wrong answers.
//! - [`similarity`]: ROUGE-L, chrF and token F1, as the reference implementations compute them.
//! - [`statistics`]: intervals, paired tests, agreement, calibration.
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
pub mod choice;
