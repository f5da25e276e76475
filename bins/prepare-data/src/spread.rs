//! How a count spreads over examples.

use std::fmt;

use serde::Serialize;

use crate::counts::Counts;

/// The usual figures of a list of counts; quantiles lie between neighbours as `NumPy` places them by default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// One in ten is below it.
    pub q10: f64,
    /// One in four is below it.
    pub q25: f64,
    /// Half are below it.
    pub median: f64,
    /// The sum divided by the number.
    pub mean: f64,
    /// Three in four are below it.
    pub q75: f64,
    /// Nine in ten are below it.
    pub q90: f64,
    /// 95 in a hundred are below it.
    pub q95: f64,
    /// 99 in a hundred are below it.
    pub q99: f64,
    /// The greatest.
    pub max: u64,
}

impl Spread {
    /// The spread of `counts`; none of none.
    pub(crate) fn of(counts: &Counts) -> Option<Self> {
        let (min, _) = counts.iter().next()?;
        let (max, _) = counts.iter().last()?;
        Some(Self {
            min,
            q10: quantile(counts, 10),
            q25: quantile(counts, 25),
            median: quantile(counts, 50),
            mean: counts.sum() as f64 / counts.len() as f64,
            q75: quantile(counts, 75),
            q90: quantile(counts, 90),
            q95: quantile(counts, 95),
            q99: quantile(counts, 99),
            max,
        })
    }
}

/// The quantile at `hundredths` hundredths of `counts`, of which there is at least one.
fn quantile(counts: &Counts, hundredths: u64) -> f64 {
    let last = counts.len() - 1;
    let position = last * hundredths;
    let low = at(counts, position / 100) as f64;
    let high = at(counts, (position / 100 + 1).min(last)) as f64;
    low + (high - low) * (position % 100) as f64 / 100.0
}

/// The number that has `before` numbers before it.
fn at(counts: &Counts, before: u64) -> u64 {
    let mut seen = 0;
    let found = counts.iter().find(|(_, times)| {
        seen += times;
        before < seen
    });
    found.map_or(0, |(number, _)| number)
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, q10, median, mean, q90, max, .. } = self;
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
        let spread = |counts: &[u64]| Spread::of(&counts.iter().copied().collect());
        let toys = spread(&[45, 111, 26, 28, 8032]).unwrap();
        assert_eq!(
            toys.to_string(),
            "min 26, 10 % 26.8, median 45.0, mean 1648.4, 90 % 4863.6, max 8032"
        );
        assert_eq!(
            spread(&[7]).unwrap().to_string(),
            "min 7, 10 % 7.0, median 7.0, mean 7.0, 90 % 7.0, max 7"
        );
        assert_eq!(spread(&[]), None);
    }
    #[test]
    fn quantiles_lie_between_neighbours_also_where_numbers_come_often() {
        let numbers: Vec<u64> = (0..501_u64).map(|number| number * number % 37 * 10).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let counts: Counts = numbers.into_iter().collect();
        assert_eq!((counts.len(), counts.sum()), (501, sorted.iter().sum()));
        for hundredths in [0, 10, 25, 50, 75, 90, 95, 99, 100] {
            // Of 501 numbers each hundredth is 5 places.
            let place = usize::try_from(hundredths * 5).unwrap();
            assert!((quantile(&counts, hundredths) - sorted[place] as f64).abs() < 1e-9);
        }
        let counts: Counts = [10, 10, 20].into_iter().collect();
        assert!((quantile(&counts, 75) - 15.0).abs() < 1e-9);
    }
}
