//! Counts of pieces that were met before.
//!
//! Both tables have one place for a piece and keep the last one that came there. The whole piece is compared, so a
//! remembered count is never that of another piece.

use std::fmt;

/// Pieces of up to this many bytes have their bytes, length and count in 16 bytes.
pub(crate) const WORD: usize = 15;
/// Pieces of up to this many bytes have them in 64.
pub(crate) const PHRASE: usize = 62;

/// Places for words: 2 to the power of this, of 16 bytes each.
const WORD_BITS: u32 = 18;
/// Places for phrases: 2 to the power of this, of 64 bytes each.
const PHRASE_BITS: u32 = 15;
/// In a word's place, the highest byte holds its length in the high half and its count in the low half.
const COUNT_SHIFT: u32 = 120;

/// The remembered counts of one thread.
pub(crate) struct Cache {
    words: Box<[u128]>,
    phrases: Box<[Phrase]>,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Phrase {
    bytes: [u8; PHRASE],
    length: u8,
    count: u8,
}

impl Cache {
    pub(crate) fn new() -> Self {
        let free = Phrase { bytes: [0; PHRASE], length: 0, count: 0 };
        Self {
            words: vec![0; 1 << WORD_BITS].into_boxed_slice(),
            phrases: vec![free; 1 << PHRASE_BITS].into_boxed_slice(),
        }
    }

    /// The count of the word in `text` from `start` on, of 1 to [`WORD`] bytes, which `count` finds when it is new.
    #[inline]
    pub(crate) fn word(
        &mut self,
        text: &[u8],
        start: usize,
        length: usize,
        count: impl FnOnce() -> usize,
    ) -> usize {
        let key = word_key(text, start, length);
        let place = &mut self.words[place(fold(key), WORD_BITS)];
        if *place & !(0xF << COUNT_SHIFT) == key {
            return (*place >> COUNT_SHIFT & 0xF) as usize;
        }
        let counted = count();
        // A vocabulary with more tokens than bytes for a word is not ours, and has no room here.
        if counted <= WORD {
            *place = key | (counted as u128) << COUNT_SHIFT;
        }
        counted
    }

    /// The count of `piece`, of [`WORD`] to [`PHRASE`] bytes, which `count` finds when it is new.
    pub(crate) fn phrase(&mut self, piece: &[u8], count: impl FnOnce() -> usize) -> usize {
        let (Some(first), Some(last)) = (piece.first_chunk::<8>(), piece.last_chunk::<8>()) else {
            return count();
        };
        let middle = piece[piece.len() / 2 - 4..].first_chunk::<8>().copied().unwrap_or_default();
        let [first, middle, last] = [*first, middle, *last].map(u64::from_le_bytes);
        let hash = first ^ last.rotate_left(29) ^ middle.rotate_left(47) ^ piece.len() as u64;
        let place = &mut self.phrases[place(hash, PHRASE_BITS)];
        if usize::from(place.length) == piece.len() && place.bytes[..piece.len()] == *piece {
            return usize::from(place.count);
        }
        let counted = count();
        if let (Ok(length), Ok(count)) = (u8::try_from(piece.len()), u8::try_from(counted)) {
            place.bytes[..piece.len()].copy_from_slice(piece);
            (place.length, place.count) = (length, count);
        }
        counted
    }
}

/// For each length the bits of so many bytes, since a shift of 128 bits takes longer than to look this up.
static FIRST: [u128; WORD + 1] = {
    let mut masks = [0; WORD + 1];
    let mut length = 1;
    while length <= WORD {
        masks[length] = (1 << (8 * length)) - 1;
        length += 1;
    }
    masks
};

/// The bytes of the word, and its length in the upper half of the highest byte.
#[inline]
fn word_key(text: &[u8], start: usize, length: usize) -> u128 {
    let bytes = if let Some(&bytes) = text.get(start..start + 16).and_then(<[u8]>::first_chunk) {
        u128::from_le_bytes(bytes) & FIRST[length]
    } else {
        let mut bytes = [0; 16];
        bytes[..length].copy_from_slice(&text[start..start + length]);
        u128::from_le_bytes(bytes)
    };
    bytes | (length as u128) << (COUNT_SHIFT + 4)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn fold(key: u128) -> u64 {
    key as u64 ^ ((key >> 64) as u64).rotate_left(23)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "only the highest bits are left")]
fn place(hash: u64, bits: u32) -> usize {
    (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as usize
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was counted may be a patient's text.
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
