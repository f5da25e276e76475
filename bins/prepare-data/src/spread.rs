//! How a count spreads over examples.

use std::fmt;

use serde::Serialize;

/// The usual figures of a list of counts; quantiles lie between neighbours as `NumPy` places them by default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: u64,
    pub(crate) q10: f64,
    pub(crate) median: f64,
    pub(crate) mean: f64,
    pub(crate) q90: f64,
    pub(crate) max: u64,
}

impl Spread {
    /// The spread of `counts`; none of none.
    pub(crate) fn of(mut counts: Vec<u64>) -> Option<Self> {
        counts.sort_unstable();
        let (&min, &max) = (counts.first()?, counts.last()?);
        let sum: u64 = counts.iter().sum();
        Some(Self {
            min,
            q10: quantile(&counts, 1),
            median: quantile(&counts, 5),
            mean: sum as f64 / counts.len() as f64,
            q90: quantile(&counts, 9),
            max,
        })
    }
}

/// The quantile at `tenths` tenths of sorted `counts`, of which there is at least one.
fn quantile(counts: &[u64], tenths: usize) -> f64 {
    let position = (counts.len() - 1) * tenths;
    let low = counts[position / 10] as f64;
    let high = counts[(position / 10 + 1).min(counts.len() - 1)] as f64;
    low + (high - low) * (position % 10) as f64 / 10.0
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, q10, median, mean, q90, max } = self;
        write!(
            f,
            "min {min}, 10 % {q10:.1}, median {median:.1}, mean {mean:.1}, 90 % {q90:.1}, max {max}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookbooks_toy_file_spreads_as_its_notebook_printed() {
        let spread = Spread::of(vec![45, 111, 26, 28, 8032]).unwrap();
        assert_eq!(
            spread.to_string(),
            "min 26, 10 % 26.8, median 45.0, mean 1648.4, 90 % 4863.6, max 8032"
        );
        assert_eq!(
            Spread::of(vec![7]).unwrap().to_string(),
            "min 7, 10 % 7.0, median 7.0, mean 7.0, 90 % 7.0, max 7"
        );
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
