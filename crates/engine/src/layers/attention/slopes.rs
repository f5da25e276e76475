//! Between the products of the attention's backward: from the scores and `dP` of some queries to their probabilities
//! `P = e^(score - logarithm)` and `dS = P (dP - mean) / sqrt(D)`.
//!
//! The logarithm of the exponentials' sum is known from the forward, and so is `mean = rowsum(P dP)`, which is the product
//! of a query's output and that one's gradient (Dao et al. 2022, arXiv:2205.14135): one pass, two rows at a time. In bf16
//! the results are written as the products that follow read them.

use std::ops::Range;

use super::weights::{Sum, first_lanes};
use crate::kernels::{Kernel, Simd, exp};

/// Some queries' rows.
pub(super) struct Slopes<'a> {
    /// Scores, `[queries, stride]`, and room for one row more where they are odd; become `P` in f32.
    pub(super) p: &'a mut [f32],
    /// `dP`, as many; becomes `dS` in f32.
    pub(super) ds: &'a mut [f32],
    /// From row to row, as [`super::weights::stride`] has it.
    pub(super) stride: usize,
    /// The queries' positions; each sees the keys up to its own.
    pub(super) queries: Range<usize>,
    /// What scores are multiplied by.
    pub(super) scale: f32,
    /// Of each query.
    pub(super) sums: &'a [Sum],
    /// `rowsum(P dP)` of each query: every so many numbers one.
    pub(super) means: (&'a [f32], usize),
    /// Where the results go in bf16.
    pub(super) pairs: Option<Pairs<'a>>,
}

/// The results in bf16.
pub(super) struct Pairs<'a> {
    /// `P` in pairs of queries, `[queries / 2, stride]`.
    pub(super) p: &'a mut [u32],
    /// `dS` in pairs of queries, `[queries / 2, stride]`.
    pub(super) ds: &'a mut [u32],
    /// `dS` in pairs of keys, `[queries, stride / 2]`.
    pub(super) ds_rows: &'a mut [u32],
}

impl<'a> Pairs<'a> {
    /// In `words`, of which a third is for each.
    pub(super) fn of(words: &'a mut [u32]) -> Self {
        let (p, rest) = words.split_at_mut(words.len() / 3);
        let (ds, ds_rows) = rest.split_at_mut(p.len());
        Self { p, ds, ds_rows }
    }
}

/// A row, and what its results are made with.
struct Row<'a> {
    p: &'a mut [f32],
    ds: &'a mut [f32],
    logarithm: f32,
    mean: f32,
    /// Keys that it sees.
    seen: usize,
}

impl Kernel for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (stride, count) = (self.stride, self.queries.len());
        let width = self.queries.end.next_multiple_of(2 * S::LANES);
        let rows = self.p.chunks_mut(2 * stride).zip(self.ds.chunks_mut(2 * stride));
        for (first, (p, ds)) in (0..count).step_by(2).zip(rows) {
            let row = |index: usize, p, ds| {
                // An odd last row stands beside zeros.
                let seen = if index < count { self.queries.start + index + 1 } else { 0 };
                let index = index.min(count - 1);
                let mean = self.means.0[index * self.means.1];
                Row { p, ds, logarithm: self.sums[index].logarithm, mean, seen }
            };
            let ((p_1, p_2), (ds_1, ds_2)) = (p.split_at_mut(stride), ds.split_at_mut(stride));
            let mut rows = [row(first, p_1, ds_1), row(first + 1, p_2, ds_2)];
            let mut pairs = self.pairs.as_mut().map(|pairs| pairs.of_two(first, stride));
            for at in (0..width).step_by(2 * S::LANES) {
                let results = results(simd, &rows, at, self.scale);
                match &mut pairs {
                    Some(pairs) => pairs.store(simd, at, results),
                    None => store(simd, &mut rows, at, results),
                }
            }
        }
    }
}

/// `P` and `dS` of two rows: by rows, by halves of two vectors.
type Results<S> = [[[<S as Simd>::V; 2]; 2]; 2];

// Constant indices, so that vectors stay in registers.
#[inline(always)]
fn results<S: Simd>(simd: S, rows: &[Row<'_>; 2], at: usize, scale: f32) -> Results<S> {
    let mut p = [[simd.splat(0.0); 2]; 2];
    let mut ds = p;
    for row in 0..2 {
        for half in 0..2 {
            (p[row][half], ds[row][half]) = rows[row].results(simd, at + half * S::LANES, scale);
        }
    }
    [p, ds]
}

/// In f32, in place.
#[inline(always)]
fn store<S: Simd>(simd: S, rows: &mut [Row<'_>; 2], at: usize, [p, ds]: Results<S>) {
    for ((row, p), ds) in rows.iter_mut().zip(p).zip(ds) {
        for half in 0..2 {
            let at = at + half * S::LANES;
            simd.store(&mut row.p[at..], p[half]);
            simd.store(&mut row.ds[at..], ds[half]);
        }
    }
}

impl Pairs<'_> {
    /// The parts of two rows, the first of them an even one.
    fn of_two(&mut self, first: usize, stride: usize) -> Pairs<'_> {
        let place = first / 2 * stride..(first / 2 + 1) * stride;
        let Self { p, ds, ds_rows } = self;
        Pairs { p: &mut p[place.clone()], ds: &mut ds[place.clone()], ds_rows: &mut ds_rows[place] }
    }

    /// The results of two rows.
    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, at: usize, [p, ds]: Results<S>) {
        for half in 0..2 {
            let at = at + half * S::LANES;
            simd.store_pairs(&mut self.p[at..], p[0][half], p[1][half]);
            simd.store_pairs(&mut self.ds[at..], ds[0][half], ds[1][half]);
        }
        let (first, second) = self.ds_rows.split_at_mut(self.ds_rows.len() / 2);
        simd.store_narrow(&mut first[at / 2..], ds[0][0], ds[0][1]);
        simd.store_narrow(&mut second[at / 2..], ds[1][0], ds[1][1]);
    }
}

impl Row<'_> {
    /// `P` and `dS` of the keys from `at` on.
    #[inline(always)]
    fn results<S: Simd>(&self, simd: S, at: usize, scale: f32) -> (S::V, S::V) {
        let scale = simd.splat(scale);
        let score = simd.mul(simd.load(&self.p[at..]), scale);
        let p = exp(simd, simd.sub(score, simd.splat(self.logarithm)));
        let slope = simd.sub(simd.load(&self.ds[at..]), simd.splat(self.mean));
        let ds = simd.mul(simd.mul(p, slope), scale);
        let left = self.seen.saturating_sub(at);
        if left < S::LANES {
            return (first_lanes(simd, p, left), first_lanes(simd, ds, left));
        }
        (p, ds)
    }
}
