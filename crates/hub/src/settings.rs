//! How the hub is asked.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// The hub's public address.
const PUBLIC: &str = "https://huggingface.co";

/// How the hub is asked: the values of its own environment variables, which the tool has read.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hub::Settings;
///
/// let settings = Settings {
///     endpoint: Some("https://hub.hospital.example".to_owned()),
///     stall: Duration::from_secs(300),
///     ..Settings::default()
/// };
/// assert_eq!(settings.address(), "https://hub.hospital.example");
/// assert_eq!(Settings::default().address(), "https://huggingface.co");
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub's address (`HF_ENDPOINT`); none is `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// The user's token (`HF_TOKEN`). With none, the `hf-hub` crate looks where Hugging Face's own tools keep it.
    pub token: Option<Token>,
    /// Whether the hub may not be asked (`HF_HUB_OFFLINE`).
    pub offline: bool,
    /// How long the hub may take to its first answer.
    pub patience: Duration,
    /// How long a download that has begun may stand still.
    pub stall: Duration,
}

impl Default for Settings {
    /// The public hub, with 5 seconds to its first answer and a minute between two pieces.
    fn default() -> Self {
        Self {
            endpoint: None,
            token: None,
            offline: false,
            patience: Duration::from_secs(5),
            stall: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// The hub's address.
    pub fn address(&self) -> &str {
        self.endpoint.as_deref().unwrap_or(PUBLIC)
    }
}

/// A token for the hub, which shows itself to nobody.
///
/// # Examples
///
/// ```
/// let token = hub::Token::from("hf_secret".to_owned());
/// let settings = hub::Settings { token: Some(token), ..hub::Settings::default() };
/// assert!(!format!("{settings:?}").contains("hf_secret"));
/// ```
#[derive(Clone, Debug)]
pub struct Token(SecretString);

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(token.into())
    }
}

impl Token {
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
