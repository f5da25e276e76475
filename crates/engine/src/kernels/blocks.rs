//! A quantised matrix rearranged so that a thin product reads it from front to back.
//!
//! Each number is the one that [`crate::quant`] makes of the file, to the last bit: `scale q + offset` of a nibble, or
//! `scale q` of a signed byte, with the scale and the offset of its block.

use super::buffer::Buffer;
use super::isa::Isa;
use crate::parallel;
use crate::quant::{Parts, TensorType};

/// Bits of a quantised number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Four, from 0 to 15; a block has an offset.
    Nibbles,
    /// Eight, from -128 to 127; no offset.
    Bytes,
}

impl Width {
    /// Numbers in a word.
    fn in_word(self) -> usize {
        match self {
            Self::Nibbles => 8,
            Self::Bytes => 4,
        }
    }

    /// Rows of words in a block of `block` numbers: scales, offsets, quants.
    fn block_rows(self, block: usize) -> usize {
        match self {
            Self::Nibbles => 2 + block / 8,
            Self::Bytes => 1 + block / 4,
        }
    }
}

/// A `[K, N]` matrix as panels of columns: panel after panel, in each the blocks of `K` one after another.
///
/// A panel is as wide as that of a packed matrix, and the last one as wide as whole vectors need. A block has a row of
/// scales, for nibbles a row of offsets, and rows of words, each with the next 8 nibbles or 4 bytes of its column from the
/// lowest bits up. So a product reads it in one stream, which is what the processor foresees best.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    data: Buffer<u32>,
    rows: usize,
    columns: usize,
    panel: usize,
    lanes: usize,
    block: usize,
    width: Width,
}

impl Blocks {
    /// Packs the transpose of a matrix of `columns` rows in the blocks of `kind`; none where `kind` has no blocks.
    pub(crate) fn transposed(
        isa: Isa,
        kind: TensorType,
        bytes: &[u8],
        columns: usize,
    ) -> Option<Self> {
        let (block, width) = kind.parted()?;
        let file_row = bytes.len() / columns;
        let rows = file_row / kind.block_bytes() * kind.block_len();
        let (panel, lanes) = (isa.panel(), isa.lanes());
        let depth = rows / block * width.block_rows(block);
        let mut data = Buffer::<u32>::zeros(columns.next_multiple_of(lanes) * depth);
        parallel::chunks_mut(&mut data, panel * depth, |index, data| {
            let mut parts = Parts::default();
            let (first, across) = (index * panel, data.len() / depth);
            for column in 0..across.min(columns - first) {
                let row = &bytes[(first + column) * file_row..][..file_row];
                let mut to = data.chunks_exact_mut(width.block_rows(block) * across);
                for bytes in row.chunks_exact(kind.block_bytes()) {
                    parts.read(kind, bytes);
                    for (index, to) in (0..kind.block_len() / block).zip(&mut to) {
                        let numbers = index * block..(index + 1) * block;
                        fill(to, (column, across), width, &parts, numbers);
                    }
                }
            }
        });
        Some(Self { data, rows, columns, panel, lanes, block, width })
    }

    /// `K`.
    pub(super) fn row_count(&self) -> usize {
        self.rows
    }

    /// `N`.
    pub(super) fn column_count(&self) -> usize {
        self.columns
    }

    /// Numbers in a block.
    pub(super) fn block_len(&self) -> usize {
        self.block
    }

    /// Rows of words in a block.
    pub(super) fn block_rows(&self) -> usize {
        self.width.block_rows(self.block)
    }

    /// Bits of a number.
    pub(super) fn width(&self) -> Width {
        self.width
    }

    /// The words of a panel, and the distance from row to row in them.
    pub(super) fn panel(&self, index: usize) -> (&[u32], usize) {
        let depth = self.rows / self.block * self.width.block_rows(self.block);
        let first = index * self.panel;
        let across = self.panel.min((self.columns - first).next_multiple_of(self.lanes));
        (&self.data[first * depth..][..across * depth], across)
    }

    /// Whether `isa` is what it was packed for.
    pub(super) fn is_for(&self, isa: Isa) -> bool {
        self.panel == isa.panel() && self.lanes == isa.lanes()
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.data.size_bytes()
    }
}

/// Writes one block of column `lane` of `lanes` that lie side by side.
fn fill(
    to: &mut [u32],
    (lane, lanes): (usize, usize),
    width: Width,
    parts: &Parts,
    numbers: std::ops::Range<usize>,
) {
    let block = numbers.start / numbers.len();
    to[lane] = parts.scales[block].to_bits();
    let words = match width {
        Width::Nibbles => {
            to[lanes + lane] = parts.offsets[block].to_bits();
            &mut to[2 * lanes..]
        }
        Width::Bytes => &mut to[lanes..],
    };
    let bits = 32 / width.in_word();
    let quants = parts.quants[numbers].chunks_exact(width.in_word());
    for (quants, words) in quants.zip(words.chunks_exact_mut(lanes)) {
        let word = quants.iter().rev().fold(0, |word, quant| word << bits | u32::from(*quant));
        words[lane] = word;
    }
}
