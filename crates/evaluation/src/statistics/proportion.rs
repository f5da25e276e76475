//! Shares and means, with what chance leaves open.

use super::Interval;

/// The 0.975 quantile of the standard normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// The mean of `values`; none where there are none.
///
/// # Examples
///
/// ```
/// assert_eq!(evaluation::statistics::mean(&[0.0, 1.0, 1.0, 1.0]), Some(0.75));
/// assert_eq!(evaluation::statistics::mean(&[]), None);
/// ```
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of the mean of `values`; none below two values.
///
/// The variance is that with `n - 1`, as in lm-evaluation-harness (`mean_stderr`) and `scipy.stats.sem`.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::standard_error;
///
/// let error = standard_error(&[0.0, 1.0, 1.0, 1.0]).expect("there are two values or more");
/// assert!((error - 0.25).abs() < 1e-12);
/// assert_eq!(standard_error(&[1.0]), None);
/// ```
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let count = values.len() as f64;
    Some((squares / (count - 1.0)).sqrt() / count.sqrt())
}

/// Wilson's 95 % score interval of `successes` in `trials`; none without trials.
///
/// Wilson, 1927, "Probable inference, the law of succession, and statistical inference". Unlike `p ± 2 s` it stays
/// between 0 and 1 and has a width where all answers are right or all are wrong.
///
/// # Examples
///
/// ```
/// let interval = evaluation::statistics::wilson(0, 20).expect("there are trials");
/// assert!(interval.low.abs() < 1e-12 && interval.high > 0.16);
/// ```
pub fn wilson(successes: usize, trials: usize) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let z2 = Z95 * Z95;
    let denominator = 1.0 + z2 / n;
    let centre = (p + z2 / (2.0 * n)) / denominator;
    let half = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / denominator;
    Some(Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}
