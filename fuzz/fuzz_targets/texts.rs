//! Any text: counted, searched for identifiers, redacted, split into halves.

#![no_main]

use identifiers::{redact, scan};
use template::Template;
use tokens::{Count, Encoding};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for encoding in [Encoding::O200k, Encoding::Cl100k] {
        let count = Count::count(&encoding, text);
        assert!(count <= text.len(), "a token has a byte at least");
        assert_eq!(count == 0, text.is_empty());
    }
    for finding in scan(text) {
        assert!(text.get(finding.range).is_some_and(|found| !found.is_empty()));
    }
    assert!(scan(&redact(text)).is_empty(), "what is redacted holds nothing more");
    for template in [Template::Headed, Template::Think, Template::Plain] {
        let _ = template.split(text);
    }
});
