//! Transposing: matrices that lie the other way into panels, and panels into those of the transpose.
//!
//! Worked off in blocks of as many rows and columns as a vector has lanes, which the registers turn; what is left at the
//! edges is turned number by number.

use super::ahead;
use super::bf16::Rows;
use super::buffer::Number;
use super::isa::Kernel;
use super::simd::{Simd, interleave};

/// Words of a block with the widest vectors.
const BLOCK: usize = 16 * 16;
/// Words of a cache line.
const LINE: usize = 16;

/// A row-major matrix: its first number, how far its rows are apart, and how many rows and columns of it are meant.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) stride: usize,
    pub(super) shape: [usize; 2],
}

/// `to[j][i] = from[i][j]`; the rows of `to` are `width` apart.
pub(super) struct Turn<'a, T> {
    pub(super) from: Matrix<'a, T>,
    pub(super) to: &'a mut [T],
    pub(super) width: usize,
}

impl<T: Number> Kernel for Turn<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        turn(simd, self.from, self.to, self.width);
    }
}

/// As [`Turn`], brought to bf16: row `j` of `to` holds columns `2 j` and `2 j + 1` of `from`, an odd last one beside a 0.
pub(super) struct TurnToPairs<'a> {
    pub(super) from: Matrix<'a, f32>,
    pub(super) to: &'a mut [u32],
    pub(super) width: usize,
}

impl Kernel for TurnToPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { from: Matrix { data, stride, shape: [rows, columns] }, to, width } = self;
        let mut words = [0; BLOCK];
        for row in (0..rows).step_by(S::LANES) {
            let high = S::LANES.min(rows - row);
            for column in (0..columns).step_by(2 * S::LANES) {
                let wide = (2 * S::LANES).min(columns - column);
                let (in_row, from) = (wide.div_ceil(2), &data[row * stride + column..]);
                let words = &mut words[..high * in_row];
                Rows { from, stride, depth: wide, to: &mut *words }.run(simd);
                let from = Matrix { data: &*words, stride: in_row, shape: [high, in_row] };
                turn(simd, from, &mut to[column / 2 * width + row..], width);
            }
        }
    }
}

/// As [`Turn`] between pairs of bf16: rows `2 i` and `2 i + 1` of numbers lie in row `i` of words, here and there.
pub(super) struct TurnPairs<'a> {
    /// Its shape is in words.
    pub(super) from: Matrix<'a, u32>,
    pub(super) to: &'a mut [u32],
    pub(super) width: usize,
    /// What is turned next: it is fetched meanwhile, as the order in which lines are read is no order that processors guess.
    pub(super) next: &'a [u32],
}

impl Kernel for TurnPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { from: Matrix { data, stride, shape: [rows, columns] }, to, width, next } = self;
        let (mut words, mut ahead) = ([0; BLOCK], next.chunks(LINE));
        for row in (0..rows).step_by(S::LANES) {
            let high = S::LANES.min(rows - row);
            for column in (0..columns).step_by(S::LANES) {
                // As many lines as this block has.
                for _ in 0..S::LANES * S::LANES / LINE {
                    if let Some(line) = ahead.next() {
                        ahead::to_read(line);
                    }
                }
                let wide = S::LANES.min(columns - column);
                let data = &data[row * stride + column..];
                if !wide.is_multiple_of(2) {
                    words[wide * S::LANES..][..S::LANES].fill(0);
                }
                let from = Matrix { data, stride, shape: [high, wide] };
                turn(simd, from, &mut words, S::LANES);
                let to = to[column / 2 * width..].chunks_mut(width);
                for (to, columns) in to.zip(words.chunks_exact(2 * S::LANES)).take(wide.div_ceil(2))
                {
                    let (first, second) = columns.split_at(S::LANES);
                    let to = &mut to[2 * row..][..2 * high];
                    if high == S::LANES {
                        simd.store_interleaved(to, first, second);
                    } else {
                        interleave(to, first, second);
                    }
                }
            }
        }
    }
}

/// Rows `2 i` and `2 i + 1` of pairs along the rows become row `i` of pairs along the columns, an odd last one beside
/// zeros.
pub(super) struct Interleave<'a> {
    /// Its shape is in words.
    pub(super) from: Matrix<'a, u32>,
    pub(super) to: &'a mut [u32],
    /// From row to row of `to`: at least two words for each of a row of `from`.
    pub(super) width: usize,
}

impl Kernel for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { from: Matrix { data, stride, shape: [rows, words] }, to, width } = self;
        let whole = words - words % S::LANES;
        for (index, to) in to.chunks_mut(width).take(rows.div_ceil(2)).enumerate() {
            let (first, to) = (&data[2 * index * stride..][..words], &mut to[..2 * words]);
            if 2 * index + 1 == rows {
                for (to, word) in to.chunks_exact_mut(2).zip(first) {
                    interleave(to, &[*word], &[0]);
                }
                continue;
            }
            let second = &data[(2 * index + 1) * stride..][..words];
            for at in (0..whole).step_by(S::LANES) {
                simd.store_interleaved(&mut to[2 * at..], &first[at..], &second[at..]);
            }
            interleave(&mut to[2 * whole..], &first[whole..], &second[whole..]);
        }
    }
}

