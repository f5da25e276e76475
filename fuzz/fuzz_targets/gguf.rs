//! A GGUF file of any bytes is refused, or every tensor lies within it and whatever else it describes is usable.
#![no_main]

use std::io::Write as _;

use engine::gguf::Gguf;
use engine::{ChatTemplate, Error, Tokenizer, Weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(gguf) = Gguf::parse(bytes) else { return };
    for place in gguf.tensors().values() {
        assert!(place.range.end <= bytes.len());
    }
    if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf) {
        let tokens = tokenizer.encode("Chest pain: 12 mg, \u{1d6fd}-blocker <|im_end|>");
        let _ = tokenizer.decode(&tokens);
    }
    let mut file = tempfile::Builder::new().suffix(".gguf").tempfile().expect("a place to write");
    file.write_all(bytes).expect("room to write");
    let Ok(weights) = Weights::open(file.path()) else { return };
    for name in weights.names() {
        let tensor = weights.tensor(name);
        assert!(matches!(tensor, Ok(_) | Err(Error::NotFinite { .. })));
    }
    if let Ok(tokenizer) = Tokenizer::of(&weights) {
        let _ = ChatTemplate::of(&weights, &tokenizer);
    }
});
