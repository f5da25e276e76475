//! Merging of long pieces in linear time, whatever they hold.
//!
//! A row of tokens is the merging of its bytes if and only if each two neighbours are the merging of theirs. (In the
//! merging of the whole, look at the first merge across a border of the row. Until then every token of the row was
//! merged as if alone, so the two tokens at this border, merged for themselves, would come to the same merge.) So a
//! piece may be merged window by window, if the two tokens at each border between windows are tried together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::layout::NO_TOKEN;
use crate::vocabulary::Vocabulary;

/// Bytes that are merged together: several times the longest token, which has 128.
const WINDOW: usize = 1024;
/// A token that ends this close to the end of a window may be another one once more of the piece is seen. This is only
/// a good guess: what makes it right is the trial of every border.
const UNSETTLED: usize = 192;
/// When the windows together come to this many times the piece, it is merged in one go.
const PATIENCE: usize = 8;
/// Bits of a place in an entry of the heap, below those of the rank.
const PLACE_BITS: u32 = 46;

/// Merges long pieces, and keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    /// By place in the window: the token that starts there.
    tokens: Vec<u32>,
    /// By place: what this token and the next one become.
    merged: Vec<u32>,
    /// By place: where the next token starts.
    next: Vec<usize>,
    /// By place: where the token before starts.
    previous: Vec<usize>,
    /// The merges that were possible, by rank and then by place.
    heap: BinaryHeap<Reverse<u64>>,
    /// Where the tokens of the last merging start.
    starts: Vec<usize>,
    /// Where the settled tokens of the piece start.
    settled: Vec<usize>,
}

impl Merger {
    /// The number of tokens of `piece`, which has at least one byte.
    pub(crate) fn count(&mut self, vocabulary: &Vocabulary, piece: &[u8]) -> usize {
        self.count_and_work(vocabulary, piece).0
    }

    /// The number of tokens of `piece`, and the bytes of all windows together.
    fn count_and_work(&mut self, vocabulary: &Vocabulary, piece: &[u8]) -> (usize, usize) {
        self.settled.clear();
        let (mut start, mut window, mut retreat, mut spent) = (0, WINDOW, 1, 0);
        loop {
            let end = piece.len().min(start + window);
            spent += end - start;
            self.merge(vocabulary, &piece[start..end]);
            let fresh = std::mem::take(&mut self.starts);
            let first_end = start + fresh.get(1).copied().unwrap_or(end - start);
            if self.border_holds(vocabulary, &piece[..first_end], start) {
                if end == piece.len() {
                    let count = self.settled.len() + fresh.len();
                    self.starts = fresh;
                    return (count, spent);
                }
                // At least one token is settled, so that there is progress.
                let limit = window - UNSETTLED;
                let settled =
                    fresh.partition_point(|&place| place <= limit).saturating_sub(1).max(1);
                self.settled.extend(fresh[..settled].iter().map(|place| start + place));
                (start, window, retreat) = (start + fresh[settled], WINDOW, 1);
            } else if spent > PATIENCE * piece.len() {
                self.settled.clear();
                (start, window) = (0, piece.len());
            } else {
                // The tokens before the border were not settled after all: a larger window takes some of them back.
                let kept = self.settled.len().saturating_sub(retreat);
                start = self.settled[kept];
                self.settled.truncate(kept);
                (window, retreat) = (window * 2, retreat * 2);
            }
            self.starts = fresh;
        }
    }

    /// Whether the last settled token and the token from `start` to the end of `piece` stay apart when merged together.
    fn border_holds(&mut self, vocabulary: &Vocabulary, piece: &[u8], start: usize) -> bool {
        let Some(&last) = self.settled.last() else { return true };
        self.merge(vocabulary, &piece[last..]);
        self.starts == [0, start - last]
    }

