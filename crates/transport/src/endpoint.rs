use std::fmt;

use async_openai::config::Config;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::key::{InvalidKey, Key};

/// Whose service it is, as far as that changes what a person is told.
///
/// # Examples
///
/// ```
/// use transport::Provider;
///
/// assert_eq!(Provider::OpenAi.to_string(), "openai");
/// assert_eq!(serde_json::to_string(&Provider::Local)?, r#""local""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Provider {
    /// `OpenAI`'s service, or another that speaks its dialect at another address.
    OpenAi,
    /// The embedded engine on this machine.
    Local,
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OpenAi => "openai",
            Self::Local => "local",
        })
    }
}

/// A shorter header's value is no secret, and taking it out would spoil every text.
const SHORTEST_SECRET: usize = 6;

/// Why an endpoint cannot be used.
///
/// # Examples
///
/// ```
/// use transport::{Endpoint, EndpointError, Provider};
///
/// let error = Endpoint::new(Provider::OpenAi, "https://me:secret@example.org/v1", None).unwrap_err();
/// assert!(matches!(error, EndpointError::BaseUrl(_)));
/// assert_eq!(error.to_string(), "the base URL holds a name or a password, which belongs into the key");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The key cannot be one.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The base URL is none, or is not `http` or `https`, or holds a query, a fragment or a password.
    #[error("the base URL {0}")]
    BaseUrl(&'static str),
    /// A header's name or value holds a character that it must not.
    #[error("the header `{0}` holds a character that a header must not hold")]
    Header(String),
    /// A line that should be `Name: value` has no colon; which line it is, counted from 1.
    #[error("line {0} is no header: it has no colon")]
    HeaderLine(usize),
    /// A part of a path, such as an id, is empty or only dots.
    #[error("a path holds a part that is empty or only dots")]
    Path,
    /// The request's body cannot be written.
    #[error("the request cannot be written")]
    Request,
    /// What should be certificates in PEM is something else.
    #[error("the certificates cannot be read")]
    Certificates(#[source] crate::error::Cause),
    /// The HTTP client could not be set up, or not for this request.
    #[error("the HTTP client could not be set up")]
    Client(#[source] crate::error::Cause),
}

/// Where a service is and how to show who asks.
///
/// # Examples
///
/// ```
/// use transport::{Endpoint, Key, Provider};
///
/// let endpoint = Endpoint::new(Provider::OpenAi, "http://llm.example.org/v1/", Some(Key::new("sk-secret")?))?
///     .with_organization("org-1")?
///     .with_project("proj-1")?
///     .with_header("x-team", "oncology")?
///     .with_header_lines("cf-access-token: ab12cd34\n")?
///     .with_key_header("api-key")?;
/// assert_eq!((endpoint.provider(), endpoint.host()), (Provider::OpenAi, "llm.example.org"));
/// assert_eq!(endpoint.base_url(), "http://llm.example.org/v1");
/// assert!(!endpoint.is_loopback());
/// assert!(endpoint.sends_key_in_clear(), "anybody on the way could read it");
/// assert_eq!(endpoint.redact("sk-secret with ab12cd34 is wrong"), "[key] with [key] is wrong");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Endpoint {
    provider: Provider,
    base_url: String,
    host: String,
    loopback: bool,
    key: Key,
    has_key: bool,
    headers: HeaderMap,
}

impl Endpoint {
    /// A service at `base_url` (with its `/v1`, with or without a slash at the end).
    ///
    /// # Errors
    ///
    /// [`EndpointError::BaseUrl`] where it is no `http` or `https` URL or holds more than scheme, host, port and path.
    pub fn new(
        provider: Provider,
        base_url: &str,
        key: Option<Key>,
    ) -> Result<Self, EndpointError> {
        let url = parsed(base_url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut endpoint = Self {
            provider,
            base_url: url.as_str().trim_end_matches('/').to_owned(),
            loopback: is_loopback(&url),
            host,
            has_key: key.is_some(),
            key: key.map_or_else(|| Key::new("none"), Ok)?,
            headers: HeaderMap::new(),
        };
        if endpoint.has_key {
            let bearer = format!("Bearer {}", endpoint.key.expose());
            endpoint.insert(AUTHORIZATION, &bearer, true)?;
        }
        Ok(endpoint)
    }

    /// The same, on behalf of an organisation.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Header`] where the id cannot stand in a header.
    pub fn with_organization(mut self, id: &str) -> Result<Self, EndpointError> {
        self.insert(HeaderName::from_static("openai-organization"), id.trim(), false)?;
        Ok(self)
    }

    /// The same, on behalf of a project.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Header`] where the id cannot stand in a header.
    pub fn with_project(mut self, id: &str) -> Result<Self, EndpointError> {
        self.insert(HeaderName::from_static("openai-project"), id.trim(), false)?;
        Ok(self)
    }

    /// The same, with a header of the caller's own, which wins over those above and is treated as a secret.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Header`] where name or value cannot be a header's.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, EndpointError> {
        let name: HeaderName =
            name.trim().parse().map_err(|_| EndpointError::Header(name.trim().to_owned()))?;
        self.insert(name, value.trim(), true)?;
        Ok(self)
    }

    /// The same with the key in a header of its own, such as `api-key`, instead of `Authorization`.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Header`] where the name cannot be a header's.
    pub fn with_key_header(mut self, name: &str) -> Result<Self, EndpointError> {
        if self.has_key {
            self.headers.remove(AUTHORIZATION);
            let key = self.key.expose().to_owned();
            self = self.with_header(name, &key)?;
        }
        Ok(self)
    }

    /// The same with the headers of `lines`, one `Name: value` a line, as the official SDKs read them.
    ///
    /// # Errors
    ///
    /// [`EndpointError::HeaderLine`] for a line without a colon, [`EndpointError::Header`] where name or value cannot be a
    /// header's.
    pub fn with_header_lines(mut self, lines: &str) -> Result<Self, EndpointError> {
        let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (index, line) in lines {
            let (name, value) = line.split_once(':').ok_or(EndpointError::HeaderLine(index + 1))?;
            self = self.with_header(name, value)?;
        }
        Ok(self)
    }

    fn insert(
        &mut self,
        name: HeaderName,
        value: &str,
        sensitive: bool,
    ) -> Result<(), EndpointError> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| EndpointError::Header(name.as_str().to_owned()))?;
        value.set_sensitive(sensitive);
        self.headers.insert(name, value);
        Ok(())
    }

    /// Whose service it is.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Its address, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether a key is sent, and whether it would be sent readable for anybody on the way.
    pub fn sends_key_in_clear(&self) -> bool {
        self.has_key && !self.loopback && self.base_url.starts_with("http:")
    }

    /// Takes the key and what secret headers hold out of a text that a service sent back.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets() {
            text = text.replace(secret, "[key]");
        }
        text
    }

    /// What must never be shown: the key, and what secret headers hold; of a value such as `Bearer abc` the last word.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let key = self.has_key.then(|| self.key.expose());
        let headers = self.headers.values().filter(|value| value.is_sensitive());
        let words = headers.filter_map(|value| value.to_str().ok()?.split_whitespace().last());
        key.into_iter().chain(words.filter(|word| word.len() >= SHORTEST_SECRET))
    }
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        self.key.secret()
    }
}

