//! Which examples are for training and which for validation.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::Fraction;

/// The fewest validation examples, where there are any.
pub const MIN_VALID: usize = 5;

/// Up to this many examples, all are for training.
const ALL_TRAIN: usize = 10;

/// Indices of the examples on each side, in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The examples to train on.
    pub train: Vec<usize>,
    /// The examples to validate on.
    pub valid: Vec<usize>,
}

/// Shuffles `count` examples by `seed` and takes `fraction` of them for validation.
///
/// Up to 10 examples all train. Beyond that validation gets its share rounded up, and at least [`MIN_VALID`], but never
/// all; a `fraction` of 0 means none. The same arguments give the same split: the generator is `ChaCha8`, whose output
/// is fixed by its definition.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, split};
///
/// let split = split(20, Fraction::TENTH, 42);
/// assert_eq!((split.train.len(), split.valid.len()), (15, 5));
/// ```
pub fn split(count: usize, fraction: Fraction, seed: u64) -> Split {
    let mut train: Vec<usize> = (0..count).collect();
    train.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let valid = train.split_off(count - valid_count(count, fraction));
    Split { train, valid }
}

fn valid_count(count: usize, fraction: Fraction) -> usize {
    if count <= ALL_TRAIN || fraction.is_zero() {
        return 0;
    }
    fraction.of(count).max(MIN_VALID).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_python_script() {
        let sizes = |count| {
            let split = split(count, Fraction::TENTH, 42);
            (split.train.len(), split.valid.len())
        };
        let expected =
            [(0, (0, 0)), (1, (1, 0)), (10, (10, 0)), (11, (6, 5)), (20, (15, 5)), (40, (35, 5))];
        for (count, sides) in expected {
            assert_eq!(sizes(count), sides, "{count}");
        }
        for (count, sides) in
            [(41, (36, 5)), (50, (45, 5)), (51, (45, 6)), (60, (54, 6)), (25_000, (22_500, 2_500))]
        {
            assert_eq!(sizes(count), sides, "{count}");
        }
    }

    #[test]
    fn each_example_stands_on_one_side_and_the_seed_decides() {
        let first = split(100, Fraction::TENTH, 42);
        let mut all = [first.train.clone(), first.valid.clone()].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
        assert_eq!(split(100, Fraction::TENTH, 42), first);
        assert_ne!(split(100, Fraction::TENTH, 43), first);
    }

    #[test]
    fn the_order_is_pinned() {
        // A changed order would change every user's files for the same seed.
        assert_eq!(
            split(12, Fraction::TENTH, 42),
            Split { train: vec![7, 1, 11, 4, 6, 9, 3], valid: vec![10, 2, 0, 8, 5] }
        );
    }

    #[test]
    fn extreme_fractions_leave_something_to_train_on() {
        assert_eq!(split(11, "0.999999".parse().unwrap(), 1).train.len(), 1);
        assert_eq!(split(11, "0".parse().unwrap(), 1).valid.len(), 0);
    }
}
