//! Counts are those of tiktoken-rs for every text: the counting path against its definition.

use proptest::prelude::*;
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};
use tokens::{Counter, Encoding};

fn definition(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::Cl100k => cl100k_base_singleton(),
        _ => o200k_base_singleton(),
    }
}

/// Counts `text` in both encodings, by a counter that knows other texts, and compares.
#[track_caller]
fn check(text: &str) {
    for encoding in [Encoding::Cl100k, Encoding::O200k] {
        let expected = definition(encoding).encode_ordinary(text).len();
        let start: String = text.chars().take(60).collect();
        assert_eq!(
            encoding.count(text),
            expected,
            "{encoding}: {} bytes that begin {start:?}",
            text.len()
        );
    }
}

/// Characters on which the two patterns and their alternatives differ, each from another class.
const TELLING: &str = "aezAEZ'’sStTmMdDrReEvVlL \u{17f}\u{212a}\t\r\n\u{b}\u{85}\u{a0}\u{2028}\u{3000}019½²٣.,!-_/=<|>(\"\0\u{7f}\
     éÉßǅʰªº\u{301}\u{308}\u{20dd}漢字。「あアー한ไ\u{e31}ชअ\u{93e}אב\u{5b8}Яяѣ—“”…•°µ±→αΩ\u{200d}\u{feff}\u{fffd}\u{ad}🧬👩\u{1f3fd}𝐀𝒶𠀀\u{10ffff}";

fn telling() -> impl Strategy<Value = String> {
    let characters: Vec<char> = TELLING.chars().collect();
    prop::collection::vec(prop::sample::select(characters), 0..40).prop_map(String::from_iter)
}

fn words() -> impl Strategy<Value = String> {
    let words = [
        "the",
        "Patient",
        "patients",
        "don't",
        "I'LL",
        "HbA1c",
        "mmHg",
        "µg/mL",
        "β-blocker",
        "naïve",
        " ",
        "  ",
        "\n\n",
        "\r\n",
        "\t",
        "12",
        "345,678.9",
        "(see",
        "T4)",
        "##",
        "**",
        "---",
        "======",
        "http://x.y/z",
        "急性",
        "心肌梗死，",
        "患者",
        "<|endoftext|>",
        "<|im_start|>",
        "<|endofprompt|>",
        "…",
        "—",
        "’s",
        "'ſ",
        "ſ",
        "🧬",
        "e\u{301}",
        "\u{301}",
        "X",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60)
        .prop_map(|words| words.concat())
}

fn runs() -> impl Strategy<Value = String> {
    let run = (prop::sample::select(TELLING.chars().collect::<Vec<_>>()), 1..400_usize)
        .prop_map(|(character, length)| std::iter::repeat_n(character, length).collect::<String>());
    prop::collection::vec(run, 1..5).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_unicode_counts_as_defined(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn telling_characters_count_as_defined(text in telling()) {
        check(&text);
    }

    #[test]
    fn words_and_marks_count_as_defined(text in words()) {
        check(&text);
    }

    /// In these scripts tokens of broken characters exist.
    #[test]
    fn scripts_of_several_bytes_count_as_defined(text in prop_oneof!["[一-龥]{1,90}", "[ऀ-ॿ]{1,90}", "[А-я]{1,90}", "[א-ת]{1,90}", "[ก-๛]{1,90}", "[ა-ჰ]{1,90}", "[가-힣]{1,90}", "[ぁ-ヿ]{1,90}", "[ا-ي]{1,90}", "[Ա-և]{1,90}", "[অ-৺]{1,90}", "[彩神票网的中文字幕时时 ,a]{1,90}", "[😀-🙏🏻-🏿]{1,90}", "[─-╿]{1,90}"]) {
        check(&text);
    }

    #[test]
    fn parts_count_as_they_do_alone(texts in prop::collection::vec(prop_oneof![telling(), words(), "[ a-c']{0,200}"], 5)) {
        let [before, first, between, second, after] = &texts[..] else { unreachable!() };
        let whole = texts.concat();
        let start = before.len();
        let next = start + first.len() + between.len();
        let parts = [start..start + first.len(), next..next + second.len()];
        prop_assert!(whole.ends_with(after.as_str()));
        for encoding in Encoding::ALL {
            let alone = (encoding.count(&whole), [encoding.count(first), encoding.count(second)]);
            prop_assert_eq!(encoding.count_with_parts(&whole, parts.clone()), alone);
        }
    }

    #[test]
    fn ascii_counts_as_defined(text in "[ -~\\n\\t]{0,80}") {
        check(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn long_runs_count_as_defined(text in runs()) {
        check(&text);
    }

    #[test]
    fn long_random_pieces_count_as_defined(text in prop_oneof!["[a-z]{60,3000}", "[A-Za-z]{60,3000}", "[!-/]{60,3000}", "[ab]{60,3000}", "[一-龥]{20,1000}", "[=-]{60,3000}"]) {
        check(&text);
    }

    #[test]
    fn a_new_counter_and_an_old_one_agree(text in words()) {
        for encoding in Encoding::ALL {
            let counter = Counter::new(encoding);
            let first = counter.count(&text);
            prop_assert_eq!(counter.count(&text), first);
            prop_assert_eq!(encoding.count(&text), first);
        }
    }
}

#[test]
fn texts_that_other_counters_get_wrong_count_as_defined() {
    for text in [
        " I'\u{17f} x",
        "I'\u{17f}",
        "it'S they'RE we'Ve I'M you'LL he'D 'tis 'Ll",
        "<|endoftext|><|fim_prefix|><|endofprompt|><|im_start|>",
        "a\u{301}\u{301}B\u{301}c",
        "\u{301}ABC'S \u{301}abc",
        "漢AAA!漢aA'll",
        "ABC漢DEF ghi",
        "\n \n  \n",
        " \n\n x",
        "x\r\n\r\n  /y\n/\n//",
        "  ",
        "\u{a0}\u{a0}x\u{3000}漢",
        "...\n\n/\n...",
        "1234567 ١٢٣٤٥ ½½½½",
        "",
    ] {
        check(text);
    }
}

#[test]
fn special_tokens_count_as_ordinary_text() {
    assert_eq!(Encoding::O200k.count("<|endoftext|>"), 7);
    assert_eq!(Encoding::Cl100k.count("<|endoftext|>"), 7);
}

#[test]
#[ignore = "takes minutes: .ci/run runs it"]
fn every_character_in_several_contexts_counts_as_defined() {
    let contexts = [
        "@", "a@", "@a", "A@", "@A", "a@b", " @", "@ ", "@\n", "\n@", "1@1", "'@", "I'@s", "@@",
        "@'s", ".@.", "漢@", "@漢", "\u{301}@",
    ];
    let mut text = String::new();
    for character in '\0'..=char::MAX {
        text.clear();
        for context in contexts {
            // A newline behind a letter ends every piece, so that one call covers all contexts.
            text.extend(context.chars().map(|each| if each == '@' { character } else { each }));
            text.push_str("x\nx");
        }
        check(&text);
    }
}
