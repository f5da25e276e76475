//! Long texts that are made to be slow: their counts, and that their time grows as their length.

use std::time::{Duration, Instant};

use tiktoken_rs::{cl100k_base_singleton, o200k_base_singleton};
use tokens::{Counter, Encoding};

/// Letters without sense, the same ones every time.
fn noise(alphabet: &str, length: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut random = 42_u64;
    let next = || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        alphabet[usize::try_from(random >> 33).expect("31 bits") % alphabet.len()]
    };
    let mut text: String = std::iter::repeat_with(next).take(length).collect();
    while text.len() > length {
        text.pop();
    }
    text
}

/// Hostile texts of about `length` bytes, each with what it is.
fn hostile(length: usize) -> Vec<(String, String)> {
    let units = [
        "a",
        "A",
        "-",
        "=",
        "!",
        ".",
        "*",
        "_",
        "/",
        "1",
        "\u{301}",
        "é",
        "漢",
        "あ",
        "ا",
        "ไ",
        "🧬",
        "\u{10ffff}",
        "'",
        "'s",
        "ab",
        "aB",
        "Aa",
        "-=",
        "- ",
        " -",
        "\n-",
        "a1",
        "a\u{301}",
        "\u{301}A",
        "漢A",
        "漢a",
        "the ",
        "\r\n",
        " \n",
        "\n ",
        "ACGT",
        "<|endoftext|>",
        "\u{200d}",
    ];
    let mut texts: Vec<_> = units
        .iter()
        .map(|unit| (format!("repeated {unit:?}"), unit.repeat(length / unit.len())))
        .collect();
    for alphabet in [
        "ab",
        "abcdefghijklmnopqrstuvwxyz",
        "aAbBcC漢\u{301}",
        "!-/:@[",
        "0123456789",
        " \t\n",
        "的一是不了人我在有他",
    ] {
        texts.push((format!("noise of {alphabet:?}"), noise(alphabet, length)));
    }
    for space in [" ", "\t ", "\u{a0}", "\n", "\u{3000}"] {
        texts.push((format!("spaces {space:?}"), space.repeat(length / space.len())));
        texts.push((
            format!("spaces {space:?} and a word"),
            space.repeat(length / space.len()) + "word",
        ));
    }
    texts
}

#[test]
#[ignore = "takes minutes: .ci/run runs it"]
fn hostile_texts_count_as_defined() {
    // The definition itself panics from a million white-space characters on, so these texts are shorter.
    for (what, text) in hostile(300_000) {
        let counts = [Encoding::Cl100k, Encoding::O200k].map(|encoding| encoding.count(&text));
        let expected = [cl100k_base_singleton(), o200k_base_singleton()]
            .map(|bpe| bpe.encode_ordinary(&text).len());
        assert_eq!(counts, expected, "{what}");
    }
}

#[test]
fn more_white_space_than_the_definition_can_take_is_counted() {
    // Half of it the definition can take, and the tokens of long runs all have a length that divides the half.
    const HALF: usize = 640_000;
    for space in [" ", "\n", "\u{a0}"] {
        let counts = [Encoding::Cl100k, Encoding::O200k]
            .map(|encoding| encoding.count(&space.repeat(2 * HALF)));
        let half = space.repeat(HALF);
        let expected = [cl100k_base_singleton(), o200k_base_singleton()]
            .map(|bpe| 2 * bpe.encode_ordinary(&half).len());
        assert_eq!(counts, expected, "{space:?}");
    }
}

#[test]
#[ignore = "measures time: .ci/run runs it"]
fn hostile_texts_take_time_in_proportion_to_their_length() {
    let (small, large) = (hostile(250_000), hostile(1_000_000));
    for encoding in [Encoding::Cl100k, Encoding::O200k] {
        for ((what, small), (_, large)) in small.iter().zip(&large) {
            // Four times the length; twice that for the noise of a busy machine, which has 20 ms free and five tries.
            let mut times = (Duration::ZERO, Duration::MAX);
            for _ in 0..5 {
                times = (time(encoding, small), time(encoding, large));
                if times.1 < times.0 * 8 + Duration::from_millis(20) {
                    break;
                }
            }
            let (small, large) = times;
            assert!(
                large < small * 8 + Duration::from_millis(20),
                "{encoding}, {what}: {small:?}, then {large:?}"
            );
            assert!(large < Duration::from_secs(1), "{encoding}, {what}: {large:?} for 1 MB");
        }
    }
}

/// The best time of three, each with a counter that has not seen the text.
fn time(encoding: Encoding, text: &str) -> Duration {
    let runs = std::iter::repeat_with(|| {
        let counter = Counter::new(encoding);
        let start = Instant::now();
        std::hint::black_box(counter.count(text));
        start.elapsed()
    });
    runs.take(3).min().expect("three runs")
}
