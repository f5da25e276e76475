//! The class of every code point, as the regex engine has it that defines the split.

use regex_syntax::hir::{Class as HirClass, HirKind};

use crate::layout::{BLOCK, Class};

/// What each class is in the syntax of the splitting patterns; the classes do not overlap.
const PATTERNS: [(&str, Class); 7] = [
    (r"\s", Class::Space),
    (r"[\r\n]", Class::Newline),
    (r"\p{N}", Class::Number),
    (r"\p{M}", Class::Mark),
    (r"[\p{Lm}\p{Lo}]", Class::Letter),
    (r"[\p{Lu}\p{Lt}]", Class::Upper),
    (r"\p{Ll}", Class::Lower),
];

/// The two-stage table: the number of each block of code points, and the classes of each different block.
pub(crate) fn table() -> (Vec<u8>, Vec<u8>) {
    let mut classes = vec![Class::Other as u8; char::MAX as usize + 1];
    for (pattern, class) in PATTERNS {
        for (first, last) in ranges(pattern) {
            for place in &mut classes[first as usize..=last as usize] {
                assert!(
                    *place == Class::Other as u8 || class == Class::Newline,
                    "{pattern} overlaps another class"
                );
                *place = class as u8;
            }
        }
    }
    let (mut index, mut blocks) = (Vec::new(), Vec::<&[u8]>::new());
    for block in classes.chunks(BLOCK) {
        let number = blocks.iter().position(|known| *known == block).unwrap_or_else(|| {
            blocks.push(block);
            blocks.len() - 1
        });
        index.push(u8::try_from(number).expect("there are fewer than 256 different blocks"));
    }
    (index, blocks.concat())
}

fn ranges(pattern: &str) -> Vec<(char, char)> {
    let hir = regex_syntax::parse(pattern).expect("the pattern is well-formed");
    match hir.kind() {
        HirKind::Class(HirClass::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => unreachable!("the pattern is a class"),
    }
}
