//! The secret that clients present as their API key.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A bearer token; its text is in no `Debug` and compared in constant time.
///
/// # Examples
///
/// ```
/// use server::Token;
///
/// let token = Token::random();
/// assert!(token.expose().starts_with("sk-local-"));
/// assert!(!format!("{token:?}").contains(token.expose()));
/// assert!(Token::new(" two words ").is_none(), "no header carries it");
/// ```
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token `text`, trimmed; `None` when it is empty or no header could carry it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty() && printable).then(|| Self(text.to_owned()))
    }

    /// A token of 244 random bits.
    pub fn random() -> Self {
        let (high, low) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        Self(format!("sk-local-{}{}", high.simple(), low.simple()))
    }

    /// The text itself, to hand to a client.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this token, in a time that depends on neither.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        // Digests have one length, and a difference in them says nothing about where the texts differ.
        let (ours, theirs) = (Sha256::digest(&self.0), Sha256::digest(presented));
        let difference = ours.iter().zip(&theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_matches_and_debug_hides_it() {
        let token = Token::new(" secret-1 ").unwrap();
        assert!(token.matches("secret-1"));
        assert!(!token.matches("secret-2") && !token.matches("") && !token.matches("secret-11"));
        assert!(!format!("{token:?}").contains("secret"));
        assert_ne!(Token::random().expose(), Token::random().expose());
    }

    #[test]
    fn a_token_that_no_header_carries_is_refused() {
        assert!(Token::new("  ").is_none() && Token::new("two words").is_none());
        assert!(Token::new("line\nbreak").is_none());
    }
}
