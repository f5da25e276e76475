//! A model's folder with any bytes as its `tokenizer.json` is refused, or its texts become tokens of its vocabulary.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use engine::{ChatMessage, ChatTemplate, Tokenizer, Weights};
use libfuzzer_sys::fuzz_target;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/tiny-llama");

fuzz_target!(|bytes: &[u8]| {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a place to write");
        for name in ["config.json", "model.safetensors", "tokenizer_config.json"] {
            fs::copy(Path::new(MODEL).join(name), folder.path().join(name)).expect("room to write");
        }
        folder
    });
    fs::write(folder.path().join("tokenizer.json"), bytes).expect("room to write");
    let weights = Weights::open(folder.path()).expect("the golden model");
    let Ok(tokenizer) = Tokenizer::of(&weights) else { return };
    let vocab = weights.config().vocab;
    for tokens in [
        tokenizer.encode("Chest pain: 12 mg, \u{1d6fd}-blocker <|im_end|>\r\n\u{661f}"),
        tokenizer.encode_with_special("<s>What?</s>"),
    ] {
        assert!(tokens.iter().all(|token| (*token as usize) < vocab));
        let _ = tokenizer.decode(&tokens);
        let mut stream = tokenizer.stream();
        let _: String = tokens.iter().map(|token| stream.push(*token)).collect();
    }
    if let Ok(template) = ChatTemplate::of(&weights, &tokenizer) {
        let _ = template.render(&[ChatMessage::new("user", "Chest pain?")], true);
    }
});
