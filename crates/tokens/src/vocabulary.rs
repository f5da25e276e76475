//! The merge tables that the build script made of `tiktoken-rs`'s vocabularies, read where they lie in the program.

use std::fmt;

use crate::layout::{FREE, NO_TOKEN, TOKEN_BITS, first_slot, merge_key};

/// The merges of one encoding.
pub(crate) struct Vocabulary {
    /// For each byte, its token.
    bytes: &'static [u8; 256],
    /// For each two bytes, their token or [`NO_TOKEN`].
    starts: &'static [[u8; 4]],
    /// The slots of the hash table.
    merges: &'static [[u8; 8]],
    /// The table has 2 to the power of this many slots.
    bits: u32,
}

/// The merges of `cl100k_base`.
pub(crate) static CL100K: Vocabulary = Vocabulary::new(
    include_bytes!(concat!(env!("OUT_DIR"), "/cl100k.bytes")),
    include_bytes!(concat!(env!("OUT_DIR"), "/cl100k.starts")),
    include_bytes!(concat!(env!("OUT_DIR"), "/cl100k.merges")),
);

/// The merges of `o200k_base`.
pub(crate) static O200K: Vocabulary = Vocabulary::new(
    include_bytes!(concat!(env!("OUT_DIR"), "/o200k.bytes")),
    include_bytes!(concat!(env!("OUT_DIR"), "/o200k.starts")),
    include_bytes!(concat!(env!("OUT_DIR"), "/o200k.merges")),
);

impl Vocabulary {
    const fn new(bytes: &'static [u8; 256], starts: &'static [u8], merges: &'static [u8]) -> Self {
        let (starts, merges) = (starts.as_chunks().0, merges.as_chunks().0);
        assert!(starts.len() == 1 << 16 && merges.len().is_power_of_two());
        Self { bytes, starts, merges, bits: merges.len().trailing_zeros() }
    }

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

    /// The token that `left` and `right` become side by side, or [`NO_TOKEN`].
    #[inline]
    pub(crate) fn merged(&self, left: u32, right: u32) -> u32 {
        let key = merge_key(left, right);
        let mut place = first_slot(key, self.bits);
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
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary").field("slots", &self.merges.len()).finish_non_exhaustive()
    }
}
