//! A matrix rearranged so that a product reads it from front to back.

use super::buffer::Buffer;
use super::isa::Isa;
use crate::parallel;

/// A `[K, N]` matrix as panels of columns: panel after panel, in each the rows one after another.
///
/// A full panel has `panel` columns (the instruction set's width); the last has what is left, filled with zeros to a
/// whole number of vectors.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    data: Buffer,
    rows: usize,
    columns: usize,
    panel: usize,
    lanes: usize,
}

impl Packed {
    /// Packs `matrix`, row-major `[K, N]` with `columns` = N.
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
        [rows, columns]: [usize; 2],
        strides: [usize; 2],
    ) -> Self {
        let (panel, lanes) = (isa.panel(), isa.lanes());
        let padded = columns.next_multiple_of(lanes);
        let mut packed = Self { data: Buffer::zeros(rows * padded), rows, columns, panel, lanes };
        packed.fill(matrix, strides);
        packed
    }

    /// Packs other numbers of the same shape into the same memory.
    pub(crate) fn fill(&mut self, matrix: &[f32], strides: [usize; 2]) {
        let (rows, columns, panel) = (self.rows, self.columns, self.panel);
        if rows * columns == 0 {
            return;
        }
        assert!(
            (rows - 1) * strides[0] + (columns - 1) * strides[1] < matrix.len(),
            "matrix too short"
        );
        parallel::chunks_mut(&mut self.data, panel * rows, |index, part| {
            let first = index * panel;
            let used = panel.min(columns - first);
            let width = part.len() / rows;
            // The reads go along whichever stride is 1, in blocks that stay in the cache.
            for block in (0..rows).step_by(16) {
                for column in 0..used {
                    for row in block..rows.min(block + 16) {
                        part[row * width + column] =
                            matrix[row * strides[0] + (first + column) * strides[1]];
                    }
                }
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

    /// The packed transpose: `[N, K]`.
    pub(crate) fn transpose(&self, isa: Isa) -> Self {
        let mut plain = vec![0.0; self.rows * self.columns];
        parallel::chunks_mut(&mut plain, self.rows.max(1), |column, out| {
            self.column(column, out);
        });
        Self::rows(isa, &plain, self.rows)
    }

    /// Column `column`, unpacked into `out` (`[K]`).
    pub(crate) fn column(&self, column: usize, out: &mut [f32]) {
        assert!(column < self.columns, "column outside the matrix");
        let (panel, width) = self.panel(column / self.panel);
        for (row, out) in out.iter_mut().enumerate() {
            *out = panel[row * width + column % self.panel];
        }
    }

    /// A panel's numbers and the distance from row to row in them.
    pub(super) fn panel(&self, index: usize) -> (&[f32], usize) {
        let first = index * self.panel;
        let width = self.panel.min((self.columns - first).next_multiple_of(self.lanes));
        (&self.data[first * self.rows..][..width * self.rows], width)
    }

    /// Whether `isa` is what it was packed for.
    pub(super) fn is_for(&self, isa: Isa) -> bool {
        self.panel == isa.panel() && self.lanes == isa.lanes()
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.data.len() * size_of::<f32>()
    }
}