#[inline(always)]
#[expect(unsafe_code, reason = "whole blocks are turned in the registers")]
fn turn<S: Simd, T: Number>(simd: S, from: Matrix<'_, T>, to: &mut [T], width: usize) {
    const { assert!(size_of::<T>() == size_of::<u32>(), "blocks are of words") };
    let Matrix { data, stride, shape: [rows, columns] } = from;
    for row in (0..rows).step_by(S::LANES) {
        for column in (0..columns).step_by(S::LANES) {
            let (high, wide) = (S::LANES.min(rows - row), S::LANES.min(columns - column));
            let from = &data[row * stride + column..];
            let to = &mut to[column * width + row..];
            if high == S::LANES && wide == S::LANES {
                let from = &from[..(S::LANES - 1) * stride + S::LANES];
                let to = &mut to[..(S::LANES - 1) * width + S::LANES];
                // SAFETY: the slices reach from the first row's beginning to the last row's end and are borrowed apart;
                // a `T` is a word, and every pattern of bits is one (`Number`).
                unsafe {
                    simd.turn_words(from.as_ptr().cast(), stride, to.as_mut_ptr().cast(), width);
                }
                continue;
            }
            for i in 0..high {
                for j in 0..wide {
                    to[j * width + i] = from[i * stride + j];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::bf16::pair;
    use crate::layers::testing::numbers;

    /// Whole blocks alone, and edges on every side.
    const SHAPES: [[usize; 2]; 5] = [[32, 64], [16, 32], [37, 71], [3, 2], [1, 1]];

    #[test]
    fn every_number_changes_its_row_and_column_on_every_instruction_set() {
        for isa in Isa::available() {
            for [rows, columns] in SHAPES {
                let (stride, width) = (columns + 3, rows + 5);
                let data = numbers(rows * stride, 1);
                let from = Matrix { data: &data[..], stride, shape: [rows, columns] };
                let mut to = vec![0.0; columns * width];
                isa.run(Turn { from, to: &mut to, width });
                for i in 0..rows {
                    for j in 0..columns {
                        let (found, expected) = (to[j * width + i], data[i * stride + j]);
                        assert_eq!(found.to_bits(), expected.to_bits(), "{}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn pairs_are_those_of_the_numbers_turned_one_by_one() {
        for isa in Isa::available() {
            for [rows, columns] in SHAPES {
                let (stride, width) = (columns + 3, rows.next_multiple_of(2) + 4);
                let data = numbers(rows * stride, 2);
                let number = |i: usize, j: usize| {
                    if i < rows && j < columns { data[i * stride + j] } else { 0.0 }
                };
                let from = Matrix { data: &data[..], stride, shape: [rows, columns] };
                let words = columns.div_ceil(2);
                let mut turned = vec![0; words * width];
                isa.run(TurnToPairs { from, to: &mut turned, width });
                for i in 0..rows {
                    for j in 0..words {
                        let expected = pair(number(i, 2 * j), number(i, 2 * j + 1));
                        assert_eq!(turned[j * width + i], expected, "{} {i} {j}", isa.name());
                    }
                }
                let rows_of_pairs: Vec<u32> = (0..rows * words)
                    .map(|place| (place / words, 2 * (place % words)))
                    .map(|(i, j)| pair(number(i, j), number(i, j + 1)))
                    .collect();
                let from = Matrix { data: &rows_of_pairs[..], stride: words, shape: [rows, words] };
                let wide = 2 * words + 3;
                let mut pairs = vec![0; rows.div_ceil(2) * wide];
                isa.run(Interleave { from, to: &mut pairs, width: wide });
                for i in 0..rows.div_ceil(2) {
                    for j in 0..columns {
                        let expected = pair(number(2 * i, j), number(2 * i + 1, j));
                        assert_eq!(pairs[i * wide + j], expected, "{} {i} {j}", isa.name());
                    }
                }
                // And back: rows of words over pairs of `columns`, to rows over pairs of `rows`.
                let from = Matrix { data: &turned[..], stride: width, shape: [words, rows] };
                let back_width = 2 * words;
                let mut back = vec![0; rows.div_ceil(2) * back_width];
                isa.run(TurnPairs { from, to: &mut back, width: back_width, next: &turned[..] });
                for i in 0..rows.div_ceil(2) {
                    for j in 0..columns {
                        let expected = pair(number(2 * i, j), number(2 * i + 1, j));
                        let found = back[i * back_width + j];
                        assert_eq!(found, expected, "{} {i} {j}", isa.name());
                    }
                }
            }
        }
    }
}
