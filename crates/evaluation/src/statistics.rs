//! Numbers with the room that chance leaves them.
//!
//! Every function is pure and gives the same bits for the same input and seed. They are held to 1e-9 against scipy and
//! statsmodels by `tests/golden.rs`.

mod proportion;
mod bootstrap;
mod paired;
mod agreement;
mod calibration;

use serde::{Deserialize, Serialize};

pub use self::agreement::cohens_kappa;
pub use self::bootstrap::{Bootstrap, quantile, sample};
pub use self::calibration::{Bin, Calibration};
pub use self::paired::{Outcomes, mcnemar_exact};
pub use self::proportion::{mean, standard_error, wilson};

/// The two ends of a 95 % interval.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::wilson;
///
/// let accuracy = wilson(70, 100).expect("there are trials");
/// assert!(accuracy.contains(0.65));
/// assert!(!accuracy.contains(0.5), "better than guessing between two");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies within, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}
