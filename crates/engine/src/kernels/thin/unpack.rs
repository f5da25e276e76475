//! Quantised weights turned to f32, for products of more rows than registers hold beside the turning.

use super::sums::Cursor;
use crate::kernels::blocks::{Blocks, Width};
use crate::kernels::simd::Simd;

/// The numbers of block `index` of `NV` vectors from vector `at` on, `[block, NV]`.
#[inline(always)]
#[expect(unsafe_code, reason = "reads the words without a check per vector")]
pub(super) fn unpack<S: Simd, const NV: usize>(
    simd: S,
    blocks: &Blocks,
    (at, index): (usize, usize),
    to: &mut [f32],
) {
    let (panel, stride) = blocks.panel(at / S::VECTORS);
    let row = index * blocks.block_rows() * stride;
    let words = &panel[row + at % S::VECTORS * S::LANES..];
    let last = (blocks.block_rows() - 1) * stride + NV * S::LANES;
    assert!(words.len() >= last, "the block ends early");
    let mut cursor = Cursor { words: words.as_ptr(), stride };
    // SAFETY: a block has a row of scales, a row of offsets where the width has them, and rows of words, all of which
    // lie in `words`, as was checked above.
    let scales = unsafe { cursor.numbers::<S, NV>(simd) };
    match blocks.width() {
        Width::Nibbles => {
            // SAFETY: as above.
            let offsets = unsafe { cursor.numbers::<S, NV>(simd) };
            let row = NV * S::LANES;
            for to in to.chunks_exact_mut(8 * row) {
                // SAFETY: as above.
                let words = unsafe { cursor.words::<S, NV>(simd) };
                let parts = [scales, offsets];
                nibbles::<S, NV, 0>(simd, words, parts, &mut to[..row]);
                nibbles::<S, NV, 4>(simd, words, parts, &mut to[row..2 * row]);
                nibbles::<S, NV, 8>(simd, words, parts, &mut to[2 * row..3 * row]);
                nibbles::<S, NV, 12>(simd, words, parts, &mut to[3 * row..4 * row]);
                nibbles::<S, NV, 16>(simd, words, parts, &mut to[4 * row..5 * row]);
                nibbles::<S, NV, 20>(simd, words, parts, &mut to[5 * row..6 * row]);
                nibbles::<S, NV, 24>(simd, words, parts, &mut to[6 * row..7 * row]);
                nibbles::<S, NV, 28>(simd, words, parts, &mut to[7 * row..]);
            }
        }
        Width::Bytes => {
            let row = NV * S::LANES;
            for to in to.chunks_exact_mut(4 * row) {
                // SAFETY: as above.
                let words = unsafe { cursor.words::<S, NV>(simd) };
                bytes::<S, NV, 0>(simd, words, scales, &mut to[..row]);
                bytes::<S, NV, 8>(simd, words, scales, &mut to[row..2 * row]);
                bytes::<S, NV, 16>(simd, words, scales, &mut to[2 * row..3 * row]);
                bytes::<S, NV, 24>(simd, words, scales, &mut to[3 * row..]);
            }
        }
    }
}

/// One row of unpacked nibbles.
#[inline(always)]
fn nibbles<S: Simd, const NV: usize, const AT: u32>(
    simd: S,
    words: [S::W; NV],
    [scales, offsets]: [[S::V; NV]; 2],
    to: &mut [f32],
) {
    for vector in 0..NV {
        let quant = simd.nibble::<AT>(words[vector]);
        let number = simd.mul_add(scales[vector], quant, offsets[vector]);
        simd.store(&mut to[vector * S::LANES..], number);
    }
}

/// One row of unpacked bytes.
#[inline(always)]
fn bytes<S: Simd, const NV: usize, const AT: u32>(
    simd: S,
    words: [S::W; NV],
    scales: [S::V; NV],
    to: &mut [f32],
) {
    for vector in 0..NV {
        let number = simd.mul(scales[vector], simd.byte::<AT>(words[vector]));
        simd.store(&mut to[vector * S::LANES..], number);
    }
}
