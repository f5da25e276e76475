//! Some rows and columns of activations: the heads of a projection, which are operands of their own.

use std::ops::Range;

use super::Activations;
use crate::kernels::Compute;
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
