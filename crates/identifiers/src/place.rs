//! A place in the text with what stands before and after it, within bounds.

use std::ops::Range;

use regex::Regex;

/// How many bytes before a place are read in search of a label.
const BEFORE: usize = 72;
/// How many bytes after a place a pattern may take.
const AFTER: usize = 160;

/// A run of digits (or another cue) at `range`; nothing before `floor` may be read again.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) text: &'a str,
    pub(crate) floor: usize,
    pub(crate) range: Range<usize>,
}

impl<'a> Place<'a> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The byte before `at`, if it may be read.
    pub(crate) fn byte_before(&self, at: usize) -> Option<u8> {
        (at > self.floor).then(|| self.bytes()[at - 1])
    }

    /// The last stretch of text before `at`.
    pub(crate) fn before(&self, at: usize) -> &'a str {
        let mut start = at.saturating_sub(BEFORE).max(self.floor);
        while !self.text.is_char_boundary(start) {
            start += 1;
        }
        &self.text[start..at]
    }

    /// The stretch of text from `at` on.
    pub(crate) fn after(&self, at: usize) -> &'a str {
        let mut end = (at + AFTER).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[at..end]
    }

    /// Where `pattern`, which starts with `^`, ends when it is laid at `at`.
    pub(crate) fn matched(&self, pattern: &Regex, at: usize) -> Option<Range<usize>> {
        pattern.find(self.after(at)).map(|found| at..at + found.end())
    }

    /// Whether `label`, which ends with `$`, stands right before `at`.
    pub(crate) fn labelled(&self, label: &Regex, at: usize) -> bool {
        label.is_match(self.before(at))
    }

    /// Walks back from `at` over at most `limit` bytes that `keep` accepts.
    pub(crate) fn back_while(&self, at: usize, limit: usize, keep: impl Fn(u8) -> bool) -> usize {
        let mut start = at;
        while at - start < limit && self.byte_before(start).is_some_and(&keep) {
            start -= 1;
        }
        start
    }

    /// Whether a number at `range` stands alone: no letter, digit or joined number on either side.
    pub(crate) fn stands_alone(&self, range: &Range<usize>) -> bool {
        let bytes = self.bytes();
        let joined = |byte: u8| matches!(byte, b'-' | b'.' | b'/' | b'*' | b'=' | b'_' | b',');
        let word_before = self.text[self.floor..range.start]
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric);
        let left = match self.byte_before(range.start) {
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => false,
            Some(byte) if joined(byte) => {
                !self.byte_before(range.start - 1).is_some_and(|byte| byte.is_ascii_digit())
            }
            _ => true,
        };
        let right = match bytes.get(range.end) {
            Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'_' => false,
            Some(byte) if joined(*byte) => {
                !bytes.get(range.end + 1).is_some_and(u8::is_ascii_digit)
            }
            _ => true,
        };
        left && right && !word_before
    }
}
