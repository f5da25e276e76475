//! Choosing by log-likelihood: nothing is generated, so nothing has to be read.
//!
//! The prompt and the continuations are those of lm-evaluation-harness's `medqa_4options` task, and its `pubmedqa` task
//! where a problem has an abstract and no letters are needed: the letter behind "Answer:", or the choice's own text.
//!
//! # Examples
//!
//! ```
//! use evaluation::choice::likelihood::{Likelihoods, continuations, prompt};
//! use evaluation::choice::read_problems;
//!
//! let text = r#"{"question": "Which vitamin prevents scurvy?", "options": {"A": "B12", "B": "C"}, "answer": "B"}"#;
//! let problem = &read_problems(text, "own")?[0];
//! assert_eq!(prompt(problem), "Question: Which vitamin prevents scurvy?\nA. B12\nB. C\nAnswer:");
//! assert_eq!(continuations(problem), [" A", " B"]);
//! // What a model told of the two, in nats.
//! let log_likelihoods = vec![-2.0, -1.0];
//! let (set, id) = (problem.set.clone(), problem.id.clone());
//! let likelihoods = Likelihoods { set, id, answer: problem.answer, log_likelihoods };
//! assert_eq!((likelihoods.choice(), likelihoods.is_correct()), (1, true));
//! assert!((likelihoods.confidence() - 0.731).abs() < 1e-3);
//! # Ok::<(), evaluation::choice::ProblemError>(())
//! ```

use serde::{Deserialize, Serialize};

use super::Problem;
use super::prompt::listed;

/// The text whose continuations are compared.
pub fn prompt(problem: &Problem) -> String {
    match &problem.context {
        Some(context) => format!("Abstract: {context}\nQuestion: {}\nAnswer:", problem.question),
        None => format!("Question: {}\n{}Answer:", problem.question, listed(problem)),
    }
}

/// What may follow the prompt, one for each choice in its order.
pub fn continuations(problem: &Problem) -> Vec<String> {
    match &problem.context {
        Some(_) => problem.choices.iter().map(|choice| format!(" {choice}")).collect(),
        None => (0..problem.choices.len()).map(|at| format!(" {}", Problem::letter(at))).collect(),
    }
}

/// A problem marked by the log-likelihoods of its choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likelihoods {
    /// The set of the problem.
    pub set: String,
    /// Its id.
    pub id: String,
    /// The right choice.
    pub answer: usize,
    /// The sum of the log-probabilities of each continuation's tokens, in nats.
    pub log_likelihoods: Vec<f64>,
}

impl Likelihoods {
    /// The likeliest choice, the first of equals.
    pub fn choice(&self) -> usize {
        let mut best = 0;
        for (at, value) in self.log_likelihoods.iter().enumerate() {
            if *value > self.log_likelihoods[best] {
                best = at;
            }
        }
        best
    }

    /// Whether the likeliest choice is right.
    pub fn is_correct(&self) -> bool {
        self.choice() == self.answer
    }

    /// The likeliest choice's share of the probability that the choices have together.
    pub fn confidence(&self) -> f64 {
        let best = self.log_likelihoods[self.choice()];
        1.0 / self.log_likelihoods.iter().map(|value| (value - best).exp()).sum::<f64>()
    }
}
