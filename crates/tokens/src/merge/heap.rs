//! Merging with a heap: for long windows, in time proportional to n log n.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::layout::NO_TOKEN;
use crate::vocabulary::Vocabulary;

/// Bits of a place in an entry of the heap, below those of the rank.
const PLACE_BITS: u32 = 46;

/// Tokens linked to their neighbours, each at the place of its first byte, and the merges that were possible.
#[derive(Debug, Default)]
pub(super) struct Heap {
    /// By place: the token that starts there.
    tokens: Vec<u32>,
    /// By place: what this token and the next one become.
    merged: Vec<u32>,
    /// By place: where the next token starts.
    next: Vec<usize>,
    /// By place: where the token before starts.
    previous: Vec<usize>,
    /// Merges by rank and then by place; some are no longer possible.
    entries: BinaryHeap<Reverse<u64>>,
    /// The tokens that are left.
    row: Vec<u32>,
}

impl Heap {
    /// The tokens of `bytes`, of which there is at least one.
    pub(super) fn merge(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) -> &[u32] {
        self.begin(vocabulary, bytes);
        while let Some(Reverse(entry)) = self.entries.pop() {
            self.apply(vocabulary, entry);
        }
        self.row.clear();
        let mut place = 0;
        while place < bytes.len() {
            self.row.push(self.tokens[place]);
            place = self.next[place];
        }
        &self.row
    }

    fn begin(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) {
        self.tokens.clear();
        self.tokens.extend(bytes.iter().map(|&byte| vocabulary.byte(byte)));
        self.merged.clear();
        self.merged.extend(bytes.windows(2).map(|two| vocabulary.start(two[0], two[1])));
        self.merged.push(NO_TOKEN);
        self.next.clear();
        self.next.extend(1..=bytes.len());
        self.previous.clear();
        self.previous.extend((0..bytes.len()).map(|place| place.saturating_sub(1)));
        let mut entries = std::mem::take(&mut self.entries).into_vec();
        entries.clear();
        let possible = self.merged.iter().enumerate().filter(|(_, merged)| **merged != NO_TOKEN);
        entries.extend(possible.map(|(place, &merged)| entry(place, merged)));
        self.entries = BinaryHeap::from(entries);
    }

    /// Makes the merge of an entry, if it is still possible.
    fn apply(&mut self, vocabulary: &Vocabulary, entry: u64) {
        let rank = entry >> PLACE_BITS;
        let Ok(place) = usize::try_from(entry & ((1 << PLACE_BITS) - 1)) else { return };
        if u64::from(self.merged[place]) != rank {
            return;
        }
        let taken = self.next[place];
        let after = self.next[taken];
        self.tokens[place] = self.merged[place];
        self.merged[taken] = NO_TOKEN;
        self.next[place] = after;
        if let Some(previous) = self.previous.get_mut(after) {
            *previous = place;
        }
        self.look_right(vocabulary, place);
        if place > 0 {
            self.look_right(vocabulary, self.previous[place]);
        }
    }

    /// Notes what the token at `place` and the one behind it become.
    fn look_right(&mut self, vocabulary: &Vocabulary, place: usize) {
        let next = self.tokens.get(self.next[place]);
        let merged = next.map_or(NO_TOKEN, |&next| vocabulary.merged(self.tokens[place], next));
        self.merged[place] = merged;
        if merged != NO_TOKEN {
            self.entries.push(entry(place, merged));
        }
    }
}

fn entry(place: usize, merged: u32) -> Reverse<u64> {
    Reverse((u64::from(merged) << PLACE_BITS) | place as u64)
}
