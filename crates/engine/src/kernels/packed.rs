//! A matrix rearranged so that a product reads it from front to back.

use super::Compute;
use super::activations::Window;
use super::bf16::{Columns, halves};
use super::buffer::Buffer;
use super::isa::Isa;
use super::turn::{Interleave, Matrix, Turn, TurnPairs, TurnToPairs};
use crate::parallel;

/// A `[K, N]` matrix as panels of columns: panel after panel, in each the rows one after another.
///
/// A full panel has `panel` columns (the instruction set's width); the last has what is left, filled with zeros to a
/// whole number of vectors. In bf16 a panel's row is two rows of the matrix, number beside number in 32-bit words, and
/// an odd last row stands beside zeros.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    data: Data,
    rows: usize,
    columns: usize,
    /// Columns to a whole number of vectors.
    padded: usize,
    isa: Isa,
    panel: usize,
    lanes: usize,
}

/// The panels.
#[derive(Debug, Clone)]
enum Data {
    F32(Buffer),
    Bf16(Buffer<u32>),
}

impl Default for Data {
    fn default() -> Self {
        Self::F32(Buffer::default())
    }
}

/// An operand's numbers, or its pairs of bf16.
#[derive(Debug, Clone, Copy)]
pub(super) enum Words<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u32]),
}

impl Words<'_> {
    /// Those from a word on.
    pub(super) fn from(self, first: usize) -> Self {
        match self {
            Self::F32(numbers) => Self::F32(&numbers[first..]),
            Self::Bf16(pairs) => Self::Bf16(&pairs[first..]),
        }
    }
}

impl Default for Packed {
    /// A matrix of nothing, to be reshaped.
    fn default() -> Self {
        let data = Data::default();
        Self { data, rows: 0, columns: 0, padded: 0, isa: Isa::plain(), panel: 1, lanes: 1 }
    }
}

impl Packed {
    /// Packs `matrix`, row-major `[K, N]` with `columns` = N.
    #[cfg(test)]
    pub(crate) fn rows(isa: Isa, matrix: &[f32], columns: usize) -> Self {
        Self::strided(isa, matrix, [matrix.len() / columns, columns], [columns, 1])
    }

    /// Packs the transpose of `matrix`, which is row-major `[N, K]` with `rows` = K.
    pub(crate) fn transposed(isa: Isa, matrix: &[f32], rows: usize) -> Self {
        Self::strided(isa, matrix, [rows, matrix.len() / rows], [1, rows])
    }

    /// Packs the matrix of `[K, N]` whose number at (k, n) is `matrix[k * strides[0] + n * strides[1]]`.
    pub(crate) fn strided(
        isa: Isa,
        matrix: &[f32],
        shape: [usize; 2],
        strides: [usize; 2],
    ) -> Self {
        let mut packed = Self::zeros(isa, Compute::F32, shape);
        packed.fill(matrix, strides);
        packed
    }

    /// A matrix of `[K, N]` zeros, kept as `compute` reads it.
    pub(crate) fn zeros(isa: Isa, compute: Compute, shape: [usize; 2]) -> Self {
        let mut packed = Self::default();
        packed.reshape(isa, compute, shape);
        packed
    }

    /// Takes another shape and type in the memory that is here; what it holds then is unspecified, but for zeros
    /// beside the last columns.
    pub(crate) fn reshape(&mut self, isa: Isa, compute: Compute, shape: [usize; 2]) {
        (self.isa, self.panel, self.lanes) = (isa, isa.panel(), isa.lanes());
        self.lay_out(compute, shape);
    }

    fn lay_out(&mut self, compute: Compute, [rows, columns]: [usize; 2]) {
        let (panel, lanes) = (self.panel, self.lanes);
        let padded = columns.next_multiple_of(lanes);
        match (&mut self.data, compute) {
            (Data::F32(data), Compute::F32) => data.resize(rows * padded),
            (Data::Bf16(data), Compute::Bf16) => data.resize(rows.div_ceil(2) * padded),
            (data, Compute::F32) => *data = Data::F32(Buffer::zeros(rows * padded)),
            (data, Compute::Bf16) => *data = Data::Bf16(Buffer::zeros(rows.div_ceil(2) * padded)),
        }
        if !columns.is_multiple_of(lanes) {
            let from = columns / panel * panel;
            match &mut self.data {
                Data::F32(data) => data[from * rows..].fill(0.0),
                Data::Bf16(data) => data[from * rows.div_ceil(2)..].fill(0),
            }
        }
        (self.rows, self.columns, self.padded) = (rows, columns, padded);
    }

