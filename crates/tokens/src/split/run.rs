//! Runs of characters, and the alternatives that both patterns share.

use crate::class::{Class, class_at};

/// The end of the run of characters from `start` on whose class is `wanted`.
#[inline]
pub(super) fn run_end(text: &[u8], start: usize, wanted: impl Fn(Class) -> bool) -> usize {
    let mut end = start;
    while let Some((class, next)) = class_at(text, end) {
        if !wanted(class) {
            break;
        }
        end = next;
    }
    end
}

/// `\p{N}{1,3}`, for a number whose first character ends at `first_end`.
pub(super) fn number_end(text: &[u8], first_end: usize) -> usize {
    let mut end = first_end;
    for _ in 0..2 {
        match class_at(text, end) {
            Some((Class::Number, next)) => end = next,
            _ => break,
        }
    }
    end
}

/// ` ?[^\s\p{L}\p{N}]+` and then any of the bytes of `tail`; nothing when there is no such run at `start`.
#[inline]
pub(super) fn punctuation_end(text: &[u8], start: usize, tail: &[u8]) -> Option<usize> {
    let first = start + usize::from(text[start] == b' ');
    let mut end = run_end(text, first, |class| matches!(class, Class::Other | Class::Mark));
    if end == first {
        return None;
    }
    while text.get(end).is_some_and(|byte| tail.contains(byte)) {
        end += 1;
    }
    Some(end)
}

/// A run of white space: its last newline ends the piece; without one, all but its last character are the piece, so
/// that this one can lead the word behind it.
///
/// `whole_at_end` says that a run at the end of the text is one piece even where it holds newlines.
pub(super) fn space_end(text: &[u8], start: usize, whole_at_end: bool) -> usize {
    let (mut end, mut last, mut newline_end) = (start, start, None);
    while let Some((class @ (Class::Space | Class::Newline), next)) = class_at(text, end) {
        (last, end) = (end, next);
        if class == Class::Newline {
            newline_end = Some(next);
        }
    }
    match newline_end {
        _ if whole_at_end && end == text.len() => end,
        Some(newline_end) => newline_end,
        // At the end of the text nothing follows that the last character could lead; a single one is a piece anyway.
        None if end == text.len() || last == start => end,
        None => last,
    }
}

/// The length of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at `start`, or 0.
///
/// Case folding adds one character: U+017F, the long s.
#[inline]
pub(super) fn contraction(text: &[u8], start: usize) -> usize {
    if text.get(start) != Some(&b'\'') {
        return 0;
    }
    let lower = |offset: usize| text.get(start + offset).map_or(0, u8::to_ascii_lowercase);
    match (lower(1), lower(2)) {
        (b's' | b't' | b'm' | b'd', _) => 2,
        (b'r' | b'v', b'e') | (b'l', b'l') | (0xC5, 0xBF) => 3,
        _ => 0,
    }
}

/// The end of the run of ASCII letters from `start` on that are lower-case, or of either case with `any_case`.
///
/// Eight bytes are looked at together, since most words are shorter and the end of each loop would be guessed wrong.
#[inline]
pub(super) fn ascii_letters_end(text: &[u8], start: usize, any_case: bool) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let mut end = start;
    while let Some(&bytes) = text.get(end..).and_then(|rest| rest.first_chunk::<8>()) {
        let bytes = u64::from_le_bytes(bytes);
        let folded = if any_case { bytes | (0x20 * EACH) } else { bytes };
        // With the high bit off, adding carries into it exactly when a byte is at least `a`, or beyond `z`.
        let seven = folded & !HIGH;
        let from_a = seven + (0x80 - u64::from(b'a')) * EACH;
        let beyond_z = seven + (0x7F - u64::from(b'z')) * EACH;
        let others = !(from_a & !beyond_z & !bytes) & HIGH;
        if others != 0 {
            return end + others.trailing_zeros() as usize / 8;
        }
        end += 8;
    }
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || any_case && byte.is_ascii_uppercase();
    end + text[end..].iter().take_while(|byte| is_letter(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_told_from_every_other_byte() {
        for length in 0..20 {
            for byte in 0..=u8::MAX {
                let mut text = vec![b'q'; length];
                text.extend([byte, b'a', b'z', b'A', b'Z', b'{', b'a', b'b', b'c', b'd']);
                for (any_case, is_letter) in [
                    (false, u8::is_ascii_lowercase as fn(&u8) -> bool),
                    (true, u8::is_ascii_alphabetic),
                ] {
                    let expected = text.iter().take_while(|byte| is_letter(byte)).count();
                    assert_eq!(ascii_letters_end(&text, 0, any_case), expected, "{text:?}");
                }
            }
        }
    }
}
