//! A matrix of activations as products read it, made row by row, or of products block by block (`blocks.rs`).
//!
//! In f32 that is the matrix itself. In bf16 it is made in the cache and leaves it in pairs only: along its rows where it is
//! multiplied with weights, along its columns where products with it are summed over the tokens.

mod blocks;
mod window;

use std::ops::Range;

use super::bf16::Pairs;
use super::buffer::{Buffer, Number};
use super::gemm::{Left, Right};
use super::shared::Rectangle;
use super::{Compute, Isa};
use crate::parallel;
pub(crate) use blocks::make_of;
pub(crate) use window::Window;

/// Rows in one piece of work: even, as two of them lie in a pair.
const ROWS: usize = 16;

/// Numbers to which rows of pairs along the columns are filled up, so that they are whole vectors.
const WIDE: usize = 16;

/// What products read of a matrix `[T, N]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    /// Whether it is a left operand, whose depth is N.
    pub(crate) left: bool,
    /// Whether it is a right operand, whose depth is T.
    pub(crate) right: bool,
    /// Whether its numbers themselves are read, too.
    pub(crate) numbers: bool,
}

impl Forms {
    /// A left operand only.
    pub(crate) const LEFT: Self = Self { left: true, right: false, numbers: false };
    /// A right operand only.
    pub(crate) const RIGHT: Self = Self { left: false, right: true, numbers: false };
    /// Both operands.
    pub(crate) const BOTH: Self = Self { left: true, right: true, numbers: false };

    /// With the numbers themselves where `numbers` says so.
    pub(crate) fn and_numbers(self, numbers: bool) -> Self {
        Self { numbers, ..self }
    }
}

/// A matrix `[T, N]` in the forms that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    rows: usize,
    width: usize,
    compute: Compute,
    /// `[T, N]`.
    numbers: Buffer,
    /// Pairs along N, `[T, N / 2]`.
    along_rows: Buffer<u32>,
    /// Pairs along T, `[T / 2, N]`, each row filled up to whole vectors.
    along_columns: Buffer<u32>,
}

impl Activations {
    /// Makes `[rows, width]` anew: `f` is given ranges of rows and writes their numbers.
    pub(crate) fn make(
        &mut self,
        (isa, compute): (Isa, Compute),
        [rows, width]: [usize; 2],
        forms: Forms,
        f: impl Fn(Range<usize>, &mut [f32]) + Send + Sync,
    ) {
        parallel::each_of(self.parts(compute, [rows, width], forms), |mut part| {
            if compute == Compute::F32 {
                return f(part.rows.clone(), part.numbers);
            }
            parallel::with_numbers(2 * width, |two| {
                for first in part.rows.clone().step_by(2) {
                    let count = 2.min(part.rows.end - first);
                    let (two, place) = (&mut two[..count * width], first - part.rows.start);
                    f(first..first + count, two);
                    if let Some(to) = part.numbers.get_mut(place * width..(place + count) * width) {
                        to.copy_from_slice(two);
                    }
                    part.narrow(isa, (place, count), two);
                }
            });
        });
    }

    /// Makes a copy of `numbers`, whose rows are `width` long.
    pub(crate) fn copy(
        &mut self,
        (isa, compute): (Isa, Compute),
        (numbers, width): (&[f32], usize),
        forms: Forms,
    ) {
        let parts = self.parts(compute, [numbers.len() / width, width], forms);
        parallel::each_of(parts, |mut part| {
            let from = &numbers[part.rows.start * width..part.rows.end * width];
            part.numbers.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            if compute == Compute::F32 {
                return;
            }
            for (pair, two) in from.chunks(2 * width).enumerate() {
                part.narrow(isa, (2 * pair, two.len() / width), two);
            }
        });
    }

    /// As a left operand; it was asked for.
    pub(crate) fn left(&self) -> Left<'_> {
        match self.compute {
            Compute::F32 => Left::rows(&self.numbers, self.width),
            Compute::Bf16 => Left::rows_of_pairs(&self.along_rows, self.width.div_ceil(2)),
        }
    }

    /// The transpose as a left operand, whose depth is T; it was asked for as a right one.
    pub(crate) fn left_transposed(&self) -> Left<'_> {
        match self.compute {
            Compute::F32 => Left::transposed(&self.numbers, self.width),
            Compute::Bf16 => {
                Left::transposed_pairs(&self.along_columns, self.width.next_multiple_of(WIDE))
            }
        }
    }

    /// As a right operand; it was asked for.
    pub(crate) fn right(&self) -> Right<'_> {
        match self.compute {
            Compute::F32 => Right::rows(&self.numbers, self.rows, self.width),
            Compute::Bf16 => {
                let stride = self.width.next_multiple_of(WIDE);
                Right::pairs(&self.along_columns, stride, [self.rows, self.width])
            }
        }
    }

    /// The numbers; they were asked for.
    pub(crate) fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// `T`.
    pub(crate) fn row_count(&self) -> usize {
        self.rows
    }

    /// Takes a shape, with memory for the forms; yields how far rows of pairs are apart, along the rows and the columns.
    fn reshape(&mut self, compute: Compute, [rows, width]: [usize; 2], forms: Forms) -> [usize; 2] {
        (self.rows, self.width, self.compute) = (rows, width, compute);
        let narrow = compute == Compute::Bf16;
        let (in_row, in_pair) = (width.div_ceil(2), width.next_multiple_of(WIDE));
        let if_wanted = |wanted: bool, length: usize| if wanted { length } else { 0 };
        self.numbers.resize(if_wanted(!narrow || forms.numbers, rows * width));
        self.along_rows.resize(if_wanted(narrow && forms.left, rows * in_row));
        let pairs = rows.div_ceil(2) * in_pair;
        self.along_columns.resize(if_wanted(narrow && forms.right, pairs));
        [in_row, in_pair]
    }

    /// Takes a shape and yields the parts of each [`ROWS`] rows.
    fn parts(
        &mut self,
        compute: Compute,
        [rows, width]: [usize; 2],
        forms: Forms,
    ) -> Vec<Part<'_>> {
        let [in_row, in_pair] = self.reshape(compute, [rows, width], forms);
        let mut numbers = pieces(&mut self.numbers, ROWS * width);
        let mut along_rows = pieces(&mut self.along_rows, ROWS * in_row);
        let mut along_columns = pieces(&mut self.along_columns, ROWS / 2 * in_pair);
        let part = |first| Part {
            rows: first..rows.min(first + ROWS),
            width,
            numbers: numbers.next().unwrap_or_default(),
            along_rows: along_rows.next().unwrap_or_default(),
            along_columns: along_columns.next().unwrap_or_default(),
        };
        (0..rows).step_by(ROWS).map(part).collect()
    }
}

