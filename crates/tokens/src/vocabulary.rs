//! The merge tables that the build script made of `tiktoken-rs`'s vocabularies, read where they lie in the program.

use std::fmt;

use crate::layout::{FREE, NO_TOKEN, TOKEN_BITS, first_slot, merge_key};

/// The merges of one encoding.
pub(crate) struct Vocabulary {
    /// For each byte, its token.
    bytes: &'static [u8; 256],
    /// For each two bytes, their token or [`NO_TOKEN`].
    starts: &'static [[u8; 4]],
    /// For each code point of the basic plane, its token or [`NO_TOKEN`].
    characters: &'static [[u8; 4]],
    /// For each token the two whose merge makes it, one behind the other.
    splits: &'static [[u8; 4]],
    /// For each token its length in bytes.
    lengths: &'static [u8],
    /// For each two bytes a bit: whether a border between them can lie within a token of broken characters.
    borders: &'static [u8; (1 << 16) / 8],
    /// The slots of the hash table of merges, as many as a power of two.
    merges: &'static [[u8; 8]],
}

/// The tables that the build script wrote under a name.
macro_rules! vocabulary {
    ($name:literal) => {
        Vocabulary {
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bytes")),
            starts: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".starts")).as_chunks().0,
            characters: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".characters"))
                .as_chunks()
                .0,
            splits: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".splits")).as_chunks().0,
            lengths: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".lengths")),
            borders: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".borders")),
            merges: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".merges")).as_chunks().0,
        }
    };
}

/// The merges of `cl100k_base`.
pub(crate) static CL100K: Vocabulary = vocabulary!("cl100k");

/// The merges of `o200k_base`.
pub(crate) static O200K: Vocabulary = vocabulary!("o200k");

impl Vocabulary {
    /// The token of one byte.
    #[inline]
    pub(crate) fn byte(&self, byte: u8) -> u32 {
        u32::from(self.bytes[usize::from(byte)])
    }

    /// The token of two bytes, or [`NO_TOKEN`].
    #[inline]
    pub(crate) fn start(&self, first: u8, second: u8) -> u32 {
        u32::from_le_bytes(self.starts[usize::from(u16::from_le_bytes([first, second]))])
    }

    /// The token of a character, or [`NO_TOKEN`].
    #[inline]
    pub(crate) fn character(&self, code_point: usize) -> u32 {
        self.characters.get(code_point).map_or(NO_TOKEN, |&token| u32::from_le_bytes(token))
    }

    /// The token that `left` and `right` become side by side, or [`NO_TOKEN`].
    #[inline]
    pub(crate) fn merged(&self, left: u32, right: u32) -> u32 {
        let key = merge_key(left, right);
        let mut place = first_slot(key, self.merges.len().trailing_zeros());
        loop {
            let slot = u64::from_le_bytes(self.merges[place & (self.merges.len() - 1)]);
            if slot >> TOKEN_BITS == key {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "masked to the bits of a token"
                )]
                return slot as u32 & NO_TOKEN;
            }
            if slot == FREE {
                return NO_TOKEN;
            }
            place += 1;
        }
    }

    /// Whether a token can reach over the border between two bytes and not consist of whole characters.
    #[inline]
    pub(crate) fn breaks_characters(&self, before: u8, after: u8) -> bool {
        let bit = usize::from(u16::from_be_bytes([before, after]));
        self.borders[bit / 8] & (1 << (bit % 8)) != 0
    }

    /// Whether the bytes of `left` and `right`, merged together, become these two tokens again.
    ///
    /// The last merges inside the two are undone step by step; before each of them a merge across their border must not
    /// have been due.
    pub(crate) fn stay_apart(&self, mut left: u32, mut right: u32) -> bool {
        let mut limit = NO_TOKEN;
        loop {
            if self.merged(left, right) < limit {
                return false;
            }
            if u8::try_from(left.max(right)).is_ok() {
                // Single bytes: nothing is left to undo.
                return true;
            }
            // The merge of the higher rank came last; of two equal ones the right one, before which a merge across the
            // border, being further left, would even have gone at the same rank.
            if left > right {
                limit = left;
                left = self.split(left).1;
            } else {
                limit = right + 1;
                right = self.split(right).0;
            }
        }
    }

    /// The bytes of `token`.
    pub(crate) fn length(&self, token: u32) -> usize {
        usize::from(self.lengths[token as usize])
    }

    /// The two tokens whose merge makes `token`.
    pub(crate) fn split(&self, token: u32) -> (u32, u32) {
        let half = |index: usize| u32::from_le_bytes(self.splits[index]);
        (half(2 * token as usize), half(2 * token as usize + 1))
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary").field("slots", &self.merges.len()).finish_non_exhaustive()
    }
}
