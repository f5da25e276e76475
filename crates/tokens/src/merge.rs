//! Byte-pair merging of one piece: as long as two neighbours make a token, those of the lowest rank become it.
//!
//! Among equal ranks the leftmost goes first.
//!
//! A row of tokens is the merging of its bytes if and only if each two neighbours are the merging of theirs. (In the
//! merging of the whole, look at the first merge across a border of the row. Until then every token of the row was
//! merged as if alone, so the two tokens at this border, merged for themselves, would come to the same merge.) This
//! allows two short cuts, since [`Vocabulary::stay_apart`] tries a border in a few steps: a piece may be merged from
//! characters instead of bytes, and a long one window by window.

mod heap;
mod row;

use crate::vocabulary::Vocabulary;

use heap::Heap;
use row::Row;

/// Windows of up to this many bytes are merged without a heap.
const SMALL: usize = 192;
/// Bytes that are merged together, where a character has more than one: few enough for a row.
const WIDE_WINDOW: Window = Window { size: SMALL, unsettled: 40 };
/// Bytes that are merged together in ASCII, where tokens of 128 bytes exist.
const ASCII_WINDOW: Window = Window { size: 1024, unsettled: 192 };
/// When the windows together come to this many times the piece, it is merged in one go.
const PATIENCE: usize = 8;

/// How a long piece is cut.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Bytes that are merged together at first.
    size: usize,
    /// A token that ends this close to the end of a window may be another one once more of the piece is seen. This is
    /// only a good guess: what makes it right is the trial of every border.
    unsettled: usize,
}

/// Merges pieces, and keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    row: Row,
    heap: Heap,
    /// The tokens of the piece before the window.
    settled: Vec<u32>,
}

impl Merger {
    /// The number of tokens of `piece`, which has at least one byte.
    pub(crate) fn count(&mut self, vocabulary: &Vocabulary, piece: &[u8]) -> usize {
        if piece.len() <= SMALL {
            self.row.merge(vocabulary, piece).len()
        } else {
            self.long_count(vocabulary, piece).0
        }
    }

    /// The number of tokens of `piece`, and the bytes of all windows together.
    fn long_count(&mut self, vocabulary: &Vocabulary, piece: &[u8]) -> (usize, usize) {
        let Self { row, heap, settled } = self;
        settled.clear();
        let shape = if piece.is_ascii() { ASCII_WINDOW } else { WIDE_WINDOW };
        let (mut start, mut size, mut retreat, mut spent) = (0, shape.size, 1, 0);
        loop {
            let end = piece.len().min(start + size);
            let window = &piece[start..end];
            spent += window.len();
            let fresh = if size <= SMALL {
                row.merge(vocabulary, window)
            } else {
                heap.merge(vocabulary, window)
            };
            if settled.last().is_none_or(|&last| vocabulary.stay_apart(last, fresh[0])) {
                if end == piece.len() {
                    return (settled.len() + fresh.len(), spent);
                }
                // At least one token is settled, so that there is progress.
                for (index, &token) in fresh.iter().enumerate() {
                    let token_end = start + vocabulary.length(token);
                    if index > 0 && token_end > end - shape.unsettled {
                        break;
                    }
                    settled.push(token);
                    start = token_end;
                }
                (size, retreat) = (shape.size, 1);
            } else if spent > PATIENCE * piece.len() {
                settled.clear();
                (start, size) = (0, piece.len());
            } else {
                // The tokens before the border were not settled after all: a larger window takes some of them back.
                let back = settled.len().saturating_sub(retreat);
                start -= settled.drain(back..).map(|token| vocabulary.length(token)).sum::<usize>();
                (size, retreat) = (size * 2, retreat * 2);
            }
        }
    }
}

#[cfg(test)]
mod tests;
