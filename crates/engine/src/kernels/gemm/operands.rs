//! What a product reads and where its sum goes.

use std::ops::Range;

use crate::kernels::Compute;
use crate::kernels::packed::{Packed, Words};

/// The left operand, `[M, K]`: the number, or the pair of bf16, at (m, k) is `data[m * row + k * column]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(super) data: Words<'a>,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<'a> Left<'a> {
    /// A row-major matrix whose rows are `stride` apart.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data: Words::F32(data), row: stride, column: 1 }
    }

    /// The transpose of a row-major matrix whose rows are `stride` apart.
    pub(crate) fn transposed(data: &'a [f32], stride: usize) -> Self {
        Self { data: Words::F32(data), row: 1, column: stride }
    }

    /// As [`Left::rows`], of pairs of bf16 along the rows.
    pub(crate) fn rows_of_pairs(words: &'a [u32], stride: usize) -> Self {
        Self { data: Words::Bf16(words), row: stride, column: 1 }
    }

    /// As [`Left::transposed`], of pairs of bf16 along the columns.
    pub(crate) fn transposed_pairs(words: &'a [u32], stride: usize) -> Self {
        Self { data: Words::Bf16(words), row: 1, column: stride }
    }
}

/// The right operand, `[K, N]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(super) storage: Storage<'a>,
    /// The row that its depth begins with; of a packed matrix.
    pub(super) first: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
}

/// How the right operand lies in memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Storage<'a> {
    Packed(&'a Packed),
    Rows {
        data: &'a [f32],
        stride: usize,
    },
    /// Pairs of bf16 along the depth, whose rows reach to whole vectors.
    Pairs {
        words: &'a [u32],
        stride: usize,
    },
}

impl<'a> Right<'a> {
    /// All of a packed matrix.
    pub(crate) fn packed(matrix: &'a Packed) -> Self {
        Self {
            storage: Storage::Packed(matrix),
            first: 0,
            depth: matrix.row_count(),
            columns: matrix.column_count(),
        }
    }

    /// A row-major matrix as it lies: `depth` rows of `columns` numbers.
    pub(crate) fn rows(data: &'a [f32], depth: usize, columns: usize) -> Self {
        Self { storage: Storage::Rows { data, stride: columns }, first: 0, depth, columns }
    }

    /// A matrix `[depth, columns]` as rows of pairs of bf16 along the depth, `stride` apart and filled up to whole vectors.
    pub(crate) fn pairs(words: &'a [u32], stride: usize, [depth, columns]: [usize; 2]) -> Self {
        Self { storage: Storage::Pairs { words, stride }, first: 0, depth, columns }
    }

    /// Only the given rows of a packed matrix; in bf16 they begin with an even one.
    pub(crate) fn packed_rows(matrix: &'a Packed, rows: Range<usize>) -> Self {
        Self { first: rows.start, depth: rows.len(), ..Self::packed(matrix) }
    }

    /// Only the first `columns` columns.
    pub(crate) fn first_columns(self, columns: usize) -> Self {
        Self { columns: columns.min(self.columns), ..self }
    }

    /// The first row of panel `index`, which begins at column `first`, and the distance from row to row.
    pub(super) fn panel(&self, index: usize, first: usize) -> (Words<'a>, usize) {
        match self.storage {
            Storage::Packed(matrix) => match matrix.panel(index) {
                (Words::F32(panel), stride) => (Words::F32(&panel[self.first * stride..]), stride),
                (Words::Bf16(panel), stride) => {
                    (Words::Bf16(&panel[self.first / 2 * stride..]), stride)
                }
            },
            Storage::Rows { data, stride } => (Words::F32(&data[first..]), stride),
            Storage::Pairs { words, stride } => (Words::Bf16(&words[first..]), stride),
        }
    }

    /// What computes with it.
    pub(super) fn compute(&self) -> Compute {
        match self.storage {
            Storage::Packed(matrix) => matrix.compute(),
            Storage::Rows { .. } => Compute::F32,
            Storage::Pairs { .. } => Compute::Bf16,
        }
    }
}

/// One product of the sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term<'a> {
    /// `A`.
    pub(crate) left: Left<'a>,
    /// `B`.
    pub(crate) right: Right<'a>,
}

/// A sum of products, and what else it is added to: as many numbers as the sum has, row-major.
#[derive(Debug, Clone)]
pub(crate) struct Sum<'a> {
    /// At most six.
    pub(crate) terms: Vec<Term<'a>>,
    /// `[M, N]`.
    pub(crate) base: Option<&'a [f32]>,
}

/// Where a block lies in a matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// From an even one on.
    pub(crate) rows: Range<usize>,
    /// From an even one on.
    pub(crate) columns: Range<usize>,
}

impl Place {
    /// The place of its first number in a matrix whose rows are `stride` apart.
    pub(crate) fn start(&self, stride: usize) -> usize {
        self.rows.start * stride + self.columns.start
    }
}

/// Where the sum goes: `[M, N]`, row-major.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// The first number of `C`.
    pub(crate) data: &'a mut [f32],
    /// The distance from row to row.
    pub(crate) stride: usize,
    /// What the sum is multiplied by.
    pub(crate) scale: f32,
    /// Whether the sum is added to what is there.
    pub(crate) accumulate: bool,
    /// What else the sum is added to, as `data` lies.
    pub(crate) base: Option<&'a [f32]>,
}

impl<'a> Output<'a> {
    /// Overwrites `data`, whose rows are `stride` apart.
    pub(crate) fn to(data: &'a mut [f32], stride: usize) -> Self {
        Self { data, stride, scale: 1.0, accumulate: false, base: None }
    }

    /// Adds to `data`, whose rows are `stride` apart.
    pub(crate) fn add(data: &'a mut [f32], stride: usize) -> Self {
        Self { data, stride, scale: 1.0, accumulate: true, base: None }
    }

    /// Overwrites `data` with `base` and the sum; the rows of both are `stride` apart.
    pub(crate) fn onto(data: &'a mut [f32], base: &'a [f32], stride: usize) -> Self {
        Self { base: Some(base), ..Self::to(data, stride) }
    }

    /// With the sum multiplied by `scale`.
    pub(crate) fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }
}
