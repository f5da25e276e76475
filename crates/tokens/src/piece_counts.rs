//! Remembered counts for vocabularies that are not this crate's.

use crate::cache::{Cache, PHRASE, WORD};

/// Remembers how many tokens pieces of text have, whoever counted them.
///
/// A piece is compared as a whole, so a remembered count is never that of another piece. One vocabulary's pieces only
/// may be asked for. The memory is 6 MiB, of which only the part in use is taken, and does not grow; pieces of more
/// than 62 bytes are counted each time.
///
/// # Examples
///
/// ```
/// let mut counts = tokens::PieceCounts::new();
/// let mut asked = 0;
/// let mut tokenizer = |piece: &str| {
///     asked += 1;
///     piece.len().div_ceil(4)
/// };
/// assert_eq!(counts.total(&mut ["fever", " and", "fever"].into_iter(), &mut tokenizer), 5);
/// assert_eq!(counts.count("fever", &mut tokenizer), 2);
/// // The word was counted once, and remembered twice.
/// assert_eq!(asked, 2);
/// ```
#[derive(Debug)]
pub struct PieceCounts {
    cache: Cache,
}

impl PieceCounts {
    /// Nothing is remembered yet.
    pub fn new() -> Self {
        Self { cache: Cache::new() }
    }

    /// The sum of the counts of `pieces`, each of which `count` finds unless it is remembered.
    pub fn total<'t>(
        &mut self,
        pieces: &mut dyn Iterator<Item = &'t str>,
        count: &mut dyn FnMut(&str) -> usize,
    ) -> usize {
        pieces.map(|piece| self.count(piece, count)).sum()
    }

    /// The count of `piece`, which `count` finds unless it is remembered.
    pub fn count(&mut self, piece: &str, count: &mut dyn FnMut(&str) -> usize) -> usize {
        let mut count = || count(piece);
        match piece.len() {
            length @ 1..=WORD => self.cache.word(piece.as_bytes(), 0, length, count),
            length if (WORD..=PHRASE).contains(&length) => {
                self.cache.phrase(piece.as_bytes(), count)
            }
            _ => count(),
        }
    }
}

impl Default for PieceCounts {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A count that tells pieces of equal length apart, and is often beyond what has room.
    fn odd_count(piece: &str) -> usize {
        piece.bytes().fold(piece.len(), |sum, byte| (sum * 31 + usize::from(byte)) % 600)
    }

    proptest! {
        #[test]
        fn a_remembered_count_is_the_pieces_own(
            pieces in prop::collection::vec("[ab\\PC]{0,3}|\\PC{0,30}|[ab]{10,80}", 0..100),
        ) {
            let mut counts = PieceCounts::new();
            for piece in pieces.iter().chain(&pieces) {
                prop_assert_eq!(counts.count(piece, &mut odd_count), odd_count(piece));
            }
        }
    }

    #[test]
    fn a_piece_that_comes_again_is_not_counted_again() {
        let mut counts = PieceCounts::new();
        for piece in ["a", "fifteen letters", "sixteen letters.", &"x".repeat(62)] {
            assert_eq!(counts.count(piece, &mut |_| 7), 7);
            assert_eq!(counts.count(piece, &mut |_| unreachable!("it is remembered")), 7);
        }
        assert_eq!(counts.count(&"x".repeat(63), &mut |_| 1), 1);
        assert_eq!(counts.count(&"x".repeat(63), &mut |_| 2), 2);
    }
}
