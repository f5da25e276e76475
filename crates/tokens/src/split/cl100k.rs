//! `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`

use crate::class::{Class, class_at};

use super::run::{ascii_letters_end, contraction, number_end, punctuation_end, run_end, space_end};
use super::{Cl100k, Rules};

impl Rules for Cl100k {
    #[inline]
    fn piece_end(text: &[u8], start: usize) -> usize {
        let Some((class, first_end)) = class_at(text, start) else { return start };
        match class {
            Class::Letter | Class::Upper | Class::Lower => return letters_end(text, start),
            Class::Number => return number_end(text, first_end),
            Class::Other if contraction(text, start) > 0 => {
                return start + contraction(text, start);
            }
            Class::Other | Class::Space | Class::Mark => {
                let end = letters_end(text, first_end);
                if end > first_end {
                    return end;
                }
            }
            Class::Newline => {}
        }
        punctuation_end(text, start, b"\r\n").unwrap_or_else(|| space_end(text, start, true))
    }
}

/// The end of `\p{L}*` at `start`.
#[inline]
fn letters_end(text: &[u8], start: usize) -> usize {
    let end = ascii_letters_end(text, start, true);
    match text.get(end) {
        Some(0x80..) => {
            run_end(text, end, |class| matches!(class, Class::Letter | Class::Upper | Class::Lower))
        }
        _ => end,
    }
}