/// Some rows of a matrix, in the forms that were asked for; the others are empty.
struct Part<'a> {
    rows: Range<usize>,
    width: usize,
    numbers: &'a mut [f32],
    along_rows: &'a mut [u32],
    along_columns: &'a mut [u32],
}

impl Part<'_> {
    /// Brings one or two rows to bf16: those from row `first` of this part on.
    fn narrow(&mut self, isa: Isa, (first, count): (usize, usize), from: &[f32]) {
        let (in_row, in_pair) = (self.width.div_ceil(2), self.width.next_multiple_of(WIDE));
        let rows = self.along_rows.get_mut(first * in_row..(first + count) * in_row);
        let rows = rows.map(|words| Rectangle::of(words, [count, in_row], in_row));
        let columns = self.along_columns.get_mut(first / 2 * in_pair..);
        let columns = columns.filter(|pairs| !pairs.is_empty());
        let columns = columns.map(|pairs| Rectangle::of(pairs, [1, self.width], in_pair));
        isa.run(Pairs { from, width: self.width, rows, columns });
    }
}

/// The pieces of so many numbers each.
fn pieces<T: Number>(buffer: &mut Buffer<T>, size: usize) -> std::slice::ChunksMut<'_, T> {
    buffer.chunks_mut(size.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Output, Term, gemm};
    use crate::layers::testing::numbers;

    #[test]
    fn whatever_its_forms_products_with_it_are_those_with_its_numbers() {
        // An odd number of rows, more than one piece; odd and whole widths.
        for (isa, width) in Isa::available().into_iter().flat_map(|isa| [(isa, 7), (isa, 64)]) {
            let rows = 2 * ROWS + 3;
            // Exact in bf16, as are their products' sums in f32.
            let exact = |count, seed| -> Vec<f32> {
                numbers(count, seed).iter().map(|x| (x * 8.0).round()).collect()
            };
            let (x, other) = (exact(rows * width, 1), exact(width * rows, 2));
            for compute in [Compute::F32, Compute::Bf16] {
                let mut made = Activations::default();
                // Twice, the first time of another shape, so that nothing of it is left.
                for (rows, width) in [(rows + 5, width + 9), (rows, width)] {
                    let shape = [rows, width];
                    made.make((isa, compute), shape, Forms::BOTH.and_numbers(true), |part, to| {
                        assert!(part.len() * width == to.len());
                        let from = part.start * width % x.len();
                        let from = x.iter().cycle().skip(from);
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    });
                }
                assert_eq!(made.numbers(), x);
                let mut copied = Activations::default();
                copied.copy((isa, compute), (&x, width), Forms::BOTH.and_numbers(true));
                assert_eq!(copied.numbers(), x);
                assert_eq!(copied.along_rows[..], made.along_rows[..]);
                let pairs = [&copied, &made].map(|matrix| {
                    let rows = matrix.along_columns.chunks(width.next_multiple_of(WIDE));
                    rows.flat_map(|row| row[..width].to_vec()).collect::<Vec<_>>()
                });
                assert_eq!(pairs[0], pairs[1]);
                let mut weight = super::super::Packed::zeros(isa, compute, [width, rows]);
                weight.fill(&other, [rows, 1]);
                let mut out = vec![0.0; rows * rows];
                let term = Term { left: made.left(), right: Right::packed(&weight) };
                gemm(isa, rows, &[term], Output::to(&mut out, rows));
                let at = |i: usize, j: usize| -> f32 {
                    (0..width).map(|k| x[i * width + k] * other[k * rows + j]).sum()
                };
                for (place, found) in out.iter().enumerate() {
                    let expected = at(place / rows, place % rows);
                    assert!((found - expected).abs() < 1e-3, "{} {compute}", isa.name());
                }
                let mut out = vec![0.0; width * width];
                let term = Term { left: Left::transposed(&x, width), right: made.right() };
                gemm(isa, width, &[term], Output::to(&mut out, width));
                let mut again = vec![0.0; width * width];
                let term = Term { left: made.left_transposed(), right: made.right() };
                gemm(isa, width, &[term], Output::to(&mut again, width));
                assert_eq!(out, again);
                let at = |i: usize, j: usize| -> f32 {
                    (0..rows).map(|t| x[t * width + i] * x[t * width + j]).sum()
                };
                for (place, found) in out.iter().enumerate() {
                    let expected = at(place / width, place % width);
                    assert!((found - expected).abs() < 1e-3, "{} {compute}", isa.name());
                }
            }
        }
    }
}