    /// Packs other numbers of the same shape into the same memory; one of the strides is 1.
    pub(crate) fn fill(&mut self, matrix: &[f32], [down, across]: [usize; 2]) {
        let (isa, rows, columns, panel) = (self.isa, self.rows, self.columns, self.panel);
        if rows * columns == 0 {
            return;
        }
        assert!((rows - 1) * down + (columns - 1) * across < matrix.len(), "matrix too short");
        assert!(down == 1 || across == 1, "neither rows nor columns are whole");
        match &mut self.data {
            Data::F32(data) => parallel::chunks_mut(data, panel * rows, |index, part| {
                let (first, width) = (index * panel, part.len() / rows);
                let used = panel.min(columns - first);
                if across == 1 {
                    for (row, to) in part.chunks_exact_mut(width).enumerate() {
                        to[..used].copy_from_slice(&matrix[row * down + first..][..used]);
                    }
                } else {
                    let shape = [used, rows];
                    let from = Matrix { data: &matrix[first * across..], stride: across, shape };
                    isa.run(Turn { from, to: part, width });
                }
            }),
            Data::Bf16(data) => {
                let words = rows.div_ceil(2);
                parallel::chunks_mut(data, panel * words, |index, part| {
                    let (first, width) = (index * panel, part.len() / words);
                    let count = panel.min(columns - first);
                    if across == 1 {
                        let (from, depth, to) = (&matrix[first..], rows, part);
                        isa.run(Columns { from, stride: down, depth, width, count, to });
                    } else {
                        let (data, shape) = (&matrix[first * across..], [count, rows]);
                        let from = Matrix { data, stride: across, shape };
                        isa.run(TurnToPairs { from, to: part, width });
                    }
                });
            }
        }
    }

    /// Becomes a window, `[K, N]`, or its transpose, `[N, K]`, in the memory that is here.
    pub(crate) fn become_window(&mut self, isa: Isa, window: Window<'_>, transposed: bool) {
        let [rows, columns] = window.shape();
        let shape = if transposed { [columns, rows] } else { [rows, columns] };
        let (words, stride) = window.words();
        let strides = if transposed { [1, stride] } else { [stride, 1] };
        match words {
            Words::F32(numbers) => {
                self.reshape(isa, Compute::F32, shape);
                self.fill(numbers, strides);
            }
            Words::Bf16(pairs) => {
                self.reshape(isa, Compute::Bf16, shape);
                self.fill_pairs((pairs, stride), transposed);
            }
        }
    }

    /// Packs rows of pairs that are `stride` apart, or the transpose of their numbers, into the same memory.
    fn fill_pairs(&mut self, (pairs, stride): (&[u32], usize), transposed: bool) {
        let (isa, rows, columns, panel) = (self.isa, self.rows, self.columns, self.panel);
        let words = rows.div_ceil(2);
        let Data::Bf16(data) = &mut self.data else { return };
        if words * columns == 0 {
            return;
        }
        parallel::chunks_mut(data, panel * words, |index, to| {
            let (first, width) = (index * panel, to.len() / words);
            let count = panel.min(columns - first);
            if transposed {
                let (data, shape) = (&pairs[first * stride..], [count, words]);
                isa.run(Turn { from: Matrix { data, stride, shape }, to, width });
            } else {
                let (data, shape) = (&pairs[first / 2..], [rows, count.div_ceil(2)]);
                isa.run(Interleave { from: Matrix { data, stride, shape }, to, width });
            }
        });
    }

    /// `K`.
    pub(crate) fn row_count(&self) -> usize {
        self.rows
    }

    /// `N`.
    pub(crate) fn column_count(&self) -> usize {
        self.columns
    }

