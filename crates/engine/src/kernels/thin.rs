//! Products of few rows, as decoding has them: each weight is read once, whatever number of rows there is.
//!
//! Every row is summed over `k` in the order of [`super::gemm`], so that its bits depend neither on the rows beside it
//! nor on how the weight is held, and a row may go on with the product of a branch of its own. Several products of the
//! same rows are worked off together, because starting the threads costs as much as a small product.

use std::ops::Range;

use super::bf16::pair;
use super::blocks::{Blocks, Width};
use super::gemm::Output;
use super::isa::{Isa, Kernel};
use super::packed::{Packed, Panel};
use super::simd::Simd;
use crate::parallel;

/// Below so many multiplications a second thread costs more than it saves.
const SERIAL: usize = 1 << 17;

/// How the weight of a thin product is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight<'a> {
    /// As for the products of many rows.
    Packed(&'a Packed),
    /// Quantised.
    Blocks(&'a Blocks),
}

/// What a row's sums go on with: `z B`, with B `[R, N]` row-major.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Further<'a> {
    /// `[R]`.
    pub(crate) z: &'a [f32],
    /// `[R, N]`.
    pub(crate) b: &'a [f32],
}

/// One product `out = x W`, with further terms row by row.
#[derive(Debug)]
pub(crate) struct Thin<'a> {
    /// `[K, N]`.
    pub(crate) weight: Weight<'a>,
    /// `[B, K]`.
    pub(crate) x: &'a [f32],
    /// One for each row, or none at all.
    pub(crate) further: Vec<Option<Further<'a>>>,
    /// `[B, N]`.
    pub(crate) out: Output<'a>,
}

/// Computes `products`, which all have `rows` rows.
pub(crate) fn thin(isa: Isa, rows: usize, products: Vec<Thin<'_>>) {
    let jobs: Vec<Job<'_>> =
        products.into_iter().filter_map(|product| Job::new(isa, rows, product)).collect();
    let vectors: usize = jobs.iter().map(|job| job.vectors).sum();
    let work: usize = jobs.iter().map(|job| rows * job.depth * job.columns).sum();
    let pieces = if work < SERIAL { 1 } else { parallel::threads().min(vectors).max(1) };
    // Even cuts, so that at most one pair of vectors stands alone at a cut.
    let cut =
        |piece: usize| if piece == pieces { vectors } else { (vectors * piece / pieces) & !1 };
    parallel::each(pieces, |piece| {
        let (from, to) = (cut(piece), cut(piece + 1));
        let mut first = 0;
        for job in &jobs {
            let range = from.max(first)..to.min(first + job.vectors);
            if !range.is_empty() {
                isa.run(Strip { job, vectors: range.start - first..range.end - first });
            }
            first += job.vectors;
        }
    });
}

/// A checked product.
struct Job<'a> {
    weight: Weight<'a>,
    x: &'a [f32],
    further: Vec<Option<Further<'a>>>,
    rows: usize,
    depth: usize,
    columns: usize,
    /// Vectors of columns.
    vectors: usize,
    out: *mut f32,
    stride: usize,
    accumulate: bool,
}

#[expect(unsafe_code, reason = "the threads write disjoint columns of one output")]
// SAFETY: the pointer is to an output that `thin` borrows exclusively for longer than its jobs live, and each `Strip`
// writes only the columns that are its own.
unsafe impl Sync for Job<'_> {}

impl<'a> Job<'a> {
    /// Checks that every access is inside its slice; `None` where there is nothing to do.
    fn new(isa: Isa, rows: usize, product: Thin<'a>) -> Option<Self> {
        let Thin { weight, x, further, out } = product;
        let (depth, columns) = match weight {
            Weight::Packed(packed) => {
                assert!(packed.is_for(isa), "packed for another instruction set");
                (packed.row_count(), packed.column_count())
            }
            Weight::Blocks(blocks) => {
                assert!(blocks.is_for(isa), "packed for another instruction set");
                (blocks.row_count(), blocks.column_count())
            }
        };
        if rows == 0 || columns == 0 || depth == 0 {
            return None;
        }
        assert!(x.len() >= rows * depth, "the left operand is too short");
        assert!(further.is_empty() || further.len() == rows, "further terms of other rows");
        for Further { z, b } in further.iter().flatten() {
            assert!(b.len() == z.len() * columns, "a further term of another width");
        }
        assert!(out.stride >= columns, "the output's rows overlap");
        assert!((rows - 1) * out.stride + columns <= out.data.len(), "the output is too short");
        let Output { data, stride, accumulate, .. } = out;
        let (out, vectors) = (data.as_mut_ptr(), columns.div_ceil(isa.lanes()));
        Some(Self { weight, x, further, rows, depth, columns, vectors, out, stride, accumulate })
    }
}

