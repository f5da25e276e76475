//! Counts of values in intervals of one width.

use crate::scale::round_up;

/// About how many intervals there are.
const INTERVALS: f64 = 40.0;
/// How far beyond the bulk of the values the intervals go; the few values beyond are counted in one number.
const REACH: f64 = 1.5;

/// How many values lie in each interval from zero on.
///
/// # Examples
///
/// ```
/// use plot::Bins;
///
/// let bins = Bins::of(&[120, 340, 355, 360, 410, 980]);
/// assert_eq!(bins.counts.iter().sum::<u64>() + bins.beyond, 6);
/// assert_eq!((bins.width, bins.max), (50.0, 980));
/// assert_eq!(bins.counts[7], 2, "355 and 360 lie between 350 and 400");
/// assert_eq!(bins.end(), 1000.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bins {
    /// The intervals' width.
    pub width: f64,
    /// Values in each interval; the first starts at zero, and each holds its lower end.
    pub counts: Vec<u64>,
    /// Values beyond the last interval.
    pub beyond: u64,
    /// The greatest value.
    pub max: u64,
}

impl Bins {
    /// Counts `values` in intervals of a round width.
    ///
    /// The intervals reach over all values, unless a few of them, less than one in a hundred, lie far beyond the
    /// others.
    pub fn of(values: &[u64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        Self::of_counted(sorted.into_iter().map(|value| (value, 1)))
    }

    /// As [`of`](Self::of), for values in ascending order that each come with how often they are there.
    ///
    /// # Examples
    ///
    /// ```
    /// use plot::Bins;
    ///
    /// // Three examples of 120 tokens and one of 340, without a list of all.
    /// let counted = [(120, 3), (340, 1)];
    /// assert_eq!(Bins::of_counted(counted.into_iter()), Bins::of(&[120, 340, 120, 120]));
    /// ```
    pub fn of_counted(values: impl Iterator<Item = (u64, u64)> + Clone) -> Self {
        let (mut max, mut all) = (0, 0);
        for (value, times) in values.clone() {
            max = value;
            all += times;
        }
        let before_bulk = u64::saturating_sub(all, 1) * 99 / 100;
        let mut seen = 0;
        let bulk = values.clone().find(|(_, times)| {
            seen += times;
            before_bulk < seen
        });
        let bulk = bulk.map_or(0, |(value, _)| value);
        let far = (max as f64) > bulk as f64 * REACH * 2.0;
        let reach = if far { bulk as f64 * REACH } else { max as f64 };
        let width = round_up(((reach + 1.0) / INTERVALS).max(1.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 50")]
        let intervals = ((reach + 1.0) / width).ceil().clamp(1.0, 50.0) as usize;
        let mut counts = vec![0; intervals];
        let mut beyond = 0;
        for (value, times) in values {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "values are not negative, and a cast of what is too large saturates"
            )]
            let interval = (value as f64 / width) as usize;
            *counts.get_mut(interval).unwrap_or(&mut beyond) += times;
        }
        Self { width, counts, beyond, max }
    }

    /// Where the last interval ends.
    pub fn end(&self) -> f64 {
        self.width * self.counts.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        for values in
            [vec![], vec![0], vec![7; 3], (0..1000).collect(), vec![1, u64::MAX], vec![u64::MAX]]
        {
            let bins = Bins::of(&values);
            let counted = bins.counts.iter().sum::<u64>() + bins.beyond;
            assert_eq!(counted, values.len() as u64, "{values:?}");
        }
    }

    #[test]
    fn a_few_values_far_off_do_not_flatten_the_others() {
        let mut values: Vec<u64> = (0..500).map(|value| 300 + value % 200).collect();
        values.push(60_000);
        let bins = Bins::of(&values);
        assert_eq!((bins.beyond, bins.max, bins.end()), (1, 60_000, 760.0));
    }

    #[test]
    fn values_that_come_often_are_counted_as_often() {
        let counted = [(3, 2), (700, 95), (701, 1), (9_000, 1)];
        let values = counted.iter().flat_map(|&(value, times)| (0..times).map(move |_| value));
        assert_eq!(Bins::of_counted(counted.into_iter()), Bins::of(&values.collect::<Vec<_>>()));
    }
}