    /// What computes with it.
    pub(crate) fn compute(&self) -> Compute {
        match self.data {
            Data::F32(_) => Compute::F32,
            Data::Bf16(_) => Compute::Bf16,
        }
    }

    /// The packed transpose: `[N, K]`.
    pub(crate) fn transpose(&self) -> Self {
        let mut transpose = Self::default();
        transpose.become_transpose(self);
        transpose
    }

    /// Becomes the packed transpose of `matrix`, `[N, K]` of its `[K, N]`, in the memory that is here.
    ///
    /// The numbers move in blocks of a panel by a panel, which lie together on both sides.
    pub(crate) fn become_transpose(&mut self, matrix: &Self) {
        let shape = [matrix.columns, matrix.rows];
        (self.isa, self.panel, self.lanes) = (matrix.isa, matrix.panel, matrix.lanes);
        self.lay_out(matrix.compute(), shape);
        let (isa, rows, columns, panel) = (self.isa, self.rows, self.columns, self.panel);
        match &mut self.data {
            Data::F32(data) => parallel::chunks_mut(data, panel * rows, |index, part| {
                let (first, width) = (index * panel, part.len() / rows);
                let used = panel.min(columns - first);
                for (source, to) in part.chunks_mut(panel * width).enumerate() {
                    let (Words::F32(from), stride) = matrix.panel(source) else { continue };
                    let (data, shape) = (&from[first * stride..], [used, to.len() / width]);
                    isa.run(Turn { from: Matrix { data, stride, shape }, to, width });
                }
            }),
            Data::Bf16(data) => {
                let words = rows.div_ceil(2);
                parallel::chunks_mut(data, panel * words, |index, part| {
                    let (first, width) = (index * panel, part.len() / words);
                    let used = panel.min(columns - first).div_ceil(2);
                    for (source, to) in part.chunks_mut(panel / 2 * width).enumerate() {
                        let (Words::Bf16(from), stride) = matrix.panel(source) else { continue };
                        let count = panel.min(rows - source * panel);
                        let (data, shape) = (&from[first / 2 * stride..], [used, count]);
                        let next = if (source + 1) * panel < rows {
                            matrix.panel(source + 1)
                        } else {
                            (Words::Bf16(&[]), 0)
                        };
                        let (Words::Bf16(next), beside) = next else { continue };
                        let next = &next[first / 2 * beside..][..used * beside];
                        let from = Matrix { data, stride, shape };
                        isa.run(TurnPairs { from, to, width, next });
                    }
                });
            }
        }
    }

    /// Column `column`, unpacked into `out` (`[K]`).
    pub(crate) fn column(&self, column: usize, out: &mut [f32]) {
        assert!(column < self.columns, "column outside the matrix");
        let (panel, width) = self.panel(column / self.panel);
        let column = column % self.panel;
        match panel {
            Words::F32(panel) => {
                for (row, out) in out.iter_mut().enumerate() {
                    *out = panel[row * width + column];
                }
            }
            Words::Bf16(panel) => {
                for (row, out) in out.iter_mut().enumerate() {
                    *out = halves(panel[row / 2 * width + column])[row % 2];
                }
            }
        }
    }

    /// A panel's numbers and the distance from row to row in them; every tile asks for it.
    #[inline(always)]
    pub(super) fn panel(&self, index: usize) -> (Words<'_>, usize) {
        let first = index * self.panel;
        let width = self.panel.min(self.padded - first);
        let panel = match &self.data {
            Data::F32(data) => Words::F32(&data[first * self.rows..][..width * self.rows]),
            Data::Bf16(data) => {
                let words = self.rows.div_ceil(2);
                Words::Bf16(&data[first * words..][..width * words])
            }
        };
        (panel, width)
    }

    /// Whether `isa` is what it was packed for.
    pub(super) fn is_for(&self, isa: Isa) -> bool {
        self.panel == isa.panel() && self.lanes == isa.lanes()
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.data {
            Data::F32(data) => data.size_bytes(),
            Data::Bf16(data) => data.size_bytes(),
        }
    }
}