/// Some vectors of columns of one product.
struct Strip<'a> {
    job: &'a Job<'a>,
    vectors: Range<usize>,
}

impl Kernel for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut at = self.vectors.start;
        while at < self.vectors.end {
            // What is computed together lies in one panel of a packed weight.
            let together = (self.vectors.end - at).min(S::VECTORS - at % S::VECTORS);
            if together >= 4 {
                self.columns::<S, 4>(simd, at);
                at += 4;
            } else if together >= 2 {
                self.columns::<S, 2>(simd, at);
                at += 2;
            } else {
                self.columns::<S, 1>(simd, at);
                at += 1;
            }
        }
    }
}

impl Strip<'_> {
    #[inline(always)]
    fn columns<S: Simd, const NV: usize>(&self, simd: S, at: usize) {
        let mut row = 0;
        while row + 4 <= self.job.rows {
            self.tile::<S, NV, 4>(simd, at, row);
            row += 4;
        }
        match self.job.rows - row {
            1 => self.tile::<S, NV, 1>(simd, at, row),
            2 => self.tile::<S, NV, 2>(simd, at, row),
            3 => self.tile::<S, NV, 3>(simd, at, row),
            _ => {}
        }
    }

    /// `MR` rows by `NV` vectors of columns.
    #[inline(always)]
    #[expect(unsafe_code, reason = "reads the operands without a check per number")]
    fn tile<S: Simd, const NV: usize, const MR: usize>(&self, simd: S, at: usize, row: usize) {
        let job = self.job;
        let x = Rows { first: job.x[row * job.depth..].as_ptr(), stride: job.depth };
        // SAFETY: `Job::new` checked that `x` has `rows` rows of `depth` numbers and that the weight is for this
        // instruction set; `at + NV` is at most the weight's vectors.
        let mut sums: [[S::V; NV]; MR] = unsafe {
            match job.weight {
                Weight::Packed(packed) => packed_sums(simd, packed, at, x),
                Weight::Blocks(blocks) => blocks_sums(simd, blocks, at, x),
            }
        };
        for (index, sums) in sums.iter_mut().enumerate() {
            if let Some(Some(further)) = job.further.get(row + index) {
                *sums = self.further::<S, NV>(simd, at, further, *sums);
            }
            self.write::<S, NV>(simd, at, row + index, *sums);
        }
    }

    /// One row's sums with its own term in them.
    #[inline(always)]
    fn further<S: Simd, const NV: usize>(
        &self,
        simd: S,
        at: usize,
        further: &Further<'_>,
        mut sums: [S::V; NV],
    ) -> [S::V; NV] {
        let columns = self.job.columns;
        for (z, b) in further.z.iter().zip(further.b.chunks_exact(columns)) {
            let z = simd.splat(*z);
            for vector in 0..NV {
                let b = &b[(at + vector) * S::LANES..];
                let b = if b.len() >= S::LANES { simd.load(b) } else { simd.load_part(b, 0.0) };
                sums[vector] = simd.mul_add(z, b, sums[vector]);
            }
        }
        sums
    }

    /// Brings one row of a tile to the output.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the strips write disjoint columns of one output")]
    fn write<S: Simd, const NV: usize>(&self, simd: S, at: usize, row: usize, sums: [S::V; NV]) {
        for (vector, sum) in sums.into_iter().enumerate() {
            let first = (at + vector) * S::LANES;
            let width = S::LANES.min(self.job.columns - first);
            // SAFETY: `Job::new` checked that row `rows - 1` and column `columns - 1` are inside the output, and no other
            // strip has these columns.
            let to = unsafe {
                let to = self.job.out.add(row * self.job.stride + first);
                std::slice::from_raw_parts_mut(to, width)
            };
            let whole = width == S::LANES;
            let mut sum = sum;
            if self.job.accumulate {
                let there = if whole { simd.load(to) } else { simd.load_part(to, 0.0) };
                sum = simd.add(sum, there);
            }
            if whole {
                simd.store(to, sum);
            } else {
                simd.store_part(to, sum);
            }
        }
    }
}

/// Some rows of `x`.
#[derive(Clone, Copy)]
struct Rows {
    first: *const f32,
    stride: usize,
}

