//! The sums of few rows with some vectors of a weight, all in registers.

use crate::kernels::bf16::pair;
use crate::kernels::blocks::{Blocks, Width};
use crate::kernels::packed::{Packed, Words};
use crate::kernels::simd::Simd;

/// Some rows of `x`.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The first number of the first row.
    pub(super) first: *const f32,
    /// From one row to the next.
    pub(super) stride: usize,
}

impl Rows {
    /// Adds the products of number `k` of each row with `weights`.
    ///
    /// # Safety
    /// There are `MR` rows of more than `k` numbers.
    #[inline(always)]
    #[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
    pub(super) unsafe fn fuse<S: Simd, const NV: usize, const MR: usize>(
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
pub(super) unsafe fn packed_sums<S: Simd, const NV: usize, const MR: usize>(
    simd: S,
    packed: &Packed,
    at: usize,
    x: Rows,
) -> [[S::V; NV]; MR] {
    let mut sums = [[simd.splat(0.0); NV]; MR];
    let (panel, stride) = packed.panel(at / S::VECTORS);
    let first = at % S::VECTORS * S::LANES;
    let panel = match panel {
        Words::F32(panel) => panel,
        Words::Bf16(panel) => {
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
pub(super) unsafe fn blocks_sums<S: Simd, const NV: usize, const MR: usize>(
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
pub(super) struct Cursor {
    /// The next row.
    pub(super) words: *const u32,
    /// From one row to the next.
    pub(super) stride: usize,
}

impl Cursor {
    /// A row of words.
    ///
    /// # Safety
    /// There is a row more of at least `NV` vectors.
    #[inline(always)]
    #[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
    pub(super) unsafe fn words<S: Simd, const NV: usize>(&mut self, simd: S) -> [S::W; NV] {
        let mut words = [simd.splat_word(0); NV];
        for vector in 0..NV {
            // SAFETY: the caller's promise.
            words[vector] = unsafe { simd.load_words_at(self.words.add(vector * S::LANES)) };
        }
        self.words = self.words.wrapping_add(self.stride);
        words
    }

    /// A row of f32.
    ///
    /// # Safety
    /// As [`Cursor::words`].
    #[inline(always)]
    #[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
    pub(super) unsafe fn numbers<S: Simd, const NV: usize>(&mut self, simd: S) -> [S::V; NV] {
        let mut numbers = [simd.splat(0.0); NV];
        for vector in 0..NV {
            // SAFETY: the caller's promise.
            numbers[vector] =
                unsafe { simd.load_at(self.words.add(vector * S::LANES).cast::<f32>()) };
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
