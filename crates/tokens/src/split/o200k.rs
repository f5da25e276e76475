//! A word is `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`,
//! or the same with `+` behind the first set and `*` behind the second; the rest is
//! `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.

use crate::class::{Class, ascii_class, class_at};

use super::run::{ascii_letters_end, contraction, number_end, punctuation_end, run_end, space_end};
use super::{O200k, Rules};

impl Rules for O200k {
    #[inline]
    fn piece_end(text: &[u8], start: usize) -> usize {
        let Some((class, first_end)) = class_at(text, start) else { return start };
        match class {
            Class::Number => return number_end(text, first_end),
            Class::Letter | Class::Upper | Class::Lower => {
                return word_end(text, start).map_or(first_end, Word::end);
            }
            Class::Other | Class::Space => {
                if let Some(word) = word_end(text, first_end) {
                    return word.end();
                }
            }
            Class::Mark => return marked_word_end(text, first_end),
            Class::Newline => {}
        }
        punctuation_end(text, start, b"\r\n/").unwrap_or_else(|| space_end(text, start, false))
    }
}

/// A word, and which of the two forms it has.
enum Word {
    /// The first form: it ends in something that is not a capital.
    Ended(usize),
    /// The second form: capitals only.
    Capitals(usize),
}

impl Word {
    fn end(self) -> usize {
        match self {
            Self::Ended(end) | Self::Capitals(end) => end,
        }
    }
}

/// The word that starts at `start`, without a leading character, or nothing.
#[inline]
fn word_end(text: &[u8], start: usize) -> Option<Word> {
    // The usual word: one ASCII letter, then lower-case ones.
    let &first = text.get(start)?;
    if first < 0x80 && !matches!(ascii_class(first), Class::Upper | Class::Lower) {
        return None;
    }
    if first.is_ascii_lowercase()
        || first < 0x80 && text.get(start + 1).is_some_and(u8::is_ascii_lowercase)
    {
        let end = ascii_letters_end(text, start + 1, false);
        match text.get(end) {
            Some(0x80..) => {}
            Some(b'\'') => return Some(Word::Ended(end + contraction(text, end))),
            _ => return Some(Word::Ended(end)),
        }
    }
    any_word_end(text, start)
}

fn any_word_end(text: &[u8], start: usize) -> Option<Word> {
    // The first set takes all that it can, ...
    let (mut end, mut caseless_end) = (start, None);
    while let Some((class @ (Class::Upper | Class::Letter | Class::Mark), next)) =
        class_at(text, end)
    {
        end = next;
        if class != Class::Upper {
            caseless_end = Some(next);
        }
    }
    // ... then the second set all that it can. Both have the characters without case.
    let second_end =
        run_end(text, end, |class| matches!(class, Class::Lower | Class::Letter | Class::Mark));
    let word_end = match caseless_end {
        _ if second_end > end => second_end,
        // The second set needs one: the first gives back up to the last character that both have, and what is behind it
        // are capitals, which the second set has not.
        Some(caseless_end) => caseless_end,
        // The first form fails; the second takes the capitals, if there are any.
        None if end > start => return Some(Word::Capitals(end + contraction(text, end))),
        None => return None,
    };
    Some(Word::Ended(word_end + contraction(text, word_end)))
}

/// The end of a word that begins with a mark, which may be its leading character or its first.
fn marked_word_end(text: &[u8], first_end: usize) -> usize {
    match word_end(text, first_end) {
        Some(Word::Ended(end)) => end,
        // With the mark as the leading character the first form fails. Before the second is tried, the first is tried
        // with the mark as part of the word; that succeeds, with the mark alone.
        _ => first_end + contraction(text, first_end),
    }
}
