//! A matrix as its file keeps it.

use crate::quant::{TensorType, dequantise};

/// A quantised matrix in memory: rows of whole blocks, in the order in which they are used.
#[derive(Debug)]
pub(crate) struct Stored {
    kind: TensorType,
    bytes: Vec<u8>,
    rows: usize,
}

impl Stored {
    /// From `rows` rows of whole blocks.
    pub(crate) fn new(kind: TensorType, bytes: Vec<u8>, rows: usize) -> Self {
        debug_assert!(
            bytes.len().is_multiple_of(rows * kind.block_bytes()),
            "rows of whole blocks"
        );
        Self { kind, bytes, rows }
    }

    /// Its rows.
    pub(crate) fn row_count(&self) -> usize {
        self.rows
    }

    /// All numbers, row-major.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        dequantise(self.kind, &self.bytes)
    }

    /// The numbers of one row.
    pub(crate) fn row(&self, index: usize) -> Vec<f32> {
        let size = self.bytes.len() / self.rows;
        dequantise(self.kind, &self.bytes[index * size..(index + 1) * size])
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}
