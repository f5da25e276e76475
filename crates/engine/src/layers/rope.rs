//! Rotary positions, and the change between rows and heads that goes with them.
//!
//! With `(a, b) = (x[j], x[j + D/2])` and the angle `p theta^(-2j/D)` of position `p`:
//! `out[j] = a cos - b sin`, `out[j + D/2] = b cos + a sin`. Rows are `[T, heads D]`, heads `[heads, T, D]`.
//! Source: Su et al. 2021 (arXiv:2104.09864), in the halves order of Transformers. The backward turns the other way.

use std::ops::Range;

use crate::parallel;

/// Rows in one piece of work.
const ROWS: usize = 16;

/// The cosines and sines of all positions.
#[derive(Debug)]
pub(crate) struct Rope {
    /// `[positions, D/2]`.
    cosines: Vec<f32>,
    sines: Vec<f32>,
    head_dim: usize,
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
    /// The table for `positions` positions.
    pub(crate) fn new(positions: usize, head_dim: usize, theta: f32) -> Self {
        let half = head_dim / 2;
        let mut rope = Self {
            cosines: Vec::with_capacity(positions * half),
            sines: Vec::with_capacity(positions * half),
            head_dim,
        };
        for position in 0..positions {
            for j in 0..half {
                // In f32 up to the angle, as the reference computes it.
                let frequency = 1.0 / theta.powf((2 * j) as f32 / head_dim as f32);
                let angle = position as f32 * frequency;
                rope.cosines.push(angle.cos());
                rope.sines.push(angle.sin());
            }
        }
        rope
    }

    /// Brings rows `[T, heads D]` at the given positions to heads `[heads, T, D]`.
    pub(crate) fn to_heads(
        &self,
        rows: &[f32],
        turn: Turn,
        positions: Range<usize>,
        heads: &mut [f32],
    ) {
        let (size, half) = (self.head_dim, self.head_dim / 2);
        let stride = rows.len() / positions.len();
        parallel::chunks_mut(heads, positions.len() * size, |head, out| {
            for (t, out) in out.chunks_exact_mut(size).enumerate() {
                let x = &rows[t * stride + head * size..][..size];
                if turn == Turn::Not {
                    out.copy_from_slice(x);
                    continue;
                }
                let (cosines, sines) = self.angles(positions.start + t);
                let ((low, high), (a, b)) = (out.split_at_mut(half), x.split_at(half));
                for j in 0..half {
                    low[j] = a[j] * cosines[j] - b[j] * sines[j];
                    high[j] = b[j] * cosines[j] + a[j] * sines[j];
                }
            }
        });
    }

    /// The backward of [`Self::to_heads`] from position 0 on; where `heads` has several heads for one of `rows`, their sum.
    pub(crate) fn to_rows(&self, heads: &[f32], turn: Turn, tokens: usize, rows: &mut [f32]) {
        let (size, half) = (self.head_dim, self.head_dim / 2);
        let stride = rows.len() / tokens;
        let group = heads.len() / rows.len();
        parallel::chunks_mut(rows, ROWS * stride, |index, rows| {
            for (t, row) in rows.chunks_exact_mut(stride).enumerate() {
                let t = index * ROWS + t;
                for (head, out) in row.chunks_exact_mut(size).enumerate() {
                    let of = |member: usize| {
                        &heads[((head * group + member) * tokens + t) * size..][..size]
                    };
                    out.copy_from_slice(of(0));
                    for member in 1..group {
                        out.iter_mut().zip(of(member)).for_each(|(out, d)| *out += d);
                    }
                    if turn == Turn::ByPosition {
                        let (cosines, sines) = self.angles(t);
                        let (low, high) = out.split_at_mut(half);
                        for j in 0..half {
                            let (a, b) = (low[j], high[j]);
                            low[j] = a * cosines[j] + b * sines[j];
                            high[j] = b * cosines[j] - a * sines[j];
                        }
                    }
                }
            }
        });
    }

    fn angles(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.head_dim / 2;
        let part = position * half..(position + 1) * half;
        (&self.cosines[part.clone()], &self.sines[part])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::numbers;

    #[test]
    fn a_position_turns_each_pair_by_its_angle() {
        let rope = Rope::new(8, 4, 100.0);
        let mut heads = [0.0; 4];
        rope.to_heads(&[1.0, 1.0, 0.0, 0.0], Turn::ByPosition, 3..4, &mut heads);
        // Frequencies 1 and 100^(-2/4) = 0.1.
        let expected = [3.0_f32.cos(), 0.3_f32.cos(), 3.0_f32.sin(), 0.3_f32.sin()];
        for (found, expected) in heads.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{heads:?}");
        }
    }

    #[test]
    fn the_way_back_is_the_transpose_of_the_way_there() {
        let (tokens, size, group, kv_heads) = (19, 6, 3, 2);
        let rope = Rope::new(tokens, size, 1e4);
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