impl Rows {
    /// Adds the products of number `k` of each row with `weights`.
    ///
    /// # Safety
    /// There are `MR` rows of more than `k` numbers.
    #[inline(always)]
    #[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
    unsafe fn fuse<S: Simd, const NV: usize, const MR: usize>(
        self,
        simd: S,
        k: usize,
        weights: [S::V; NV],
        mut sums: [[S::V; NV]; MR],
    ) -> [[S::V; NV]; MR] {
        for row in 0..MR {
            // SAFETY: the caller's promise.
            let number = simd.splat(unsafe { *self.first.add(row * self.stride + k) });
            for vector in 0..NV {
                sums[row][vector] = simd.mul_add(number, weights[vector], sums[row][vector]);
            }
        }
        sums
    }
}

/// The sums of rows `x` with `NV` vectors of a packed weight from vector `at` on.
///
/// # Safety
/// `x` has `MR` rows of the weight's depth; the vectors are the weight's and in one panel of it.
#[inline(always)]
#[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
unsafe fn packed_sums<S: Simd, const NV: usize, const MR: usize>(
    simd: S,
    packed: &Packed,
    at: usize,
    x: Rows,
) -> [[S::V; NV]; MR] {
    let mut sums = [[simd.splat(0.0); NV]; MR];
    let (panel, stride) = packed.panel(at / S::VECTORS);
    let first = at % S::VECTORS * S::LANES;
    let panel = match panel {
        Panel::F32(panel) => panel,
        Panel::Bf16(panel) => {
            let weight = (panel[first..].as_ptr(), stride, packed.row_count());
            // SAFETY: the caller's promise, and the panel has a row of whole vectors for each pair of `k`.
            return unsafe { pairs_sums(simd, weight, x) };
        }
    };
    let mut from = panel[first..].as_ptr();
    for k in 0..packed.row_count() {
        let mut weights = [simd.splat(0.0); NV];
        for vector in 0..NV {
            // SAFETY: the panel has a row of whole vectors for each `k`.
            weights[vector] = unsafe { simd.load_at(from.add(vector * S::LANES)) };
        }
        // SAFETY: the caller's promise.
        sums = unsafe { x.fuse(simd, k, weights, sums) };
        from = from.wrapping_add(stride);
    }
    sums
}

/// The sums of rows `x`, rounded to bf16, with `NV` vectors of a weight in bf16: where it begins, the distance from row to
/// row of its pairs, and its depth.
///
/// # Safety
/// As [`packed_sums`].
#[inline(always)]
#[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
unsafe fn pairs_sums<S: Simd, const NV: usize, const MR: usize>(
    simd: S,
    (mut from, stride, depth): (*const u32, usize, usize),
    x: Rows,
) -> [[S::V; NV]; MR] {
    let mut sums = [[simd.splat(0.0); NV]; MR];
    for k in (0..depth).step_by(2) {
        let mut weights = [simd.splat_word(0); NV];
        for vector in 0..NV {
            // SAFETY: the panel has a row of whole vectors for each pair of `k`.
            weights[vector] = unsafe { simd.load_words_at(from.add(vector * S::LANES)) };
        }
        for row in 0..MR {
            // SAFETY: the caller's promise: a row has `depth` numbers, of which an odd last one stands beside a 0.
            let (number, next) = unsafe {
                let number = x.first.add(row * x.stride + k);
                (*number, if k + 1 < depth { *number.add(1) } else { 0.0 })
            };
            let word = simd.splat_word(pair(number, next));
            for vector in 0..NV {
                sums[row][vector] = simd.dot_pairs(word, weights[vector], sums[row][vector]);
            }
        }
        from = from.wrapping_add(stride);
    }
    sums
}

