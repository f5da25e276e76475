//! Merging in a row: every merge looks through all neighbours, which for a short row is faster than to keep order.

use crate::layout::NO_TOKEN;
use crate::vocabulary::Vocabulary;

/// Tokens side by side.
#[derive(Debug, Default)]
pub(super) struct Row {
    tokens: Vec<u32>,
    /// What each token and the one behind it become.
    merged: Vec<u32>,
}

impl Row {
    /// The tokens of `bytes`, a part of UTF-8 text that may begin and end within a character.
    pub(super) fn merge(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) -> &[u32] {
        if !bytes.is_ascii() {
            self.begin_with_characters(vocabulary, bytes);
            self.reduce(vocabulary);
            if self.holds(vocabulary, bytes) {
                return &self.tokens;
            }
        }
        self.begin_with_bytes(vocabulary, bytes);
        self.reduce(vocabulary);
        &self.tokens
    }

    fn begin_with_bytes(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) {
        self.tokens.clear();
        self.tokens.extend(bytes.iter().map(|&byte| vocabulary.byte(byte)));
        self.merged.clear();
        self.merged.extend(bytes.windows(2).map(|two| vocabulary.start(two[0], two[1])));
    }

    fn begin_with_characters(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) {
        self.tokens.clear();
        let mut start = 0;
        while start < bytes.len() {
            start += self.push_character(vocabulary, &bytes[start..]);
        }
        self.merged.clear();
        self.merged.extend(self.tokens.windows(2).map(|two| vocabulary.merged(two[0], two[1])));
    }

    /// Appends the tokens of the first character of `bytes`, or of a byte that begins none; returns the bytes it took.
    fn push_character(&mut self, vocabulary: &Vocabulary, bytes: &[u8]) -> usize {
        let low = |byte: u8| usize::from(byte & 0x3F);
        let (code_point, length) = match *bytes {
            [a @ 0xE0..0xF0, b, c, ..] => {
                ((usize::from(a & 0x0F) << 12) | (low(b) << 6) | low(c), 3)
            }
            [a @ 0xC0..0xE0, b, ..] => ((usize::from(a & 0x1F) << 6) | low(b), 2),
            [0xF0..=0xF7, _, _, _, ..] => (usize::MAX, 4),
            _ => (usize::MAX, 1),
        };
        match vocabulary.character(code_point) {
            NO_TOKEN => {
                let first = self.tokens.len();
                self.tokens.extend(bytes[..length].iter().map(|&byte| vocabulary.byte(byte)));
                self.reduce_from(vocabulary, first);
            }
            token => self.tokens.push(token),
        }
        length
    }

    /// Whether the tokens, merged from characters, are what the bytes are merged to.
    ///
    /// Only borders that a token of broken characters can reach over need a trial. Over any other border the first merge
    /// from bytes would be one of two tokens of whole characters. These two came up in the merging from characters too,
    /// and side by side: a token comes after those that it is made of, so that neither of the two was taken by a merge of
    /// a higher rank while the other was still in the making. So that merge would have been made.
    fn holds(&self, vocabulary: &Vocabulary, bytes: &[u8]) -> bool {
        let mut end = 0;
        self.tokens.windows(2).all(|two| {
            end += vocabulary.length(two[0]);
            !vocabulary.breaks_characters(bytes[end - 1], bytes[end])
                || vocabulary.stay_apart(two[0], two[1])
        })
    }

    /// Merges the few tokens from `first` on.
    fn reduce_from(&mut self, vocabulary: &Vocabulary, first: usize) {
        loop {
            let candidates =
                self.tokens[first..].windows(2).map(|two| vocabulary.merged(two[0], two[1]));
            match candidates.zip(first..).min() {
                Some((merged, at)) if merged != NO_TOKEN => {
                    self.tokens[at] = merged;
                    self.tokens.remove(at + 1);
                }
                _ => return,
            }
        }
    }

    /// Merges the row as far as it goes.
    fn reduce(&mut self, vocabulary: &Vocabulary) {
        let Self { tokens, merged } = self;
        while let Some(at) = leftmost_lowest(merged) {
            tokens[at] = merged[at];
            tokens.remove(at + 1);
            merged.remove(at);
            if at < merged.len() {
                merged[at] = vocabulary.merged(tokens[at], tokens[at + 1]);
            }
            if at > 0 {
                merged[at - 1] = vocabulary.merged(tokens[at - 1], tokens[at]);
            }
        }
    }
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
