//! The bytes that each token of a byte-level vocabulary stands for.

use tokenizers::Tokenizer as Encoder;

/// Each token's bytes; special tokens have none, since no text shows them.
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Token `i` has the bytes from `ends[i - 1]` (0 for the first) to `ends[i]`.
    ends: Vec<usize>,
}

/// Whether the described tokenizer joins its tokens as bytes and does nothing else to them.
pub(super) fn is_byte_level(described: &serde_json::Value) -> bool {
    described.pointer("/decoder/type").and_then(serde_json::Value::as_str) == Some("ByteLevel")
}

impl Pieces {
    pub(super) fn of(encoder: &Encoder, vocab: usize) -> Self {
        let added = encoder.get_added_tokens_decoder();
        let alphabet = alphabet();
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(vocab));
        for id in 0..u32::try_from(vocab).unwrap_or(u32::MAX) {
            let special = added.get(&id).is_some_and(|token| token.special);
            let token = encoder.id_to_token(id).filter(|_| !special).unwrap_or_default();
            let mapped: Option<Vec<u8>> =
                token.chars().map(|c| alphabet.get(c as usize).copied().flatten()).collect();
            // A token with a character outside the alphabet was added as plain text.
            bytes.extend(mapped.unwrap_or_else(|| token.into_bytes()));
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    /// The bytes of `token`; none for special tokens and for numbers outside the vocabulary.
    pub(super) fn bytes(&self, token: u32) -> &[u8] {
        let token = token as usize;
        let Some(end) = self.ends.get(token) else { return &[] };
        let start = token.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..*end]
    }
}

/// GPT-2's alphabet, reversed: the byte that each of its 256 characters stands for, by the character's number.
///
/// Printable Latin-1 stands for itself, the other bytes in order for the characters from 256 on
/// (`bytes_to_unicode` in <https://github.com/openai/gpt-2/blob/master/src/encoder.py>).
fn alphabet() -> Vec<Option<u8>> {
    let mut alphabet = vec![None; 512];
    let mut next = 256;
    for byte in 0..=u8::MAX {
        if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
            alphabet[usize::from(byte)] = Some(byte);
        } else {
            alphabet[next] = Some(byte);
            next += 1;
        }
    }
    alphabet
}