/// The sums of rows `x` with `NV` vectors of a quantised weight from vector `at` on.
///
/// # Safety
/// As [`packed_sums`].
#[inline(always)]
#[expect(unsafe_code, reason = "the innermost loop")]
unsafe fn blocks_sums<S: Simd, const NV: usize, const MR: usize>(
    simd: S,
    blocks: &Blocks,
    at: usize,
    x: Rows,
) -> [[S::V; NV]; MR] {
    let (panel, stride) = blocks.panel(at / S::VECTORS);
    let mut cursor = Cursor { words: panel[at % S::VECTORS * S::LANES..].as_ptr(), stride };
    let mut sums = [[simd.splat(0.0); NV]; MR];
    let block = blocks.block_len();
    for first in (0..blocks.row_count()).step_by(block) {
        // SAFETY: `Blocks` holds for each vector and each block scales, offsets where the width has them, and the words
        // of `block` numbers; `x` is the caller's promise.
        unsafe {
            let scales = cursor.numbers::<S, NV>(simd);
            match blocks.width() {
                Width::Nibbles => {
                    let offsets = cursor.numbers::<S, NV>(simd);
                    for group in 0..block / 8 {
                        let k = first + 8 * group;
                        let words = cursor.words::<S, NV>(simd);
                        let beside = Scaled { x, scales, offsets };
                        sums = beside.nibble::<S, MR, 0>(simd, words, k, sums);
                        sums = beside.nibble::<S, MR, 4>(simd, words, k + 1, sums);
                        sums = beside.nibble::<S, MR, 8>(simd, words, k + 2, sums);
                        sums = beside.nibble::<S, MR, 12>(simd, words, k + 3, sums);
                        sums = beside.nibble::<S, MR, 16>(simd, words, k + 4, sums);
                        sums = beside.nibble::<S, MR, 20>(simd, words, k + 5, sums);
                        sums = beside.nibble::<S, MR, 24>(simd, words, k + 6, sums);
                        sums = beside.nibble::<S, MR, 28>(simd, words, k + 7, sums);
                    }
                }
                Width::Bytes => {
                    for group in 0..block / 4 {
                        let k = first + 4 * group;
                        let words = cursor.words::<S, NV>(simd);
                        let beside = Scaled { x, scales, offsets: scales };
                        sums = beside.byte::<S, MR, 0>(simd, words, k, sums);
                        sums = beside.byte::<S, MR, 8>(simd, words, k + 1, sums);
                        sums = beside.byte::<S, MR, 16>(simd, words, k + 2, sums);
                        sums = beside.byte::<S, MR, 24>(simd, words, k + 3, sums);
                    }
                }
            }
        }
    }
    sums
}

/// Where the next row of a panel begins, for some of its vectors.
struct Cursor {
    words: *const u32,
    /// From one row to the next.
    stride: usize,
}

impl Cursor {
    /// # Safety
    /// There is a row more of at least `NV` vectors.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the innermost loop")]
    unsafe fn words<S: Simd, const NV: usize>(&mut self, simd: S) -> [S::W; NV] {
        // SAFETY: the caller's promise.
        let mut words = [unsafe { simd.load_words_at(self.words) }; NV];
        for (vector, words) in words.iter_mut().enumerate().skip(1) {
            // SAFETY: the caller's promise.
            *words = unsafe { simd.load_words_at(self.words.add(vector * S::LANES)) };
        }
        self.words = self.words.wrapping_add(self.stride);
        words
    }

    /// # Safety
    /// As [`Cursor::words`]; they are f32.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the innermost loop")]
    unsafe fn numbers<S: Simd, const NV: usize>(&mut self, simd: S) -> [S::V; NV] {
        let mut numbers = [simd.splat(0.0); NV];
        for (vector, numbers) in numbers.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *numbers = unsafe { simd.load_at(self.words.add(vector * S::LANES).cast::<f32>()) };
        }
        self.words = self.words.wrapping_add(self.stride);
        numbers
    }
}

/// Rows of `x` beside a block of weights.
#[derive(Clone, Copy)]
struct Scaled<V, const NV: usize> {
    x: Rows,
    scales: [V; NV],
    offsets: [V; NV],
}

impl<V: Copy, const NV: usize> Scaled<V, NV> {
    /// Adds the products with the nibbles at bit `AT` of `words`, which are the weights of `k`.
    ///
    /// # Safety
    /// As [`Rows::fuse`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "the innermost loop")]
    unsafe fn nibble<S: Simd<V = V>, const MR: usize, const AT: u32>(
        self,
        simd: S,
        words: [S::W; NV],
        k: usize,
        sums: [[V; NV]; MR],
    ) -> [[V; NV]; MR] {
        let mut weights = self.offsets;
        for vector in 0..NV {
            let quant = simd.nibble::<AT>(words[vector]);
            // The product is exact, so that this rounds once, as scaling and then adding does.
            weights[vector] = simd.mul_add(self.scales[vector], quant, weights[vector]);
        }
        // SAFETY: the caller's promise.
        unsafe { self.x.fuse(simd, k, weights, sums) }
    }

    /// As [`Self::nibble`], with the signed bytes at bit `AT` and without offsets.
    ///
    /// # Safety
    /// As [`Rows::fuse`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "the innermost loop")]
    unsafe fn byte<S: Simd<V = V>, const MR: usize, const AT: u32>(
        self,
        simd: S,
        words: [S::W; NV],
        k: usize,
        sums: [[V; NV]; MR],
    ) -> [[V; NV]; MR] {
        let mut weights = self.scales;
        for vector in 0..NV {
            weights[vector] = simd.mul(self.scales[vector], simd.byte::<AT>(words[vector]));
        }
        // SAFETY: the caller's promise.
        unsafe { self.x.fuse(simd, k, weights, sums) }
    }
}

#[cfg(test)]
mod tests;
