use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::*;

/// Token ids of Hugging Face's tokenizers: `tests/golden/make_text.py`.
const GOLDEN: &str = include_str!("../../../../tests/golden/tokens.json");

#[derive(Deserialize)]
struct Golden {
    encoded: Vec<Encoded>,
    decoded: Vec<Decoded>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    times: usize,
    plain: Vec<u32>,
    parsed: Vec<u32>,
}

#[derive(Deserialize)]
struct Decoded {
    tokens: Vec<u32>,
    text: String,
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama")
}

fn streamed(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut stream = tokenizer.stream();
    let mut text: String = tokens.iter().map(|token| stream.push(*token)).collect();
    text.push_str(&stream.finish());
    text
}

fn agrees_with_hugging_face(name: &str, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let mut golden: BTreeMap<String, Golden> = serde_json::from_str(GOLDEN)?;
    let golden = golden.remove(name).expect("the golden file has this model");
    for case in golden.encoded {
        let text = case.text.repeat(case.times);
        assert_eq!(tokenizer.encode(&text), case.plain, "{:?} x {}", case.text, case.times);
        assert_eq!(
            tokenizer.encode_with_special(&text),
            case.parsed,
            "{:?} x {}",
            case.text,
            case.times
        );
        assert_eq!(tokenizer.decode(&case.plain), text);
        assert_eq!(streamed(tokenizer, &case.plain), text);
    }
    for case in golden.decoded {
        assert_eq!(tokenizer.decode(&case.tokens), case.text);
        assert_eq!(streamed(tokenizer, &case.tokens), case.text);
    }
    Ok(())
}

#[test]
fn the_bytes_of_all_tokens_are_the_text_with_its_special_tokens() -> anyhow::Result<()> {
    let weights = crate::Weights::open(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama"),
    )?;
    let tokenizer = Tokenizer::of(&weights)?;
    let end = tokenizer.special_text("eos_token").expect("the model ends its answers").to_owned();
    let text = format!("aé 🦀{end}\nb");
    let tokens = tokenizer.encode_with_special(&text);
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| tokenizer.bytes(*token)).collect();
    assert_eq!(String::from_utf8(bytes)?, text);
    assert!(tokens.contains(&tokenizer.token(&end).expect("it is a token")));
    Ok(())
}

#[test]
fn the_tiny_models_tokens_are_those_of_hugging_face() -> anyhow::Result<()> {
    for path in [tiny(), tiny().join("model.gguf")] {
        let tokenizer = Tokenizer::of(&Weights::open(&path)?)?;
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), &[2][..]));
        agrees_with_hugging_face("tiny-llama", &tokenizer)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs the base model: .ci/run fetches it"]
fn smollm2s_tokens_are_those_of_hugging_face() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::of(&Weights::open(&crate::testing::base_model())?)?;
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), &[2][..]));
    agrees_with_hugging_face("smollm2-135m-instruct", &tokenizer)
}

#[derive(Deserialize)]
struct Records {
    texts: usize,
    tokens: usize,
    sha256: String,
}

#[test]
#[ignore = "needs the base model, which .ci/run fetches, and ../shared"]
fn the_real_records_tokens_are_those_of_hugging_face() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::of(&Weights::open(&crate::testing::base_model())?)?;
    let golden = std::fs::read_to_string(crate::testing::golden("record_tokens.json"))?;
    let golden: BTreeMap<String, Records> = serde_json::from_str(&golden)?;
    assert_eq!(golden.len(), 2);
    for (name, golden) in golden {
        let path = crate::testing::golden("../../../shared/data/records").join(name);
        let records: Vec<BTreeMap<String, String>> =
            serde_json::from_slice(&std::fs::read(&path)?)?;
        let fields = ["Question", "Complex_CoT", "Response"];
        let texts = records.iter().flat_map(|record| fields.map(|field| &record[field][..]));
        let (mut found, mut bytes) = (Records { texts: 0, tokens: 0, ..golden }, Vec::new());
        for text in texts {
            let ids = tokenizer.encode(text);
            let numbers = std::iter::once(u32::try_from(ids.len())?).chain(ids.iter().copied());
            bytes.extend(numbers.flat_map(u32::to_le_bytes));
            found.texts += 1;
            found.tokens += ids.len();
        }
        assert_eq!((found.texts, found.tokens), (golden.texts, golden.tokens), "{path:?}");
        let digest = Sha256::digest(&bytes);
        let hex = (0..digest.len()).map(|i| u8::from_str_radix(&found.sha256[2 * i..][..2], 16));
        assert_eq!(hex.collect::<Result<Vec<u8>, _>>()?, digest.to_vec(), "{path:?}");
    }
    Ok(())
}

