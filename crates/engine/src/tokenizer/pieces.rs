//! The bytes that each token of a byte-level or `SentencePiece` vocabulary stands for.

use serde_json::{Value, json};
use tokenizers::Tokenizer as Encoder;

/// Each token's bytes; special tokens have none, since no text shows them.
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Token `i` has the bytes from `ends[i - 1]` (0 for the first) to `ends[i]`.
    ends: Vec<usize>,
    /// Whether the space that a text begins with was put there by the tokenizer.
    strips_space: bool,
}

/// How tokens become text, where it is by their bytes and by nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// In GPT-2's alphabet.
    ByteLevel,
    /// `▁` for a space, `<0x0A>` for a byte.
    SentencePiece,
}

impl Kind {
    /// The kind of the described tokenizer, and whether the first space goes.
    fn of(described: &Value) -> Option<(Self, bool)> {
        let decoder = described.get("decoder")?;
        if decoder["type"] == "ByteLevel" {
            return Some((Self::ByteLevel, false));
        }
        let parts = decoder["decoders"].as_array().filter(|_| decoder["type"] == "Sequence")?;
        let (space, rest) = parts.split_first()?;
        let spaces = json!({"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "});
        let strip = json!({"type": "Strip", "content": " ", "start": 1, "stop": 0});
        let (bytes, rest) = rest.split_at_checked(2)?;
        let by_bytes = bytes[0]["type"] == "ByteFallback" && bytes[1]["type"] == "Fuse";
        let stripped = rest == [strip];
        (*space == spaces && by_bytes && (rest.is_empty() || stripped))
            .then_some((Self::SentencePiece, stripped))
    }

    fn bytes(self, token: &str, alphabet: &[Option<u8>]) -> Vec<u8> {
        match self {
            Self::ByteLevel => {
                let mapped: Option<Vec<u8>> =
                    token.chars().map(|c| alphabet.get(c as usize).copied().flatten()).collect();
                // A token with a character outside the alphabet was added as plain text.
                mapped.unwrap_or_else(|| token.as_bytes().to_vec())
            }
            Self::SentencePiece => {
                let hex = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
                let byte = hex.filter(|hex| hex.len() == 2);
                match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(byte) => vec![byte],
                    None => token.replace('\u{2581}', " ").into_bytes(),
                }
            }
        }
    }
}

impl Pieces {
    /// The pieces of the described tokenizer, where it joins its tokens as bytes and does nothing else to them.
    pub(super) fn of(described: &Value, encoder: &Encoder, vocab: usize) -> Option<Self> {
        let (kind, strips_space) = Kind::of(described)?;
        let added = encoder.get_added_tokens_decoder();
        let alphabet = alphabet();
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(vocab));
        for id in 0..u32::try_from(vocab).unwrap_or(u32::MAX) {
            let special = added.get(&id).is_some_and(|token| token.special);
            let token = encoder.id_to_token(id).filter(|_| !special).unwrap_or_default();
            bytes.extend(kind.bytes(&token, &alphabet));
            ends.push(bytes.len());
        }
        Some(Self { bytes, ends, strips_space })
    }

    /// All bytes of `tokens`, without what the tokenizer put before the text.
    pub(super) fn join(&self, tokens: &[u32]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            tokens.iter().flat_map(|token| self.bytes(*token)).copied().collect();
        if self.strips_space && bytes.first() == Some(&b' ') {
            bytes.remove(0);
        }
        bytes
    }

    /// Whether the space that a text begins with was put there by the tokenizer.
    pub(super) fn strips_space(&self) -> bool {
        self.strips_space
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
