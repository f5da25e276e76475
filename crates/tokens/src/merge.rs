//! Byte-pair merging of one piece: as long as two neighbours make a token, those of the lowest rank become it.
//!
//! Among equal ranks the leftmost goes first. Three ways lead to the same tokens: [`short_count`] looks through all
//! neighbours for every merge, [`long::Merger`] keeps them in a heap, and [`long::Merger::count`] goes through a very
//! long piece in windows.

pub(crate) mod long;

use crate::layout::NO_TOKEN;
use crate::vocabulary::Vocabulary;

/// Pieces of up to this many bytes are merged without a heap, and remembered in a [`crate::cache::Cache`].
pub(crate) const SHORT: usize = 62;

/// The number of tokens of `piece`, which has 1 to [`SHORT`] bytes.
pub(crate) fn short_count(vocabulary: &Vocabulary, piece: &[u8]) -> usize {
    let mut tokens = [NO_TOKEN; SHORT];
    // What each token and the one behind it become.
    let mut merged = [NO_TOKEN; SHORT];
    let mut length = piece.len();
    for (token, &byte) in tokens.iter_mut().zip(piece) {
        *token = vocabulary.byte(byte);
    }
    for (merge, two) in merged.iter_mut().zip(piece.windows(2)) {
        *merge = vocabulary.start(two[0], two[1]);
    }
    while let Some(at) = leftmost_lowest(&merged[..length - 1]) {
        tokens[at] = merged[at];
        tokens.copy_within(at + 2..length, at + 1);
        merged.copy_within(at + 1..length, at);
        length -= 1;
        merged[at] =
            if at + 1 < length { vocabulary.merged(tokens[at], tokens[at + 1]) } else { NO_TOKEN };
        if at > 0 {
            merged[at - 1] = vocabulary.merged(tokens[at - 1], tokens[at]);
        }
    }
    length
}

fn leftmost_lowest(merged: &[u32]) -> Option<usize> {
    let (mut lowest, mut place) = (NO_TOKEN, None);
    for (at, &merge) in merged.iter().enumerate() {
        if merge < lowest {
            (lowest, place) = (merge, Some(at));
        }
    }
    place
}
