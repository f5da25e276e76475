//! Merge tables: which two tokens become which.

use std::collections::HashMap;

use crate::layout::{FREE, NO_TOKEN, TOKEN_BITS, first_slot, merge_key};

/// A vocabulary: the bytes of each token, whose number is its rank.
pub(crate) struct Vocabulary {
    tokens: Vec<Vec<u8>>,
    ranks: HashMap<Vec<u8>, u32>,
    /// For each token the two whose merge makes it; a byte has itself.
    splits: Vec<(u32, u32)>,
}

impl Vocabulary {
    pub(crate) fn new(tokens: Vec<Vec<u8>>) -> Self {
        let ranks: HashMap<Vec<u8>, u32> = tokens.iter().cloned().zip(0..).collect();
        assert_eq!(ranks.len(), tokens.len(), "no two tokens are alike");
        assert!(tokens.len() < NO_TOKEN as usize, "a token's number fits its bits");
        let mut vocabulary = Self { tokens, ranks, splits: Vec::new() };
        vocabulary.splits =
            vocabulary.tokens.iter().map(|token| vocabulary.last_merge(token)).collect();
        let mut merges =
            vocabulary.splits.iter().zip(0..).filter(|(_, merged)| *merged > u32::from(u8::MAX));
        let comes_after = |((left, right), merged): (&(u32, u32), u32)| left.max(right) < &merged;
        assert!(merges.all(comes_after), "every token comes after the two that make it");
        vocabulary
    }

    /// For each byte, the number of its token.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        (0..=u8::MAX)
            .map(|byte| {
                u8::try_from(self.ranks[&[byte][..]]).expect("the tokens of one byte come first")
            })
            .collect()
    }

    /// For each two bytes (the first one lowest), the number of their token as 32 bits, little endian.
    pub(crate) fn starts(&self) -> Vec<u8> {
        (0..=u16::MAX)
            .flat_map(|two| {
                self.ranks.get(&two.to_le_bytes()[..]).unwrap_or(&NO_TOKEN).to_le_bytes()
            })
            .collect()
    }

    /// For each code point below 65,536, the number of its token as 32 bits, little endian.
    pub(crate) fn characters(&self) -> Vec<u8> {
        let token = |character: char| self.ranks.get(character.encode_utf8(&mut [0; 4]).as_bytes());
        (0..=u32::from(u16::MAX))
            .flat_map(|code| {
                char::from_u32(code).and_then(token).unwrap_or(&NO_TOKEN).to_le_bytes()
            })
            .collect()
    }

    /// For each token the two whose merge makes it, as 32 bits each, little endian.
    pub(crate) fn splits(&self) -> Vec<u8> {
        self.splits
            .iter()
            .flat_map(|(left, right)| [left.to_le_bytes(), right.to_le_bytes()].concat())
            .collect()
    }

    /// For each token its length in bytes.
    pub(crate) fn lengths(&self) -> Vec<u8> {
        let length =
            |token: &Vec<u8>| u8::try_from(token.len()).expect("a token has at most 128 bytes");
        self.tokens.iter().map(length).collect()
    }

    /// The borders of characters that lie within a token of broken characters, as a set of bits: for each byte that ends
    /// a character (times 256) and each byte that begins the next. What lies inside a character is in the set too.
    pub(crate) fn borders(&self) -> Vec<u8> {
        let inside = |byte: u8| (0x80..0xC0).contains(&byte);
        let mut set = vec![0_u8; (1 << 16) / 8];
        let mut insert = |before: u8, after: u8| {
            let bit = usize::from(u16::from_be_bytes([before, after]));
            set[bit / 8] |= 1 << (bit % 8);
        };
        for (before, after) in
            (0..=u8::MAX).flat_map(|before| (0x80..0xC0).map(move |after| (before, after)))
        {
            insert(before, after);
        }
        for token in self.tokens.iter().filter(|token| str::from_utf8(token).is_err()) {
            for two in token.windows(2).filter(|two| !inside(two[1])) {
                insert(two[0], two[1]);
            }
        }
        set
    }

    /// The hash table of all merges, little endian; its number of slots is a power of two.
    pub(crate) fn merges(&self) -> Vec<u8> {
        let bits = (self.tokens.len() * 2).next_power_of_two().trailing_zeros();
        let mut slots = vec![FREE; 1 << bits];
        let splits = self.splits.iter().zip(&self.tokens).zip(0_u32..);
        for ((&(left, right), _), merged) in splits.filter(|((_, token), _)| token.len() > 1) {
            let mut place = first_slot(merge_key(left, right), bits);
            while slots[place] != FREE {
                place = (place + 1) % slots.len();
            }
            slots[place] = (merge_key(left, right) << TOKEN_BITS) | u64::from(merged);
        }
        slots.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// The two tokens whose merge makes `token`.
    ///
    /// There is one such pair only. Wherever two tokens that make up `token` stand side by side, the merges inside them
    /// were those of `token` alone, and these lead to one last pair. So the table needs no other split of `token`.
    fn last_merge(&self, token: &[u8]) -> (u32, u32) {
        if token.len() == 1 {
            return (self.ranks[token], self.ranks[token]);
        }
        let mut ends: Vec<usize> = (0..=token.len()).collect();
        while ends.len() > 3 {
            let rank = |at: &usize| self.ranks.get(&token[ends[*at]..ends[*at + 2]]);
            let lowest =
                (0..ends.len() - 2).filter(|at| rank(at).is_some()).min_by_key(|at| rank(at));
            ends.remove(lowest.expect("every token is reached by merges") + 1);
        }
        (self.ranks[&token[..ends[1]]], self.ranks[&token[ends[1]..]])
    }
}
