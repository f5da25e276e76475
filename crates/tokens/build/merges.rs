//! Merge tables: which two tokens become which.

use std::collections::HashMap;

use crate::layout::{FREE, NO_TOKEN, TOKEN_BITS, first_slot, merge_key};

/// A vocabulary: the bytes of each token, whose number is its rank.
pub(crate) struct Vocabulary {
    tokens: Vec<Vec<u8>>,
    ranks: HashMap<Vec<u8>, u32>,
}

impl Vocabulary {
    pub(crate) fn new(tokens: Vec<Vec<u8>>) -> Self {
        let ranks: HashMap<Vec<u8>, u32> = tokens.iter().cloned().zip(0..).collect();
        assert_eq!(ranks.len(), tokens.len(), "no two tokens are alike");
        assert!(tokens.len() < NO_TOKEN as usize, "a token's number fits its bits");
        Self { tokens, ranks }
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

    /// The hash table of all merges, little endian; its number of slots is a power of two.
    pub(crate) fn merges(&self) -> Vec<u8> {
        let bits = (self.tokens.len() * 2).next_power_of_two().trailing_zeros();
        let mut slots = vec![FREE; 1 << bits];
        for (token, merged) in self.tokens.iter().zip(0_u32..).filter(|(token, _)| token.len() > 1)
        {
            let (left, right) = self.last_merge(token);
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
