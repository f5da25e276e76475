//! Text from tokens that come one by one.

use super::Tokenizer;

/// Turns tokens into text piece by piece and never cuts a character.
///
/// All pieces together are what [`Tokenizer::decode`] makes of all tokens.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{StreamDecoder, Tokenizer, Weights};
///
/// let tokenizer = Tokenizer::of(&Weights::open(Path::new("../../tests/golden/tiny-llama"))?)?;
/// let tokens = tokenizer.encode("°"); // two bytes, here two tokens
/// let mut decoder: StreamDecoder<'_> = tokenizer.stream();
/// assert_eq!(decoder.push(tokens[0]), "");
/// assert_eq!(decoder.push(tokens[1]), "°");
/// assert_eq!(decoder.finish(), "");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    /// Bytes that may be the beginning of a character.
    pending: Vec<u8>,
    /// Whether the next byte is the text's first.
    at_start: bool,
    /// Where tokens are not bytes: those since the last whole text, and how much of their text is out.
    window: Vec<u32>,
    given: usize,
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, pending: Vec::new(), at_start: true, window: Vec::new(), given: 0 }
    }

    /// The text that `token` completes; often empty, where it ends inside a character.
    pub fn push(&mut self, token: u32) -> String {
        match &self.tokenizer.pieces {
            Some(pieces) => {
                let mut bytes = pieces.bytes(token);
                if let Some((first, rest)) = bytes.split_first() {
                    if self.at_start && pieces.strips_space() && *first == b' ' {
                        bytes = rest;
                    }
                    self.at_start = false;
                }
                self.pending.extend_from_slice(bytes);
                let (text, used) = whole(&self.pending);
                self.pending.drain(..used);
                text
            }
            None => self.push_to_window(token),
        }
    }

    /// The rest: a character that never got complete, as `U+FFFD`.
    pub fn finish(self) -> String {
        if self.tokenizer.pieces.is_some() {
            return String::from_utf8_lossy(&self.pending).into_owned();
        }
        let text = self.tokenizer.decode(&self.window);
        text.get(self.given..).unwrap_or_default().to_owned()
    }

    /// For tokenizers whose tokens are not bytes: the text of the window grows with each token.
    fn push_to_window(&mut self, token: u32) -> String {
        /// The most tokens that one character can take, one a byte.
        const LONGEST: usize = 4;
        self.window.push(token);
        let text = self.tokenizer.decode(&self.window);
        let Some(new) = text.get(self.given..) else { return String::new() };
        if new.ends_with('\u{fffd}') && self.window.len() <= LONGEST {
            return String::new();
        }
        let new = new.to_owned();
        // The last token stays, because the first of a text may lose a leading space.
        self.window.drain(..self.window.len() - 1);
        self.given = self.tokenizer.decode(&self.window).len();
        new
    }
}

/// The whole characters at the beginning of `bytes` and the number of bytes that they took.
///
/// What can no longer become a character is `U+FFFD`, as `String::from_utf8_lossy` has it.
fn whole(bytes: &[u8]) -> (String, usize) {
    let mut text = String::new();
    let mut used = 0;
    loop {
        match std::str::from_utf8(&bytes[used..]) {
            Ok(rest) => {
                text.push_str(rest);
                return (text, bytes.len());
            }
            Err(error) => {
                let valid = used + error.valid_up_to();
                text.push_str(&String::from_utf8_lossy(&bytes[used..valid]));
                let Some(invalid) = error.error_len() else { return (text, valid) };
                text.push('\u{fffd}');
                used = valid + invalid;
            }
        }
    }
}
