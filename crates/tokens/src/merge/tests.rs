use super::*;
use crate::vocabulary::{CL100K, O200K};

const UNITS: [&str; 18] = [
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
    "漢字a",
    "ACGT",
    "0x",
    "aA",
];

/// Characters without sense, the same ones every time, cut to a length in bytes.
fn noise(alphabet: &str, length: usize) -> Vec<u8> {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut random = 1_u32;
    let next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        alphabet[(random >> 16) as usize % alphabet.len()]
    };
    let text: String = std::iter::repeat_with(next).take(length).collect();
    text.into_bytes()[..length].to_vec()
}

fn hostile(length: usize) -> Vec<Vec<u8>> {
    let units = UNITS.map(|unit| unit.repeat(length).into_bytes()[..length].to_vec());
    let alphabets = ["ab", "abc", "abcdefghijklmnopqrstuvwxyz", "-=", "漢字🧬é\u{301}"];
    units.into_iter().chain(alphabets.map(|alphabet| noise(alphabet, length))).collect()
}

#[test]
fn windows_and_the_whole_come_to_the_same() {
    let (mut merger, mut heap) = (Merger::default(), Heap::default());
    for length in [1, 2, 62, 191, 192, 193, 1_023, 1_024, 1_025, 4_000, 10_007] {
        for piece in hostile(length) {
            for vocabulary in [&CL100K, &O200K] {
                let whole = heap.merge(vocabulary, &piece).len();
                assert_eq!(
                    merger.count(vocabulary, &piece),
                    whole,
                    "{length}: {:?}",
                    &piece[..length.min(40)]
                );
            }
        }
    }
}

#[test]
fn a_row_and_a_heap_come_to_the_same() {
    let (mut row, mut heap) = (Row::default(), Heap::default());
    let text = "Pneumonoultramicroscopicsilicovolcanoconiosis, 🧬漢字 ---------- aaaaaaaaaaaaaaaaaaaaaaa\n\n\nЯя\u{301}".repeat(3);
    for start in 0..text.len() / 2 {
        for length in 1..=60 {
            let piece = &text.as_bytes()[start..start + length];
            for vocabulary in [&CL100K, &O200K] {
                assert_eq!(
                    row.merge(vocabulary, piece),
                    heap.merge(vocabulary, piece),
                    "{piece:?}"
                );
            }
        }
    }
}

#[test]
fn two_tokens_stay_apart_exactly_when_their_bytes_become_them() {
    let mut heap = Heap::default();
    for (vocabulary, count) in [(&CL100K, 100_256), (&O200K, 199_998)] {
        let mut apart = 0;
        for number in 0..200_000_u32 {
            // Pairs from all over the vocabulary, and pairs of low ranks, which often belong together.
            let span = if number % 2 == 0 { count } else { 700 };
            let (left, right) =
                (number.wrapping_mul(2_654_435_761) % span, number.wrapping_mul(40_503) % span);
            let bytes = [bytes_of(vocabulary, left), bytes_of(vocabulary, right)].concat();
            let expected = heap.merge(vocabulary, &bytes) == [left, right];
            assert_eq!(vocabulary.stay_apart(left, right), expected, "{left} {right}");
            apart += usize::from(expected);
        }
        assert!((50_000..195_000).contains(&apart), "{apart}: both answers were asked for");
    }
}

/// The bytes of a token, by taking its merges apart.
fn bytes_of(vocabulary: &Vocabulary, token: u32) -> Vec<u8> {
    if vocabulary.length(token) == 1 {
        return (0..=u8::MAX).filter(|&byte| vocabulary.byte(byte) == token).collect();
    }
    let (left, right) = vocabulary.split(token);
    [bytes_of(vocabulary, left), bytes_of(vocabulary, right)].concat()
}

#[test]
fn the_work_is_linear_whatever_the_piece_holds() {
    let mut merger = Merger::default();
    for piece in hostile(100_000) {
        for vocabulary in [&CL100K, &O200K] {
            let (_, work) = merger.long_count(vocabulary, &piece);
            assert!(work < 2 * piece.len(), "{work} bytes of windows for {:?}...", &piece[..8]);
        }
    }
}
