//! The layout of the generated tables, which the build script writes and the counter reads.
//!
//! A merge table is a hash table with open addressing. A slot of 64 bits holds the two tokens of a merge and the token
//! that they become, 18 bits each; a token's number is its rank, so that the merge of the lowest number goes first.

/// Bits of a token's number.
pub(crate) const TOKEN_BITS: u32 = 18;
/// In place of a token: there is none.
pub(crate) const NO_TOKEN: u32 = (1 << TOKEN_BITS) - 1;
/// In place of a slot: it is free.
pub(crate) const FREE: u64 = u64::MAX;
/// Code points in a block of the class table.
pub(crate) const BLOCK: usize = 256;

/// The key of a merge.
pub(crate) const fn merge_key(left: u32, right: u32) -> u64 {
    (left as u64) << TOKEN_BITS | right as u64
}

/// Where the search for `key` begins in a table of 2 to the power of `bits` slots.
#[expect(clippy::cast_possible_truncation, reason = "a table has far less than 2^32 slots")]
pub(crate) const fn first_slot(key: u64, bits: u32) -> usize {
    // Fibonacci hashing: the odd multiplier spreads the key over the high bits, which are the ones used.
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as usize
}

/// What the splitting rules ask of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// Anything else: punctuation, symbols, controls, what is not assigned.
    Other,
    /// `\s` but not a newline.
    Space,
    /// `\r` and `\n`.
    Newline,
    /// `\p{N}`.
    Number,
    /// `\p{M}`.
    Mark,
    /// `\p{Lm}` and `\p{Lo}`: letters without case.
    Letter,
    /// `\p{Lu}` and `\p{Lt}`.
    Upper,
    /// `\p{Ll}`.
    Lower,
}
