//! Between the products of the attention's backward: from the scores and `dP` of some queries to their probabilities `P` and
//! `dS = P (dP - rowsum(P dP)) / sqrt(D)`.
//!
//! Three passes over each row, two rows at a time: the largest score, the exponentials with their sums, and the results,
//! which in bf16 are written as the products that follow read them.

use std::ops::Range;

use crate::kernels::{Kernel, Simd, exp};

/// Numbers of which every row has a multiple: two of the widest vectors.
pub(super) const WIDE: usize = 32;

/// Some queries' rows.
pub(super) struct Slopes<'a> {
    /// Scores, `[queries, stride]`, and room for one row more where they are odd; become `P` in f32.
    pub(super) p: &'a mut [f32],
    /// `dP`, as many; becomes `dS` in f32.
    pub(super) ds: &'a mut [f32],
    /// From row to row: a multiple of [`WIDE`].
    pub(super) stride: usize,
    /// The queries' positions; each sees the keys up to its own.
    pub(super) queries: Range<usize>,
    /// What scores are multiplied by.
    pub(super) scale: f32,
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

/// What a row's results are made with: `p = e inverse`, `ds = p (dp - mean) scale`.
#[derive(Clone, Copy, Default)]
struct Row {
    inverse: f32,
    mean: f32,
}

impl Kernel for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let (stride, count) = (self.stride, self.queries.len());
        let width = self.queries.end.next_multiple_of(2 * S::LANES);
        for first in (0..count).step_by(2) {
            let rows = first * stride..(first + 2) * stride;
            let (p, ds) = (&mut self.p[rows.clone()], &mut self.ds[rows]);
            let (p_1, p_2) = p.split_at_mut(stride);
            let (ds_1, ds_2) = ds.split_at_mut(stride);
            let seen = self.queries.start + first + 1;
            let row_1 =
                exponentials(simd, [&mut p_1[..width], &mut ds_1[..width]], seen, self.scale);
            // An odd last row stands beside zeros.
            let seen = if first + 1 < count { seen + 1 } else { 0 };
            let row_2 =
                exponentials(simd, [&mut p_2[..width], &mut ds_2[..width]], seen, self.scale);
            let Some(pairs) = &mut self.pairs else {
                row_1.finish([&mut p_1[..width], &mut ds_1[..width]], self.scale);
                row_2.finish([&mut p_2[..width], &mut ds_2[..width]], self.scale);
                continue;
            };
            let place = first / 2 * stride;
            let mut out = Pairs {
                p: &mut pairs.p[place..][..width],
                ds: &mut pairs.ds[place..][..width],
                ds_rows: &mut pairs.ds_rows[place..][..stride],
            };
            let both = [(row_1, &*p_1, &*ds_1), (row_2, &*p_2, &*ds_2)];
            write(simd, both, &mut out, self.scale);
        }
    }
}

/// The exponentials of the first `seen` scores less the largest, in place; what is not seen becomes 0 in both.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, [p, ds]: [&mut [f32]; 2], seen: usize, scale: f32) -> Row {
    let ((p, unseen_p), (ds, unseen_ds)) = (p.split_at_mut(seen), ds.split_at_mut(seen));
    unseen_p.fill(0.0);
    unseen_ds.fill(0.0);
    if seen == 0 {
        return Row::default();
    }
    let mut largest = simd.splat(f32::NEG_INFINITY);
    for x in p.chunks(S::LANES) {
        let whole = x.len() == S::LANES;
        let x = if whole { simd.load(x) } else { simd.load_part(x, f32::NEG_INFINITY) };
        largest = simd.max(largest, x);
    }
    let largest = simd.splat(simd.largest(largest) * scale);
    let factor = simd.splat(scale);
    let (mut sum, mut along) = (simd.splat(0.0), simd.splat(0.0));
    for (x, d) in p.chunks_mut(S::LANES).zip(ds.chunks(S::LANES)) {
        if x.len() == S::LANES {
            let e = exp(simd, simd.sub(simd.mul(simd.load(x), factor), largest));
            sum = simd.add(sum, e);
            along = simd.mul_add(e, simd.load(d), along);
            simd.store(x, e);
        } else {
            let part = simd.load_part(x, 0.0);
            simd.store_part(x, exp(simd, simd.sub(simd.mul(part, factor), largest)));
            let e = simd.load_part(x, 0.0);
            sum = simd.add(sum, e);
            along = simd.mul_add(e, simd.load_part(d, 0.0), along);
        }
    }
    let inverse = 1.0 / simd.sum(sum);
    Row { inverse, mean: simd.sum(along) * inverse }
}

impl Row {
    /// The results in f32, in place.
    #[inline(always)]
    fn finish(self, [p, ds]: [&mut [f32]; 2], scale: f32) {
        for (p, d) in p.iter_mut().zip(ds) {
            *p *= self.inverse;
            *d = *p * (*d - self.mean) * scale;
        }
    }
}

/// The results of two rows in bf16.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "constant indices, so that vectors stay in registers"
)]
fn write<S: Simd>(simd: S, rows: [(Row, &[f32], &[f32]); 2], out: &mut Pairs<'_>, scale: f32) {
    let factor = simd.splat(scale);
    let (rows_1, rows_2) = out.ds_rows.split_at_mut(out.ds_rows.len() / 2);
    for at in (0..out.p.len()).step_by(2 * S::LANES) {
        // By halves, by rows.
        let mut slopes = [[factor; 2]; 2];
        for half in 0..2 {
            let at = at + half * S::LANES;
            let mut p = [factor; 2];
            for row in 0..2 {
                let (Row { inverse, mean }, e, dp) = rows[row];
                p[row] = simd.mul(simd.load(&e[at..]), simd.splat(inverse));
                let slope = simd.sub(simd.load(&dp[at..]), simd.splat(mean));
                slopes[half][row] = simd.mul(simd.mul(p[row], slope), factor);
            }
            simd.store_pairs(&mut out.p[at..], p[0], p[1]);
            simd.store_pairs(&mut out.ds[at..], slopes[half][0], slopes[half][1]);
        }
        simd.store_narrow(&mut rows_1[at / 2..], slopes[0][0], slopes[1][0]);
        simd.store_narrow(&mut rows_2[at / 2..], slopes[0][1], slopes[1][1]);
    }
}