#[test]
fn every_kind_of_tokenizer_that_gguf_names_gives_the_tokens_of_hugging_face() -> anyhow::Result<()>
{
    let folder = crate::testing::golden("tokenizers");
    let golden = std::fs::read_to_string(folder.join("expected.json"))?;
    let golden: BTreeMap<String, Golden> = serde_json::from_str(&golden)?;
    assert_eq!(golden.len(), 3);
    for (kind, golden) in golden {
        let bytes = std::fs::read(folder.join(format!("{kind}.gguf")))?;
        let tokenizer = Tokenizer::from_gguf(&Gguf::parse(&bytes)?)?;
        for case in golden.encoded {
            let text = case.text.repeat(case.times);
            assert_eq!(tokenizer.encode(&text), case.plain, "{kind} {text:?}");
            assert_eq!(tokenizer.encode_with_special(&text), case.parsed, "{kind} {text:?}");
        }
        for case in golden.decoded {
            assert_eq!(tokenizer.decode(&case.tokens), case.text, "{kind}");
            assert_eq!(streamed(&tokenizer, &case.tokens), case.text, "{kind}");
        }
    }
    Ok(())
}

#[test]
fn a_sentencepiece_vocabulary_needs_its_scores() -> anyhow::Result<()> {
    let sound = std::fs::read(crate::testing::golden("tokenizers/spm.gguf"))?;
    let text = b"ggml.scores";
    let at = sound.windows(text.len()).position(|window| window == text).expect("it has scores");
    let mut bytes = sound.clone();
    bytes[at..at + text.len()].copy_from_slice(b"ggml.scorez");
    let error = from_gguf::describe(&Gguf::parse(&bytes)?).err().expect("they are gone");
    insta::assert_snapshot!(error, @"`tokenizer.ggml.scores` is missing or has the wrong type");
    Ok(())
}

#[test]
fn characters_that_take_several_tokens_are_never_cut() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::of(&Weights::open(&tiny())?)?;
    let mut stream = tokenizer.stream();
    let pieces: Vec<String> =
        tokenizer.encode("é🫀").into_iter().map(|token| stream.push(token)).collect();
    assert_eq!(pieces.iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>(), ["é", "🫀"]);
    assert!(pieces.len() >= 6);
    Ok(())
}

#[test]
fn tokens_outside_the_vocabulary_have_no_text() -> anyhow::Result<()> {
    let tokenizer = Tokenizer::of(&Weights::open(&tiny())?)?;
    assert_eq!(tokenizer.decode(&[384, u32::MAX]), "");
    Ok(())
}

#[test]
fn a_tokenizer_with_more_tokens_than_the_model_is_refused() -> anyhow::Result<()> {
    let described = from_folder::describe(&tiny())?;
    let error = Tokenizer::build(described, 383).expect_err("token 383 has no embedding");
    insta::assert_snapshot!(error, @"token 383 is outside the model's vocabulary of 383");
    Ok(())
}

#[test]
fn a_gguf_tokenizer_of_another_kind_is_refused_with_its_name() -> anyhow::Result<()> {
    let sound = std::fs::read(tiny().join("model.gguf"))?;
    let spoil = |from: &[u8], to: &[u8]| -> anyhow::Result<String> {
        let at =
            sound.windows(from.len()).position(|window| window == from).expect("the text is there");
        let mut bytes = sound.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        Ok(from_gguf::describe(&Gguf::parse(&bytes)?).err().expect("it is spoilt").to_string())
    };
    insta::assert_snapshot!(spoil(b"smollm", b"viking")?, @"the tokenizer kind tokenizer.ggml.pre = `viking` is not supported");
    insta::assert_snapshot!(spoil(b"gpt2", b"bert")?, @"the tokenizer kind tokenizer.ggml.model = `bert` is not supported");
    insta::assert_snapshot!(spoil(b"ggml.merges", b"ggml.mergez")?, @"`tokenizer.ggml.merges` is missing or has the wrong type");
    Ok(())
}

proptest! {
    #[test]
    fn every_text_comes_back(text in "\\PC{0,60}", bytes in proptest::collection::vec(0_u32..384, 0..60)) {
        let tokenizer = Tokenizer::of(&Weights::open(&tiny())?)?;
        let tokens = tokenizer.encode(&text);
        prop_assert_eq!(tokenizer.decode(&tokens), &text[..]);
        prop_assert_eq!(streamed(&tokenizer, &tokens), text);
        prop_assert_eq!(streamed(&tokenizer, &bytes), tokenizer.decode(&bytes));
    }
}
