//! Intervals of anything that is computed from records, by drawing the records again.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Interval;

/// Efron's percentile bootstrap over records: draws them with replacement, and looks how the statistic moves.
///
/// The draws come from `ChaCha8` with the seed, whose output its definition fixes, so an interval is the same in every
/// version and on every machine. Two statistics drawn with one seed are drawn on the same records, which pairs them.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::Bootstrap;
///
/// let words = [120.0, 95.0, 143.0, 110.0, 101.0];
/// let mean = Bootstrap::seeded(42).of_mean(&words).expect("there are several records");
/// assert!(95.0 < mean.low && mean.contains(113.8) && mean.high < 143.0);
/// // Losses of records of 20, 10 and 40 tokens: longer ones weigh more.
/// let loss = Bootstrap::seeded(42).of_ratio(&[30.0, 12.0, 44.0], &[20.0, 10.0, 40.0]);
/// assert!(loss.is_some_and(|loss| loss.contains(86.0 / 70.0)));
/// // Any other statistic of the drawn records.
/// let longest = |drawn: &[usize]| drawn.iter().map(|&at| words[at]).fold(0.0, f64::max);
/// let longest = Bootstrap { resamples: 500, seed: 42 }.of(words.len(), longest);
/// assert_eq!(longest.map(|interval| interval.high), Some(143.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How often all records are drawn.
    pub resamples: usize,
    /// What the draws come from.
    pub seed: u64,
}

impl Bootstrap {
    /// Ten thousand draws from `seed`.
    ///
    /// The ends of an interval then move by about a hundredth of its width from seed to seed.
    pub const fn seeded(seed: u64) -> Self {
        Self { resamples: 10_000, seed }
    }

    /// The 95 % interval of the mean of `values`, one a record; none below two records.
    pub fn of_mean(self, values: &[f64]) -> Option<Interval> {
        self.of_ratio(values, &vec![1.0; values.len()])
    }

    /// The 95 % interval of the sum of `parts` over the sum of `wholes`.
    ///
    /// There is one pair a record, and no interval below two records. The mean loss of a token is such a ratio, as
    /// records have different numbers of tokens.
    ///
    /// # Panics
    ///
    /// Where there are not as many `parts` as `wholes`.
    pub fn of_ratio(self, parts: &[f64], wholes: &[f64]) -> Option<Interval> {
        assert_eq!(parts.len(), wholes.len(), "each record has a part and a whole");
        self.of(parts.len(), |drawn| {
            let (part, whole) = drawn
                .iter()
                .fold((0.0, 0.0), |(part, whole), &at| (part + parts[at], whole + wholes[at]));
            part / whole
        })
    }

    /// The 95 % interval of `statistic`, which gets the drawn records by number; none below two `records`.
    ///
    /// Draws of which the statistic is not finite do not count.
    pub fn of(self, records: usize, statistic: impl Fn(&[usize]) -> f64) -> Option<Interval> {
        if records < 2 {
            return None;
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut drawn = vec![0; records];
        let mut values = Vec::with_capacity(self.resamples);
        for _ in 0..self.resamples {
            for place in &mut drawn {
                *place = below(&mut random, records);
            }
            values.push(statistic(&drawn));
        }
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        Some(Interval { low: quantile(&values, 0.025)?, high: quantile(&values, 0.975)? })
    }
}

/// Which `wanted` of `count` things to take, in their order: a sample without replacement, drawn from `seed`.
///
/// All of them where no more are wanted than there are. A greater sample of the same seed holds the smaller ones, so
/// that measuring more later asks nothing twice.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::sample;
///
/// assert_eq!(sample(3, 5, 1), [0, 1, 2]);
/// let (few, more) = (sample(100, 10, 1), sample(100, 20, 1));
/// assert!(few.len() == 10 && few.iter().all(|one| more.contains(one)));
/// ```
pub fn sample(count: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..count).collect();
    let wanted = wanted.min(count);
    for place in 0..wanted {
        let other = place + below(&mut random, count - place);
        order.swap(place, other);
    }
    order.truncate(wanted);
    order.sort_unstable();
    order
}

/// A number below `bound`: the upper half of a product, whose bias is below `bound / 2^64`.
fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    let product = u128::from(random.next_u64()) * bound as u128;
    usize::try_from(product >> 64).expect("the upper half is below the bound")
}

/// The `share` quantile of `sorted` values; none where there are none.
///
/// Between two values it is linear, as numpy's.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::quantile;
///
/// assert_eq!(quantile(&[90.0, 110.0, 120.0, 180.0], 0.5), Some(115.0));
/// assert_eq!(quantile(&[], 0.5), None);
/// ```
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place lies between 0 and the last"
    )]
    let at = (place.floor() as usize).min(last);
    let next = sorted[(at + 1).min(last)];
    Some(sorted[at] + (next - sorted[at]) * (place - at as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_nearly_the_same_interval() {
        let values: Vec<f64> = (0..200).map(|number| f64::from(number * 37 % 101)).collect();
        let first = Bootstrap::seeded(1).of_mean(&values).unwrap();
        assert_eq!(Bootstrap::seeded(1).of_mean(&values), Some(first));
        let other = Bootstrap::seeded(2).of_mean(&values).unwrap();
        let width = first.high - first.low;
        assert_ne!(Some(first), Some(other), "another seed draws other records");
        assert!((first.low - other.low).abs() < 0.05 * width, "{first:?} {other:?}");
        assert!((first.high - other.high).abs() < 0.05 * width, "{first:?} {other:?}");
    }

    #[test]
    fn an_interval_is_pinned_so_that_no_version_draws_differently() {
        let interval = Bootstrap { resamples: 50, seed: 42 }.of_mean(&[1.0, 2.0, 4.0, 8.0]);
        insta::assert_debug_snapshot!(interval, @"
        Some(
            Interval {
                low: 1.55625,
                high: 6.0,
            },
        )
        ");
    }

    #[test]
    fn one_record_says_nothing_about_others_and_equal_ones_leave_no_room() {
        assert_eq!(Bootstrap::seeded(1).of_mean(&[]), None);
        assert_eq!(Bootstrap::seeded(1).of_mean(&[3.0]), None);
        let interval = Bootstrap::seeded(1).of_mean(&[3.0, 3.0]);
        assert_eq!(interval, Some(Interval { low: 3.0, high: 3.0 }));
    }

    #[test]
    fn a_ratio_weighs_records_by_their_size() {
        let interval = Bootstrap::seeded(7).of_ratio(&[100.0, 0.0], &[99.0, 1.0]).unwrap();
        assert!(interval.contains(1.0) && interval.low <= 0.0, "{interval:?}");
    }
}
