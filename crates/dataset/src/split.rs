//! Which examples are for training and which for validation.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::Fraction;
use crate::words::mix;

/// The fewest validation examples, where there are any.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, MIN_VALID, split};
///
/// assert_eq!(split(11, Fraction::TENTH, 42).valid.len(), MIN_VALID);
/// ```
pub const MIN_VALID: usize = 5;

/// Up to this many examples, all are for training.
const ALL_TRAIN: usize = 10;

/// Indices of the examples on each side, in the order in which they are written.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, split};
///
/// let split = split(100, Fraction::TENTH, 42);
/// let mut all = [split.train, split.valid].concat();
/// all.sort_unstable();
/// assert!(all.into_iter().eq(0..100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The examples to train on.
    pub train: Vec<u32>,
    /// The examples to validate on.
    pub valid: Vec<u32>,
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
///
/// # Panics
///
/// Panics where there are 2³² examples or more.
pub fn split(count: usize, fraction: Fraction, seed: u64) -> Split {
    let alone: Vec<u32> = numbers(count).collect();
    split_groups(&alone, fraction, seed)
}

/// Like [`split`], and never takes a group apart.
///
/// `groups` names each example's group, as [`Groups::first`](crate::Groups) does. Where every example is alone, the
/// split is that of [`split`]. Otherwise validation gets whole groups, in the shuffled order, as long as they fit into
/// its share; so it can be smaller than its share, by less than the smallest group that did not fit.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, split_groups};
///
/// let split = split_groups(&[0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], Fraction::TENTH, 42);
/// assert_eq!(split.valid.contains(&0), split.valid.contains(&1));
/// ```
///
/// # Panics
///
/// Panics where there are 2³² examples or more.
pub fn split_groups(groups: &[u32], fraction: Fraction, seed: u64) -> Split {
    let count = groups.len();
    let mut train: Vec<u32> = numbers(count).collect();
    train.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // Each group's size, until its side is known.
    let mut sides = vec![0_u32; groups.iter().max().map_or(0, |&last| last as usize + 1)];
    for &group in groups {
        sides[group as usize] += 1;
    }
    let group_of = |example: u32| groups[example as usize] as usize;
    let mut room = valid_count(count, fraction);
    for &example in train.iter().rev() {
        let side = &mut sides[group_of(example)];
        if *side != TRAINS && *side != VALIDATES {
            let count = *side as usize;
            let fits = count <= room;
            room -= if fits { count } else { 0 };
            *side = if fits { VALIDATES } else { TRAINS };
        }
    }
    let valid = train.extract_if(.., |example| sides[group_of(*example)] == VALIDATES).collect();
    Split { train, valid }
}

/// A group that is for training; none is so small.
const TRAINS: u32 = 0;
/// A group that is for validation; none is so large, as validation never gets all examples.
const VALIDATES: u32 = u32::MAX;

fn numbers(count: usize) -> impl Iterator<Item = u32> {
    0..u32::try_from(count).expect("there are fewer than 2³² examples")
}

/// Decides each example's side by its own key, so that more examples never move one.
///
/// `keys` holds a hash of each example's content; examples with the same key stand on the same side. An example
/// validates where its key, mixed with `seed`, falls into `fraction` of all values, so that the sizes are only about
/// right and no minimum holds. Both sides are in the order of the mixed keys.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, split_stable};
///
/// let keys: Vec<u64> = (0..1000).collect();
/// let before = split_stable(&keys[..900], Fraction::TENTH, 42);
/// let after = split_stable(&keys, Fraction::TENTH, 42);
/// // A hundred more examples, and none of the others changed its side.
/// assert!(before.valid.iter().all(|index| after.valid.contains(index)));
/// assert!(before.train.iter().all(|index| after.train.contains(index)));
/// ```
///
/// # Panics
///
/// Panics where there are 2³² examples or more.
pub fn split_stable(keys: &[u64], fraction: Fraction, seed: u64) -> Split {
    let mixed = |example: u32| mix(keys[example as usize] ^ mix(seed));
    let mut train: Vec<u32> = numbers(keys.len()).collect();
    train.sort_unstable_by_key(|&example| (mixed(example), example));
    let bound = fraction.of(usize::MAX) as u64;
    let valid = train.extract_if(.., |example| mixed(*example) < bound).collect();
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
    fn a_group_stays_together_and_the_sizes_stay_near() {
        // 100 examples, of which 0 to 29 form 10 groups of three.
        let groups: Vec<u32> = (0..100).map(|i| if i < 30 { i - i % 3 } else { i }).collect();
        for seed in 0..50 {
            let split = split_groups(&groups, Fraction::TENTH, seed);
            assert_eq!((split.train.len(), split.valid.len()), (90, 10), "{seed}");
            let group = |&index: &u32| groups[index as usize];
            let train: Vec<u32> = split.train.iter().map(group).collect();
            assert!(split.valid.iter().all(|index| !train.contains(&group(index))), "{seed}");
        }
        assert_eq!(split_groups(&[0; 20], Fraction::TENTH, 1).valid.len(), 0);
    }

    #[test]
    fn a_stable_split_never_moves_an_example() {
        let keys: Vec<u64> = (0..10_000).map(|number| mix(number * 7)).collect();
        let small = split_stable(&keys[..5_000], Fraction::TENTH, 42);
        let large = split_stable(&keys, Fraction::TENTH, 42);
        assert!(small.valid.iter().all(|index| large.valid.contains(index)));
        assert!(large.valid.iter().all(|index| *index >= 5_000 || small.valid.contains(index)));
        assert!((900..1_100).contains(&large.valid.len()), "{}", large.valid.len());
        assert_ne!(split_stable(&keys, Fraction::TENTH, 43).valid, large.valid);
        assert_eq!(split_stable(&[5, 5, 5], "0.5".parse().unwrap(), 42).valid.len() % 3, 0);
        assert_eq!(split_stable(&keys, "0".parse().unwrap(), 42).valid.len(), 0);
    }

    #[test]
    fn extreme_fractions_leave_something_to_train_on() {
        assert_eq!(split(11, "0.999999".parse().unwrap(), 1).train.len(), 1);
        assert_eq!(split(11, "0".parse().unwrap(), 1).valid.len(), 0);
    }
}
