//! Some rows and columns of activations: the heads of a projection, which are operands of their own.

use std::ops::Range;

use super::{Activations, Forms};
use crate::kernels::Compute;
use crate::kernels::buffer::Number;
use crate::kernels::gemm::Left;
use crate::kernels::packed::Words;

/// A part of a matrix that was made as a left operand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// From the part's first word on: numbers, or pairs of bf16 along the rows.
    data: Words<'a>,
    /// Words from row to row.
    stride: usize,
    /// Rows and columns.
    shape: [usize; 2],
}

impl Activations {
    /// All columns of some rows; it was asked for as a left operand.
    pub(crate) fn window(&self, rows: Range<usize>) -> Window<'_> {
        let (data, stride) = match self.compute {
            Compute::F32 => (Words::F32(&self.numbers), self.width),
            Compute::Bf16 => (Words::Bf16(&self.along_rows), self.width.div_ceil(2)),
        };
        Window { data, stride, shape: [self.rows, self.width] }.rows(rows)
    }

    /// Takes the rows of one window and below them those of another, which are as wide, as a left operand.
    pub(crate) fn stack(&mut self, compute: Compute, windows: [Window<'_>; 2]) {
        let [upper, lower] = windows.map(|window| window.shape);
        assert!(upper[1] == lower[1], "windows of two widths");
        let [in_row, _] = self.reshape(compute, [upper[0] + lower[0], upper[1]], Forms::LEFT);
        let (mut numbers, mut pairs) = (&mut self.numbers[..], &mut self.along_rows[..]);
        for Window { data, stride, shape } in windows {
            match data {
                Words::F32(from) => numbers = copied(from, [shape[0], shape[1], stride], numbers),
                Words::Bf16(from) => pairs = copied(from, [shape[0], in_row, stride], pairs),
            }
        }
    }
}

/// Copies so many rows of a width, which are a stride apart; yields what is behind them.
fn copied<'a, T: Number>(
    from: &[T],
    [rows, width, stride]: [usize; 3],
    to: &'a mut [T],
) -> &'a mut [T] {
    let (to, rest) = to.split_at_mut(rows * width);
    for (from, to) in from.chunks(stride).zip(to.chunks_exact_mut(width)) {
        to.copy_from_slice(&from[..width]);
    }
    rest
}

impl<'a> Window<'a> {
    /// Only some of its rows.
    pub(crate) fn rows(self, rows: Range<usize>) -> Self {
        assert!(rows.end <= self.shape[0], "rows outside the window");
        let data = self.data.from(rows.start * self.stride);
        Self { data, shape: [rows.len(), self.shape[1]], ..self }
    }

    /// Only some of its columns; in bf16 they begin and end with whole pairs.
    pub(crate) fn columns(self, columns: Range<usize>) -> Self {
        assert!(columns.end <= self.shape[1], "columns outside the window");
        let first = match self.data {
            Words::F32(_) => columns.start,
            Words::Bf16(_) => {
                let whole = columns.start.is_multiple_of(2)
                    && (columns.end.is_multiple_of(2) || columns.end == self.shape[1]);
                assert!(whole, "columns that begin or end within a pair");
                columns.start / 2
            }
        };
        Self { data: self.data.from(first), shape: [self.shape[0], columns.len()], ..self }
    }

