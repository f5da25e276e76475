//! A short name for a template together with a system prompt.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::template::Template;

/// SHA-256 of a template and a system prompt.
///
/// It is equal where a model is asked as it was trained.
///
/// # Examples
///
/// ```
/// use template::{Fingerprint, Template, fingerprint};
///
/// let trained = fingerprint(&Template::Headed, "Be brief.");
/// assert_eq!(trained.to_string().parse::<Fingerprint>(), Ok(trained));
/// assert!("abc".parse::<Fingerprint>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

/// A text that is not 64 lower-case hexadecimal digits.
///
/// # Examples
///
/// ```
/// use template::{Fingerprint, NotAFingerprint};
///
/// assert!("0f".repeat(32).parse::<Fingerprint>().is_ok());
/// assert_eq!("0F".repeat(32).parse::<Fingerprint>(), Err(NotAFingerprint));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint (64 lower-case hexadecimal digits)")]
pub struct NotAFingerprint;

/// The fingerprint of `template` together with `system_prompt`.
///
/// # Examples
///
/// ```
/// use template::{SYSTEM_PROMPT, Template, fingerprint};
///
/// let trained = fingerprint(&Template::Headed, SYSTEM_PROMPT);
/// assert_eq!(trained, fingerprint(&Template::Headed, SYSTEM_PROMPT));
/// assert_ne!(trained, fingerprint(&Template::Plain, SYSTEM_PROMPT));
/// assert_ne!(trained, fingerprint(&Template::Headed, "Be brief."));
/// ```
pub fn fingerprint(template: &Template, system_prompt: &str) -> Fingerprint {
    let source = template.source();
    let mut hash = Sha256::new();
    // The length keeps the border between the two apart from their text.
    hash.update((source.len() as u64).to_le_bytes());
    hash.update(source.as_bytes());
    hash.update(system_prompt.as_bytes());
    let digits = |byte: &u8| {
        [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
    };
    Fingerprint(hash.finalize().iter().flat_map(digits).collect())
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        let valid =
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(Self(text)) } else { Err(NotAFingerprint) }
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jinja::Jinja;
    use crate::prompt::SYSTEM_PROMPT;

    /// Saved models carry these: a change would make every one of them look wrongly asked.
    #[test]
    fn the_fingerprints_of_the_defaults_stay_as_they_are() {
        insta::assert_snapshot!(fingerprint(&Template::Headed, SYSTEM_PROMPT), @"3c71e6ed2525c079d0f71b6c0795415dbc18cd4790ea4f286ecb9d03c51fd2ec");
        insta::assert_snapshot!(fingerprint(&Template::Plain, SYSTEM_PROMPT), @"c191ac72d60d6857eee039cd9824d6cf8422780939b7f9aaf917c5e9aaacbf59");
        insta::assert_snapshot!(fingerprint(&Template::Think, SYSTEM_PROMPT), @"7efb1677bef1de1e20be44d4f9785e86ca82728bd5043c2bdaa6650e99274c8a");
    }

    #[test]
    fn a_users_template_has_the_fingerprint_of_its_source() {
        let of = |source| fingerprint(&Template::Jinja(Jinja::new(source).unwrap()), "x");
        assert_eq!(of("{{ response }}"), of("{{ response }}"));
        assert_ne!(of("{{ response }}"), of("{{ response }}."));
        assert_ne!(of("{{ reasoning }}\n\n{{ response }}"), fingerprint(&Template::Plain, "x"));
    }

    #[test]
    fn a_fingerprint_reads_back_and_anything_else_is_refused() {
        let fingerprint = fingerprint(&Template::Headed, "x");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint.clone()));
        let json = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
        assert_eq!(
            fingerprint.to_string().to_uppercase().parse::<Fingerprint>(),
            Err(NotAFingerprint)
        );
        assert_eq!("abc".parse::<Fingerprint>(), Err(NotAFingerprint));
    }
}
