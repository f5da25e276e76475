//! Multiple choice: problems, how they are asked, and how an answer is read.
//!
//! A problem is asked in one of two ways. By generation the model writes an answer in its own words, and [`extract`]
//! reads the choice out of it. By log-likelihood ([`likelihood`]) nothing is read: the choice whose letter the model
//! holds most likely is taken. The two measure different things and are never mixed.

mod problem;
mod prediction;
mod prompt;
mod value;
mod extraction;
pub mod likelihood;
mod score;
mod measured;

pub use self::extraction::{Extraction, Missing, Rule, extract};
pub use self::measured::{calibration, unanswered, with_likelihoods, with_marked};
pub use self::prediction::{Prediction, PredictionError, read_predictions};
pub use self::problem::{Problem, ProblemError, read_problems};
pub use self::prompt::question;
pub use self::score::{Marked, Score, mark, score};
