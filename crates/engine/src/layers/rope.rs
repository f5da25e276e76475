//! Rotary positions, and the change between rows and heads that goes with them.
//!
//! With `(a, b) = (x[j], x[j + D/2])` and the angle `p theta^(-2j/D)` of position `p` (stretched where the model says so):
//! `out[j] = a cos - b sin`, `out[j + D/2] = b cos + a sin`. Rows are `[T, heads D]`, heads `[heads, T, D]`.
//! Source: Su et al. 2021 (arXiv:2104.09864), in the halves order of Transformers. The backward turns the other way.

use std::ops::Range;
use std::sync::OnceLock;

use crate::kernels::{Isa, Kernel, Simd};
use crate::parallel;

/// Rows in one piece of work.
const ROWS: usize = 16;

/// Positions whose cosines and sines are made together.
const BLOCK: usize = 256;

/// The cosines and sines of the positions, made when a position is first asked for.
///
/// So neither the memory nor the time to start depends on how long a text the model was made for.
#[derive(Debug)]
pub(crate) struct Rope {
    /// The angle from one position to the next, `[D/2]`.
    frequencies: Vec<f32>,
    /// For each position `D/2` cosines and `D/2` sines.
    blocks: Vec<OnceLock<Box<[f32]>>>,
    head_dim: usize,
    isa: Isa,
}

/// Which way to go between rows and heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Turned by the position: queries and keys.
    ByPosition,
    /// Just moved: values and outputs.
    Not,
}

impl Rope {
    /// For `positions` positions, with the angle of each pair of channels from one to the next, `[D/2]`.
    pub(crate) fn new(isa: Isa, positions: usize, frequencies: Vec<f32>) -> Self {
        let head_dim = 2 * frequencies.len();
        let blocks = (0..positions.div_ceil(BLOCK)).map(|_| OnceLock::new()).collect();
        Self { frequencies, blocks, head_dim, isa }
    }

    /// Brings rows `[T, heads D]` at the given positions to heads `[heads, T, D]`.
    pub(crate) fn to_heads(
        &self,
        rows: &[f32],
        turn: Turn,
        positions: Range<usize>,
        heads: &mut [f32],
    ) {
        let (size, stride) = (self.head_dim, rows.len() / positions.len());
        parallel::chunks_mut(heads, positions.len() * size, |head, out| {
            for (t, out) in out.chunks_exact_mut(size).enumerate() {
                out.copy_from_slice(&rows[t * stride + head * size..][..size]);
                if turn == Turn::ByPosition {
                    let angles = self.angles(positions.start + t);
                    self.isa.run(Rotate { pairs: out, angles, back: false });
                }
            }
        });
    }

    /// Turns every head of a row by its position, where it lies.
    pub(crate) fn turn_row(&self, position: usize, row: &mut [f32]) {
        let angles = self.angles(position);
        for pairs in row.chunks_exact_mut(self.head_dim) {
            self.isa.run(Rotate { pairs, angles, back: false });
        }
    }

    /// The backward of [`Self::to_heads`] from position 0 on; where `heads` has several heads for one of `rows`, their sum.
    pub(crate) fn to_rows(&self, heads: &[f32], turn: Turn, tokens: usize, rows: &mut [f32]) {
        let stride = rows.len() / tokens;
        parallel::chunks_mut(rows, ROWS * stride, |index, rows| {
            for (t, row) in rows.chunks_exact_mut(stride).enumerate() {
                self.to_row(heads, turn, (index * ROWS + t, tokens), (0, row));
            }
        });
    }

    /// As [`Self::to_rows`], of token `t` of `tokens`, the first of which is at position `first`.
    pub(crate) fn to_row(
        &self,
        heads: &[f32],
        turn: Turn,
        (t, tokens): (usize, usize),
        (first, row): (usize, &mut [f32]),
    ) {
        let size = self.head_dim;
        let group = heads.len() / (row.len() * tokens);
        for (head, out) in row.chunks_exact_mut(size).enumerate() {
            let of =
                |member: usize| &heads[((head * group + member) * tokens + t) * size..][..size];
            out.copy_from_slice(of(0));
            for member in 1..group {
                out.iter_mut().zip(of(member)).for_each(|(out, d)| *out += d);
            }
            if turn == Turn::ByPosition {
                self.isa.run(Rotate { pairs: out, angles: self.angles(first + t), back: true });
            }
        }
    }

    /// The cosines and the sines of a position.
    fn angles(&self, position: usize) -> (&[f32], &[f32]) {
        let (block, place) = (position / BLOCK, position % BLOCK);
        let block = self.blocks[block].get_or_init(|| self.block(block * BLOCK));
        block[place * self.head_dim..][..self.head_dim].split_at(self.head_dim / 2)
    }

    /// The block whose first position is `first`.
    fn block(&self, first: usize) -> Box<[f32]> {
        let mut block = Vec::with_capacity(BLOCK * self.head_dim);
        for position in first..first + BLOCK {
            // In f32 up to the angle, as the reference computes it.
            let angles = self.frequencies.iter().map(|frequency| position as f32 * frequency);
            block.extend(angles.clone().map(f32::cos));
            block.extend(angles.map(f32::sin));
        }
        block.into_boxed_slice()
    }
}

/// Turns one head's pairs, `[D]`, in place.
struct Rotate<'a> {
    pairs: &'a mut [f32],
    angles: (&'a [f32], &'a [f32]),
    /// The other way.
    back: bool,
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (low, high) = self.pairs.split_at_mut(self.pairs.len() / 2);
        let sign = if self.back { -1.0 } else { 1.0 };
        let angles = self.angles.0.iter().zip(self.angles.1);
        for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(angles) {
            let (a, b, sine) = (*low, *high, sign * sine);
            *low = a * cosine - b * sine;
            *high = b * cosine + a * sine;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::numbers;

    #[test]
    fn a_position_turns_each_pair_by_its_angle() {
        // Frequencies of theta 100: 1 and 100^(-2/4).
        let rope = Rope::new(Isa::best(), BLOCK + 8, vec![1.0, 0.1]);
        for position in [3, BLOCK + 3] {
            let mut heads = [0.0; 4];
            let positions = position..position + 1;
            rope.to_heads(&[1.0, 1.0, 0.0, 0.0], Turn::ByPosition, positions, &mut heads);
            let (fast, slow) = (position as f32, position as f32 * 0.1);
            let expected = [fast.cos(), slow.cos(), fast.sin(), slow.sin()];
            for (found, expected) in heads.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{heads:?}");
            }
        }
    }

    #[test]
    fn the_way_back_is_the_transpose_of_the_way_there() {
        let (tokens, size, group, kv_heads) = (19, 6, 3, 2);
        let rope = Rope::new(Isa::best(), tokens, vec![1.0, 0.05, 0.002]);
        for turn in [Turn::ByPosition, Turn::Not] {
            // <to_heads(x) repeated for the group, y> = <x, to_rows(y)>.
            let x = numbers(tokens * kv_heads * size, 1);
            let y = numbers(tokens * kv_heads * group * size, 2);
            let mut heads = vec![0.0; x.len()];
            rope.to_heads(&x, turn, 0..tokens, &mut heads);
            let mut rows = vec![0.0; x.len()];
            rope.to_rows(&y, turn, tokens, &mut rows);
            let head = tokens * size;
            let repeated = y
                .chunks(head)
                .enumerate()
                .flat_map(|(member, y)| heads[member / group * head..][..head].iter().zip(y));
            let there: f64 = repeated.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let back: f64 = x.iter().zip(&rows).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((there - back).abs() < 1e-4, "{there} {back}");
        }
    }
}