    /// As a left operand.
    pub(crate) fn left(self) -> Left<'a> {
        match self.data {
            Words::F32(numbers) => Left::rows(numbers, self.stride),
            Words::Bf16(pairs) => Left::rows_of_pairs(pairs, self.stride),
        }
    }

    /// Rows and columns.
    pub(crate) fn shape(self) -> [usize; 2] {
        self.shape
    }

    /// Its words, and how far rows of them are apart.
    pub(in crate::kernels) fn words(self) -> (Words<'a>, usize) {
        (self.data, self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Forms, Isa, Output, Packed, Right, Term, gemm};
    use crate::layers::testing::numbers;

    /// A matrix, and a window of it that begins and ends inside.
    const SHAPE: [usize; 2] = [37, 150];
    const ROWS: Range<usize> = 3..36;
    const COLUMNS: Range<usize> = 66..136;

    /// The product of two windows, the right one packed as it is or turned.
    fn product(isa: Isa, left: Window<'_>, right: Window<'_>, transposed: bool) -> Vec<f32> {
        let mut packed = Packed::default();
        packed.become_window(isa, right, transposed);
        let (rows, columns) = (left.shape()[0], packed.column_count());
        let mut out = vec![0.0; rows * columns];
        let term = Term { left: left.left(), right: Right::packed(&packed) };
        gemm(isa, rows, &[term], Output::to(&mut out, columns));
        out
    }

    #[test]
    fn products_of_windows_are_those_of_their_numbers() {
        // Exact in bf16, as are their products' sums in f32.
        let exact = |count, seed| -> Vec<f32> {
            numbers(count, seed).iter().map(|x| (x * 8.0).round()).collect()
        };
        let [first, second] = [1, 2].map(|seed| exact(SHAPE[0] * SHAPE[1], seed));
        let number = |matrix: &[f32], row: usize, column: usize| {
            matrix[(ROWS.start + row) * SHAPE[1] + COLUMNS.start + column]
        };
        let (rows, columns) = (ROWS.len(), COLUMNS.len());
        for isa in Isa::available() {
            for compute in [Compute::F32, Compute::Bf16] {
                let [left, right] = [&first, &second].map(|matrix| {
                    let mut made = Activations::default();
                    made.copy((isa, compute), (matrix, SHAPE[1]), Forms::LEFT);
                    made
                });
                let [left, right] = [&left, &right].map(|made| made.window(ROWS).columns(COLUMNS));
                // With the other one's transpose, and some columns with as many of the other one's rows.
                let found = product(isa, left, right, true);
                for (place, found) in found.iter().enumerate() {
                    let (i, j) = (place / rows, place % rows);
                    let sum: f32 =
                        (0..columns).map(|k| number(&first, i, k) * number(&second, j, k)).sum();
                    assert_eq!(found.to_bits(), sum.to_bits(), "{} {compute}", isa.name());
                }
                let narrow = left.columns(0..32);
                let found = product(isa, narrow, right.rows(0..32), false);
                for (place, found) in found.iter().enumerate() {
                    let (i, j) = (place / columns, place % columns);
                    let sum: f32 =
                        (0..32).map(|k| number(&first, i, k) * number(&second, k, j)).sum();
                    assert_eq!(found.to_bits(), sum.to_bits(), "{} {compute}", isa.name());
                }
            }
        }
    }

    #[test]
    fn stacked_windows_are_the_matrix_that_they_are_cut_from() {
        let first = numbers(SHAPE[0] * SHAPE[1], 1);
        let isa = Isa::best();
        for compute in [Compute::F32, Compute::Bf16] {
            let mut made = Activations::default();
            made.copy((isa, compute), (&first, SHAPE[1]), Forms::LEFT);
            let part = made.window(ROWS).columns(COLUMNS);
            let mut stacked = Activations::default();
            // Twice, so that something of another shape was there before.
            stacked.stack(compute, [made.window(0..2), made.window(5..6)]);
            stacked.stack(compute, [part.rows(0..4), part.rows(4..ROWS.len())]);
            let found = stacked.window(0..ROWS.len());
            assert_eq!(found.shape(), part.shape());
            let of = |window| product(isa, window, window, true);
            assert_eq!(of(found), of(part), "{compute}");
        }
    }

    #[test]
    #[should_panic(expected = "within a pair")]
    fn no_window_cuts_a_pair() {
        let mut made = Activations::default();
        made.copy((Isa::best(), Compute::Bf16), (&[0.0; 8], 4), Forms::LEFT);
        made.window(0..2).columns(1..3);
    }
}
