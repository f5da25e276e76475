//! Whether a model that is sure is right.

use serde::{Deserialize, Serialize};

/// The equal bins between 0 and 1 that confidences are put into.
const BINS: usize = 10;

/// Confidence against accuracy: Guo and others, 2017, "On calibration of modern neural networks".
///
/// # Examples
///
/// ```
/// use evaluation::statistics::Calibration;
///
/// // Three answers that the model was sure of, of which two were right, and one that it was not.
/// let answers = [(0.90, true), (0.95, true), (0.92, false), (0.30, false)];
/// let calibration = Calibration::of(&answers).expect("there are answers");
/// assert_eq!(calibration.bins.iter().map(|bin| bin.items).collect::<Vec<_>>(), [1, 3]);
/// assert!((calibration.error - (0.30 + 0.77) / 4.0).abs() < 1e-9);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The bins that hold an item, from the least confidence up.
    pub bins: Vec<Bin>,
    /// The expected calibration error: the mean gap between confidence and accuracy, weighted by items.
    pub error: f64,
}

/// The items of one range of confidence.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::{Bin, Calibration};
///
/// let calibration = Calibration::of(&[(0.71, true), (0.79, false)]).expect("there are answers");
/// let Bin { items, correct, confidence, accuracy } = calibration.bins[0];
/// assert_eq!((items, correct, accuracy), (2, 1, 0.5));
/// assert!((confidence - 0.75).abs() < 1e-9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Their number.
    pub items: usize,
    /// How many were right.
    pub correct: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share that was right.
    pub accuracy: f64,
}

impl Calibration {
    /// The calibration of `items`; none without items.
    ///
    /// Each is the confidence in an answer, 0 to 1, and whether the answer was right.
    pub fn of(items: &[(f64, bool)]) -> Option<Self> {
        let mut sums = [(0_usize, 0_usize, 0.0_f64); BINS];
        for &(confidence, correct) in items {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a confidence lies between 0 and 1"
            )]
            let bin = (confidence.clamp(0.0, 1.0) * BINS as f64) as usize;
            let sum = &mut sums[bin.min(BINS - 1)];
            *sum = (sum.0 + 1, sum.1 + usize::from(correct), sum.2 + confidence);
        }
        let filled = sums.iter().filter(|(items, ..)| *items > 0);
        let bins: Vec<Bin> = filled
            .map(|&(items, correct, confidence)| Bin {
                items,
                correct,
                confidence: confidence / items as f64,
                accuracy: correct as f64 / items as f64,
            })
            .collect();
        let gap = |bin: &Bin| (bin.confidence - bin.accuracy).abs() * bin.items as f64;
        let error = bins.iter().map(gap).sum::<f64>() / items.len() as f64;
        (!items.is_empty()).then_some(Self { bins, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_mean_gap_between_confidence_and_accuracy() {
        let items = [(0.95, true), (0.95, false), (0.25, false), (1.0, true)];
        let calibration = Calibration::of(&items).unwrap();
        // Bins: 0.25 (wrong: gap 0.25) and 0.9 to 1 (two of three right, confidence 2.9 / 3).
        let expected = (0.25 + (2.9 - 2.0)) / 4.0;
        assert!((calibration.error - expected).abs() < 1e-12, "{calibration:?}");
        assert_eq!(calibration.bins.iter().map(|bin| bin.items).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(Calibration::of(&[]), None);
    }
}
