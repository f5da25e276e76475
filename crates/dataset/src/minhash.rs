//! Short signatures that are alike where sets are alike.

use crate::words::{mix, run_hash};

/// Values of a signature: enough to tell sets of similarity 0.6 from sets of 0.4.
const BINS: usize = 128;
/// Values that must all agree for two sets to be looked at.
const ROWS: usize = 4;
/// Chances to agree.
pub(crate) const BANDS: usize = BINS / ROWS;

/// One hash for each band of a signature, 128 bytes in all.
///
/// Sets of similarity s share a band with probability 1 - (1 - s⁴)³²: 0.99 at 0.6, 0.56 at 0.4, 0.05 at 0.2.
pub(crate) type Bands = [u32; BANDS];

/// The bands of a set of hashes (one-permutation `MinHash`, Li, Owen and Zhang 2012; empty bins are filled as in
/// "Optimal Densification for Fast and Accurate Minwise Hashing", Shrivastava 2017).
pub(crate) fn bands(hashes: &[u64]) -> Bands {
    let mut bins = [u64::MAX; BINS];
    for &hash in hashes {
        let bin = &mut bins[low_bits(hash)];
        *bin = (*bin).min(mix(hash));
    }
    let filled = bins;
    if filled.iter().any(|&value| value != u64::MAX) {
        for (index, value) in bins.iter_mut().enumerate().filter(|(_, value)| **value == u64::MAX) {
            *value = donor(&filled, index);
        }
    }
    let mut bands = [0; BANDS];
    for (band, rows) in bands.iter_mut().zip(bins.chunks_exact(ROWS)) {
        *band = (run_hash(rows) >> 32) as u32;
    }
    bands
}

/// The value that an empty bin takes: that of the first filled one in an order of its own.
fn donor(filled: &[u64; BINS], index: usize) -> u64 {
    let later = (FIRST..).map(|attempt| place(index, attempt));
    let places = ORDERS[index].iter().map(|&place| usize::from(place)).chain(later);
    let mut values = places.map(|place| filled[place]).filter(|&value| value != u64::MAX);
    values.next().unwrap_or(u64::MAX)
}

/// How many places of each bin's order are known beforehand; few bins need more.
const FIRST: usize = 8;

/// The first places of each bin's order.
#[expect(clippy::cast_possible_truncation, reason = "there are few bins")]
static ORDERS: [[u8; FIRST]; BINS] = {
    let mut orders = [[0; FIRST]; BINS];
    let mut at = 0;
    while at < BINS * FIRST {
        orders[at / FIRST][at % FIRST] = place(at / FIRST, at % FIRST) as u8;
        at += 1;
    }
    orders
};

/// Where the empty bin `index` looks for a value at its `attempt`.
const fn place(index: usize, attempt: usize) -> usize {
    low_bits(mix((index as u64) << 32 | attempt as u64))
}

const fn low_bits(hash: u64) -> usize {
    hash.to_le_bytes()[0] as usize % BINS
}

/// The share of elements that two sorted sets have in common.
pub(crate) fn jaccard(first: &[u64], second: &[u64]) -> f64 {
    let (mut left, mut right, mut common) = (0, 0, 0);
    while let (Some(a), Some(b)) = (first.get(left), second.get(right)) {
        common += usize::from(a == b);
        left += usize::from(a <= b);
        right += usize::from(b <= a);
    }
    let all = first.len() + second.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of 200 pairs of sets with the given similarity share a band.
    fn found(size: u64, common: u64) -> usize {
        let pairs = (0..200_u64).map(|pair| {
            let set = |side: u64| -> Vec<u64> {
                let own = (common..size).map(|number| mix(pair << 40 | side << 32 | number));
                (0..common).map(|number| mix(pair << 40 | number)).chain(own).collect()
            };
            (bands(&set(1)), bands(&set(2)))
        });
        pairs.filter(|(first, second)| first.iter().zip(second).any(|(a, b)| a == b)).count()
    }

    #[test]
    fn alike_sets_share_a_band_and_others_do_not() {
        // Similarity common / (2 size - common): 0.67, 0.67 and 0.82 for few, many and very alike; then 0.05.
        assert!(found(20, 16) >= 190, "{}", found(20, 16));
        assert!(found(200, 160) >= 195, "{}", found(200, 160));
        assert!(found(10, 9) >= 195, "{}", found(10, 9));
        assert!(found(20, 2) <= 10, "{}", found(20, 2));
        assert_eq!(found(200, 0), 0);
    }

    #[test]
    fn jaccard_is_the_common_share() {
        assert!((jaccard(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-12);
        assert!((jaccard(&[1], &[1]) - 1.0).abs() < 1e-12);
        assert!(jaccard(&[], &[]).abs() < 1e-12 && jaccard(&[1], &[2]).abs() < 1e-12);
    }

    #[test]
    fn a_set_without_elements_has_bands_too() {
        assert_eq!(bands(&[]), bands(&[]));
    }
}
