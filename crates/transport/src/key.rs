use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A text that cannot be a key; which text it was is not told.
///
/// # Examples
///
/// ```
/// use transport::{InvalidKey, Key};
///
/// assert!(matches!(Key::new(" \n"), Err(InvalidKey::Empty)));
/// assert!(matches!(Key::new("sk-secret # mine"), Err(InvalidKey::Character)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// Nothing is left after the blanks around it are taken off.
    #[error("the key is empty")]
    Empty,
    /// It holds a line break, a blank or a character outside ASCII.
    #[error("the key holds a blank, a line break or a character outside ASCII")]
    Character,
}

/// A service's key; its value is in no `Debug` and has no `Display`.
///
/// # Examples
///
/// ```
/// use transport::Key;
///
/// let key = Key::new("sk-secret\r\n")?; // as it stands in a file
/// assert_eq!(key.expose(), "sk-secret");
/// assert_eq!(format!("{key:?}"), "Key(..)");
/// # Ok::<(), transport::InvalidKey>(())
/// ```
#[derive(Clone)]
pub struct Key(SecretString);

impl Key {
    /// Takes the blanks and line breaks around `text` off and checks that the rest can stand in a header.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Empty`] where nothing is left, [`InvalidKey::Character`] where a character cannot stand in a key.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim().trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if !text.chars().all(|character| character.is_ascii_graphic()) {
            return Err(InvalidKey::Character);
        }
        Ok(Self(SecretString::from(text)))
    }

    pub(crate) fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The key's value; call it only where a request or a server's check needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_key_are_taken_off_and_blanks_inside_are_refused() {
        assert_eq!(Key::new(" sk-1\r\n").map(|key| key.expose().to_owned()), Ok("sk-1".to_owned()));
        assert_eq!(Key::new(" \n").err(), Some(InvalidKey::Empty));
        assert_eq!(Key::new("sk-1\nsk-2").err(), Some(InvalidKey::Character));
        assert_eq!(Key::new("sk-ä").err(), Some(InvalidKey::Character));
    }

    #[test]
    fn a_key_is_not_in_its_debug_text() {
        assert_eq!(format!("{:?}", Key::new("sk-planted").unwrap()), "Key(..)");
    }
}
