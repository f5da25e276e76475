//! Characters as the splitting rules see them.

use crate::layout::BLOCK;
pub(crate) use crate::layout::Class;

/// Every class, at the place of its number.
const BY_NUMBER: [Class; 8] = [
    Class::Other,
    Class::Space,
    Class::Newline,
    Class::Number,
    Class::Mark,
    Class::Letter,
    Class::Upper,
    Class::Lower,
];
static INDEX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.index"));
static BLOCKS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.blocks"));
/// The classes of ASCII, and [`Class::Other`] for the bytes beyond, whose class is not asked for here.
static ASCII: [Class; 256] = ascii();

const fn ascii() -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        // The first block of code points begins with ASCII.
        classes[byte] = BY_NUMBER[BLOCKS[INDEX[0] as usize * BLOCK + byte] as usize];
        byte += 1;
    }
    classes
}

/// The class of the character that starts at `at` in UTF-8 `text`, and where it ends; at the end of the text nothing.
#[inline]
pub(crate) fn class_at(text: &[u8], at: usize) -> Option<(Class, usize)> {
    let &first = text.get(at)?;
    if first < 0x80 {
        Some((ASCII[usize::from(first)], at + 1))
    } else {
        Some(beyond_ascii(text, at))
    }
}

/// The class of a byte below 0x80.
#[inline]
pub(crate) fn ascii_class(byte: u8) -> Class {
    ASCII[usize::from(byte)]
}

fn beyond_ascii(text: &[u8], at: usize) -> (Class, usize) {
    let bits = |offset: usize| usize::from(text[at + offset] & 0x3F);
    let first = usize::from(text[at]);
    let (code_point, end) = match first {
        0xF0.. => ((first & 0x07) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3), at + 4),
        0xE0.. => ((first & 0x0F) << 12 | bits(1) << 6 | bits(2), at + 3),
        _ => ((first & 0x1F) << 6 | bits(1), at + 2),
    };
    let block = usize::from(INDEX[code_point / BLOCK]);
    (BY_NUMBER[usize::from(BLOCKS[block * BLOCK + code_point % BLOCK])], end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(text: &str) -> Vec<Class> {
        let mut classes = Vec::new();
        let mut at = 0;
        while let Some((class, end)) = class_at(text.as_bytes(), at) {
            assert_eq!(text[at..end].chars().count(), 1, "{text:?} at {at}");
            classes.push(class);
            at = end;
        }
        classes
    }

    #[test]
    fn every_length_of_utf8_is_classed() {
        use Class::{Letter, Lower, Mark, Newline, Number, Other, Space, Upper};
        assert_eq!(
            classes("aB\r\n\t 7'"),
            [Lower, Upper, Newline, Newline, Space, Space, Number, Other]
        );
        assert_eq!(classes("éÉ\u{a0}\u{85}½\u{301}"), [Lower, Upper, Space, Space, Number, Mark]);
        assert_eq!(classes("漢ʰ\u{2028}’"), [Letter, Letter, Space, Other]);
        assert_eq!(classes("𝐀🧬𠀀\u{10ffff}"), [Upper, Other, Letter, Other]);
    }

    #[test]
    fn every_white_space_is_one() {
        for character in '\0'..=char::MAX {
            let class = classes(character.encode_utf8(&mut [0; 4]))[0];
            assert_eq!(class == Class::Newline, matches!(character, '\r' | '\n'));
            assert_eq!(
                matches!(class, Class::Space | Class::Newline),
                character.is_whitespace(),
                "{character:?}"
            );
        }
    }
}
