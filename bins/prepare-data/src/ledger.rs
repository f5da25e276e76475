//! What is known of each kept record beside its text.

use std::io;
use std::path::Path;

use dataset::{Column, ContentHash};

use crate::tally::ExampleTokens;

/// The kept records, 44 bytes each, of which memory holds a few.
#[derive(Debug)]
pub(crate) struct Ledger(Column<ROW>);

/// The bytes of a row: name, input, index and four counts.
const ROW: usize = 16 + 4 + 8 + 4 * 4;

/// A kept record: what it says by name, where it is from, and its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) content: ContentHash,
    pub(crate) input: u32,
    pub(crate) index: u64,
    pub(crate) tokens: ExampleTokens,
}

impl Ledger {
    /// An empty one, whose temporary file is made in `folder` once there are many records.
    pub(crate) fn new_in(folder: &Path) -> Self {
        Self(Column::new_in(folder))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, kept: &Kept) -> io::Result<()> {
        self.0.push(kept.to_row())
    }

    pub(crate) fn kept(&self, number: usize) -> io::Result<Kept> {
        self.0.row(number).map(Kept::from_row)
    }

    /// All of them, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = io::Result<Kept>> {
        self.0.rows().map(|row| row.map(Kept::from_row))
    }
}

impl Kept {
    fn to_row(self) -> [u8; ROW] {
        let Self { content, input, index, tokens } = self;
        let mut row = [0; ROW];
        row[..16].copy_from_slice(&content.to_bytes());
        row[16..20].copy_from_slice(&input.to_le_bytes());
        row[20..28].copy_from_slice(&index.to_le_bytes());
        for (bytes, count) in row[28..].chunks_exact_mut(4).zip(tokens.0) {
            bytes.copy_from_slice(&count.to_le_bytes());
        }
        row
    }

    fn from_row(row: [u8; ROW]) -> Self {
        let number = |at: usize| u32::from_le_bytes(part(&row, at));
        Self {
            content: ContentHash::from_bytes(part(&row, 0)),
            input: number(16),
            index: u64::from_le_bytes(part(&row, 20)),
            tokens: ExampleTokens([28, 32, 36, 40].map(number)),
        }
    }
}

fn part<const N: usize>(row: &[u8; ROW], at: usize) -> [u8; N] {
    std::array::from_fn(|index| row[at + index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let kept = Kept {
            content: ContentHash::from_bytes(*b"sixteen bytes ok"),
            input: 7,
            index: u64::MAX - 5,
            tokens: ExampleTokens([1, 200, 70_000, u32::MAX]),
        };
        assert_eq!(Kept::from_row(kept.to_row()), kept);
    }
}
