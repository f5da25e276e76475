//! Any bytes as chat examples and as JSON values.

#![no_main]

use dataset::{ChatReader, JsonReader, Limits};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { record_bytes: 1 << 16, depth: 16 };
    for chat in ChatReader::new(bytes, limits) {
        let Ok(chat) = chat else { break };
        assert!(chat.value.is_some() || !chat.findings.is_empty(), "what is not read has a reason");
        let _ = chat.content_hash();
    }
    for value in JsonReader::new(bytes, limits) {
        if value.is_err() {
            break;
        }
    }
});
