//! Between the products of the attention's forward: from the scores of some queries to what their values are weighed with.
//!
//! Two passes over each row: the largest score, and the exponentials of the scores less that one, with their sum. They are
//! not divided by it here: the attention's output is, which has fewer numbers. The logarithm of the sum is what the
//! backward makes the probabilities with again (Dao et al. 2022, arXiv:2205.14135).

use std::ops::Range;

use crate::kernels::{Kernel, Simd, exp};

/// Numbers of which every row has a multiple: two of the widest vectors.
pub(super) const WIDE: usize = 32;

/// From row to row of the scores of queries that see up to `keys` keys: an odd multiple of two of the widest vectors, as rows
/// that are a power of two apart share few places of the processor's cache.
pub(crate) fn stride(keys: usize) -> usize {
    keys / (2 * WIDE) * (2 * WIDE) + WIDE + if keys % (2 * WIDE) > WIDE { 2 * WIDE } else { 0 }
}

/// Some queries' rows.
pub(crate) struct Weights<'a> {
    /// Scores, `[queries, stride]`; become the exponentials in f32.
    pub(crate) scores: &'a mut [f32],
    /// From row to row, as [`stride`] has it.
    pub(crate) stride: usize,
    /// The queries' positions; each sees the keys up to its own.
    pub(crate) queries: Range<usize>,
    /// What scores are multiplied by.
    pub(crate) scale: f32,
    /// Where the exponentials go in bf16: pairs of keys, `[queries, stride / 2]`.
    pub(crate) words: Option<&'a mut [u32]>,
    /// What is known of each query's sum.
    pub(crate) sums: &'a mut [Sum],
}

/// The sum of a query's exponentials.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    /// The logarithm of the sum of `e^score`.
    pub(crate) logarithm: f32,
    /// 1 divided by the sum of `e^(score - largest)`.
    pub(crate) inverse: f32,
}

/// Divides the outputs of queries, rows of `width` numbers, by the sums of their weights.
pub(crate) fn divide(outputs: &mut [f32], width: usize, sums: &[Sum]) {
    for (output, sum) in outputs.chunks_exact_mut(width).zip(sums) {
        for x in output {
            *x *= sum.inverse;
        }
    }
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let width = self.queries.end.next_multiple_of(2 * S::LANES);
        let rows = self.scores.chunks_mut(self.stride).zip(self.sums);
        for (index, ((row, sum), query)) in rows.zip(self.queries).enumerate() {
            let row = &mut row[..width];
            let largest = self.scale * largest(simd, &row[..=query]);
            let words = self.words.as_mut().map(|words| {
                let stride = self.stride / 2;
                &mut words[index * stride..][..width / 2]
            });
            let total = exponentials(simd, (row, words), query + 1, [self.scale, largest]);
            *sum = Sum { logarithm: largest + total.ln(), inverse: 1.0 / total };
        }
    }
}

#[inline(always)]
fn largest<S: Simd>(simd: S, scores: &[f32]) -> f32 {
    let (whole, part) = scores.split_at(scores.len() - scores.len() % S::LANES);
    let mut largest = simd.load_part(part, f32::NEG_INFINITY);
    for scores in whole.chunks_exact(S::LANES) {
        largest = simd.max(largest, simd.load(scores));
    }
    simd.largest(largest)
}

/// `e^(scale score - largest)` of the first `seen` scores, and 0 of the others; yields the sum.
#[inline(always)]
fn exponentials<S: Simd>(
    simd: S,
    (row, mut words): (&mut [f32], Option<&mut [u32]>),
    seen: usize,
    [scale, largest]: [f32; 2],
) -> f32 {
    let (scale, largest) = (simd.splat(scale), simd.splat(largest));
    let mut sum = simd.splat(0.0);
    for at in (0..row.len()).step_by(2 * S::LANES) {
        let row = &mut row[at..at + 2 * S::LANES];
        let mut both = [sum; 2];
        for (half, e) in both.iter_mut().enumerate() {
            let score = simd.load(&row[half * S::LANES..]);
            *e = exp(simd, simd.sub(simd.mul(score, scale), largest));
            let left = seen.saturating_sub(at + half * S::LANES);
            if left < S::LANES {
                *e = first_lanes(simd, *e, left);
            }
            sum = simd.add(sum, *e);
        }
        if let Some(words) = &mut words {
            simd.store_narrow(&mut words[at / 2..], both[0], both[1]);
        } else {
            simd.store(row, both[0]);
            simd.store(&mut row[S::LANES..], both[1]);
        }
    }
    simd.sum(sum)
}

/// The first `count` lanes, which are fewer than all, and 0 in the others.
#[inline(always)]
pub(super) fn first_lanes<S: Simd>(simd: S, v: S::V, count: usize) -> S::V {
    let mut lanes = [0.0; 16];
    simd.store(&mut lanes, v);
    lanes[count..].fill(0.0);
    simd.load(&lanes)
}