fn parsed(base_url: &str) -> Result<Url, EndpointError> {
    let url = Url::parse(base_url.trim()).map_err(|_| EndpointError::BaseUrl("is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(EndpointError::BaseUrl("starts neither with `https://` nor with `http://`"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(EndpointError::BaseUrl("names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::BaseUrl(
            "holds a name or a password, which belongs into the key",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::BaseUrl("holds a `?` or a `#`"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str) -> String {
        match Endpoint::new(Provider::OpenAi, base_url, None) {
            Ok(endpoint) => format!("{} {}", endpoint.base_url(), endpoint.is_loopback()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn base_urls_lose_their_last_slash_and_bad_ones_are_named() {
        assert_eq!(check(" https://api.openai.com/v1/ "), "https://api.openai.com/v1 false");
        assert_eq!(check("http://127.0.0.1:8080/v1"), "http://127.0.0.1:8080/v1 true");
        assert_eq!(check("http://[::1]:8080"), "http://[::1]:8080 true");
        assert_eq!(check(""), "the base URL is no URL");
        assert_eq!(
            check("ftp://x/v1"),
            "the base URL starts neither with `https://` nor with `http://`"
        );
        assert_eq!(
            check("https://me:pw@x/v1"),
            "the base URL holds a name or a password, which belongs into the key"
        );
        assert_eq!(check("https://x/v1?a=b"), "the base URL holds a `?` or a `#`");
    }

    #[test]
    fn a_header_with_a_line_break_is_refused_instead_of_a_panic() {
        let endpoint = Endpoint::new(Provider::OpenAi, "https://x/v1", None).unwrap();
        assert!(matches!(
            endpoint.clone().with_organization("a\nb"),
            Err(EndpointError::Header(_))
        ));
        assert!(matches!(endpoint.with_header("a b", "c"), Err(EndpointError::Header(_))));
    }

    #[test]
    fn a_key_and_own_headers_are_not_in_the_debug_text() {
        let key = Key::new("sk-planted").unwrap();
        let endpoint = Endpoint::new(Provider::OpenAi, "http://example.org/v1", Some(key)).unwrap();
        let endpoint = endpoint.with_header("api-key", "planted-too").unwrap();
        assert!(endpoint.sends_key_in_clear());
        assert!(!format!("{endpoint:?}").contains("planted"));
        assert_eq!(endpoint.redact("bad key sk-planted given"), "bad key [key] given");
        assert_eq!(endpoint.redact("not planted-too"), "not [key]");
    }

    #[test]
    fn the_key_may_stand_in_a_header_of_its_own() {
        let key = Key::new("sk-planted").unwrap();
        let endpoint = Endpoint::new(Provider::OpenAi, "https://x/v1", Some(key)).unwrap();
        let endpoint = endpoint.with_key_header("api-key").unwrap();
        assert_eq!(endpoint.headers.get("api-key").unwrap(), "sk-planted");
        assert!(endpoint.headers.get(AUTHORIZATION).is_none());
    }

    #[test]
    fn header_lines_are_read_and_a_line_without_a_colon_is_named_without_its_words() {
        let endpoint = || Endpoint::new(Provider::OpenAi, "https://x/v1", None).unwrap();
        let read = endpoint().with_header_lines("X-Team: a: b\n\n  cf-token :planted-1\n").unwrap();
        assert_eq!(read.headers.get("x-team").unwrap(), "a: b");
        assert_eq!(read.redact("planted-1"), "[key]");
        let error = endpoint().with_header_lines("a: b\nplanted").unwrap_err();
        assert_eq!(error.to_string(), "line 2 is no header: it has no colon");
    }
}
