use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::*;
use crate::tokenizer::Tokenizer;
use crate::weights::Weights;

/// The tiny model's tokenizer from its folder and from its GGUF file, and the first one without the cut around digits.
static TINY: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    let open = |path: &Path| Tokenizer::of(&Weights::open(path).unwrap()).unwrap();
    let mut described = super::super::from_folder::describe(&folder).unwrap();
    described.json["pre_tokenizer"] = described.json["pre_tokenizer"]["pretokenizers"][1].take();
    let gpt2 = Tokenizer::build(described, 384).unwrap();
    vec![open(&folder), open(&folder.join("model.gguf")), gpt2]
});

/// The pieces that the tokenizer's own rules cut `text` into.
fn pieces(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let mut cut = PreTokenizedString::from(text);
    tokenizer.plain.get_pre_tokenizer().unwrap().pre_tokenize(&mut cut).unwrap();
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    splits.into_iter().map(|(piece, ..)| piece.to_owned()).collect()
}

/// Whether the parts of `text` are cut on as the whole is, and hold its tokens.
fn cut_well(tokenizer: &Tokenizer, text: &str) -> bool {
    let parts: Vec<&str> = tokenizer.cut(text).collect();
    let tokens: Vec<u32> = parts.iter().flat_map(|part| tokenizer.encode(part)).collect();
    let split: Vec<String> = parts.iter().flat_map(|part| pieces(tokenizer, part)).collect();
    parts.concat() == text && split == pieces(tokenizer, text) && tokens == tokenizer.encode(text)
}

#[test]
fn a_text_is_cut_where_a_piece_is_sure_to_end() {
    let cut = |index: usize, text| TINY[index].cut(text).collect::<Vec<_>>().join("|");
    let text = "Don't say  \n\"4.5 mg\" (x2)…or é, it's";
    let parts = "Don|'t| say|  \n\"|4|.|5| mg|\"| (|x|2|)…or| é,| it|'s";
    assert_eq!(cut(0, text), parts);
    assert_eq!(cut(1, text), cut(0, text));
    assert_eq!([cut(0, "12 34"), cut(2, "12 34")], ["1|2| 3|4", "12| 34"]);
    assert_eq!(cut(0, ""), "");
}

#[test]
fn a_tokenizer_with_other_rules_is_not_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    let sound = super::super::from_folder::describe(&folder).unwrap().json;
    assert_eq!(Rule::of(&sound), Rule::Gpt2Digits);
    for (key, value) in [
        ("/normalizer", json!({"type": "NFC"})),
        ("/truncation", json!({"max_length": 8})),
        ("/model/type", json!("Unigram")),
        ("/model/dropout", json!(0.1)),
        ("/model/end_of_word_suffix", json!("</w>")),
        ("/added_tokens/0/special", json!(false)),
        ("/pre_tokenizer/pretokenizers/0/individual_digits", json!(false)),
        ("/pre_tokenizer/pretokenizers/1/use_regex", json!(false)),
        ("/pre_tokenizer/pretokenizers/1/add_prefix_space", json!(true)),
        ("/pre_tokenizer/type", json!("Other")),
        ("/pre_tokenizer", json!({"type": "Whitespace"})),
    ] {
        let mut spoilt = sound.clone();
        match spoilt.pointer_mut(key) {
            Some(place) => *place = value,
            None => spoilt["model"][key.rsplit('/').next().unwrap()] = value,
        }
        assert_eq!(Rule::of(&spoilt), Rule::Whole, "{key}");
    }
}

#[test]
fn every_pair_of_ascii_characters_is_cut_well() {
    for tokenizer in TINY.iter() {
        for (before, after) in (0..128_u8).flat_map(|before| (0..128_u8).map(move |a| (before, a)))
        {
            let (before, after) = (char::from(before), char::from(after));
            for text in [
                format!("{before}{after}"),
                format!("a {before}{after}s"),
                format!("'{before}{after} é"),
            ] {
                assert!(cut_well(tokenizer, &text), "{text:?}");
            }
        }
    }
}

#[test]
fn every_character_is_cut_well_between_others() {
    let characters: Vec<char> =
        ('\0'..'\u{3100}').chain(('\u{3100}'..=char::MAX).step_by(61)).collect();
    for some in characters.chunks(64) {
        let contexts = |c: &char| format!("a{c}b {c}5{c}, {c}{c}'{c}s\n{c} x");
        let text: String = some.iter().map(contexts).collect();
        assert!(cut_well(&TINY[0], &text), "{some:?}");
    }
}

fn hostile_text() -> impl Strategy<Value = String> {
    let unit = prop_oneof![
        "\\PC{1,4}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            "\u{a0}",
            "\u{2028}",
            "\u{85}",
            "'",
            "'s",
            "'LL",
            "1",
            "½",
            "٣",
            "Ⅷ",
            "é",
            "e\u{301}",
            "漢",
            "🧬",
            "\u{200d}",
            "<|im_end|>",
            "<|im_start|>",
            "## ",
            "...",
            "—",
            "\0",
            "\x1f",
        ])
        .prop_map(str::to_owned),
        ("[a-z0-9 ',.é]", 1..200_usize).prop_map(|(unit, times)| unit.repeat(times)),
    ];
    prop::collection::vec(unit, 0..24).prop_map(|units| units.concat())
}

proptest! {
    #[test]
    fn every_text_is_cut_well(text in hostile_text()) {
        for tokenizer in TINY.iter() {
            prop_assert!(cut_well(tokenizer, &text));
        }
    }
}

#[test]
#[ignore = "needs the base model: .ci/run fetches it"]
fn smollm2s_texts_are_cut_well() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::of(&Weights::open(&crate::testing::base_model())?)?;
    assert_eq!(tokenizer.cut("a b").count(), 2);
    proptest!(|(text in hostile_text())| prop_assert!(cut_well(&tokenizer, &text)));
    for unit in ["a", " ", "!", "7", "é", "漢字", "word ", "<|im_end|>", "'s"] {
        assert!(cut_well(&tokenizer, &unit.repeat(20_000)), "{unit:?}");
    }
    Ok(())
}