    /// Merges all of `bytes` and leaves in `starts` where the tokens start.
    fn merge(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) {
        let length = bytes.len();
        self.tokens.clear();
        self.tokens.extend(bytes.iter().map(|&byte| vocabulary.byte(byte)));
        self.merged.clear();
        self.merged.extend(bytes.windows(2).map(|two| vocabulary.start(two[0], two[1])));
        self.merged.push(NO_TOKEN);
        self.next.clear();
        self.next.extend(1..=length);
        self.previous.clear();
        self.previous.extend((0..length).map(|place| place.saturating_sub(1)));
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.clear();
        entries.extend(
            self.merged.iter().enumerate().filter(|(_, merged)| **merged != NO_TOKEN).map(entry),
        );
        self.heap = BinaryHeap::from(entries);
        while let Some(Reverse(entry)) = self.heap.pop() {
            self.apply(vocabulary, entry, length);
        }
        self.starts.clear();
        self.starts.extend(std::iter::successors(Some(0), |&place| {
            Some(self.next[place]).filter(|&next| next < length)
        }));
    }

    /// Makes one merge of the heap, if it is still possible.
    fn apply(&mut self, vocabulary: &Vocabulary, entry: u64, length: usize) {
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
        if after < length {
            self.previous[after] = place;
        }
        self.look_right(vocabulary, place, after, length);
        if place > 0 {
            self.look_right(vocabulary, self.previous[place], place, length);
        }
    }

    /// Notes what the token at `place` and the one at `next` become.
    fn look_right(&mut self, vocabulary: &Vocabulary, place: usize, next: usize, length: usize) {
        self.merged[place] = if next < length {
            vocabulary.merged(self.tokens[place], self.tokens[next])
        } else {
            NO_TOKEN
        };
        if self.merged[place] != NO_TOKEN {
            self.heap.push(entry((place, &self.merged[place])));
        }
    }
}

/// The entry of the heap that asks for the merge `merged` at `place`.
fn entry((place, &merged): (usize, &u32)) -> Reverse<u64> {
    Reverse(u64::from(merged) << PLACE_BITS | place as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{SHORT, short_count};
    use crate::vocabulary::{CL100K, O200K};

    #[test]
    fn windows_and_the_whole_come_to_the_same() {
        let mut merger = Merger::default();
        for text in [
            "a",
            "-",
            "ab",
            "=-",
            "\u{1f9ec}",
            "漢字",
            "deoxyribonucleic",
            "  \t",
            "!?!",
            "aAaAa",
            "0x00",
        ] {
            for length in [1023, 1024, 1025, 4_000, 10_007] {
                let piece = &text.repeat(length).into_bytes()[..length];
                for vocabulary in [&CL100K, &O200K] {
                    merger.merge(vocabulary, piece);
                    let whole = merger.starts.len();
                    assert_eq!(
                        merger.count(vocabulary, piece),
                        whole,
                        "{length} bytes of {text:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_work_is_linear_whatever_the_piece_holds() {
        let mut merger = Merger::default();
        let mut random = 1_u32;
        let mut noise = |span: u32| {
            std::iter::repeat_with(|| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b'a' + u8::try_from((random >> 16) % span).unwrap()
            })
            .take(100_000)
            .collect::<Vec<_>>()
        };
        let mut pieces = vec![noise(2), noise(3), noise(26)];
        for unit in [
            "a",
            "-",
            "=",
            "!",
            " ",
            "\t",
            "\n",
            "ab",
            "aab",
            "the",
            "-=",
            "*-",
            "\u{1f9ec}",
            "漢",
            "ACGT",
            "0x",
            "aA",
        ] {
            pieces.push(unit.repeat(100_000 / unit.len()).into_bytes());
        }
        for piece in pieces {
            for vocabulary in [&CL100K, &O200K] {
                let (_, work) = merger.count_and_work(vocabulary, &piece);
                assert!(work < 2 * piece.len(), "{work} bytes of windows for {:?}...", &piece[..8]);
            }
        }
    }

    #[test]
    fn the_heap_and_the_short_way_come_to_the_same() {
        let mut merger = Merger::default();
        let text = "Pneumonoultramicroscopicsilicovolcanoconiosis, \u{1f9ec}漢字 ---------- aaaaaaaaaaaaaaaaaaaaaaa\n\n\n".repeat(4);
        for start in 0..100 {
            for length in 1..=SHORT {
                let piece = &text.as_bytes()[start..start + length];
                for vocabulary in [&CL100K, &O200K] {
                    assert_eq!(
                        merger.count(vocabulary, piece),
                        short_count(vocabulary, piece),
                        "{piece:?}"
                    );
                }
            }
        }
    }
}
