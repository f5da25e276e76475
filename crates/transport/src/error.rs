use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use wire::ServiceError;

use crate::endpoint::EndpointError;
use crate::key::InvalidKey;
use crate::limits::RateLimits;

/// Why a request had no usable answer.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::Value;
/// use transport::{Repeat, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let reply = r#"{"error": {"message": "no such model", "code": "model_not_found"}}"#;
/// # let client = canned([
/// #     (404, reply),
/// #     (500, r#""#),
/// # ]).await?;
/// let missing = client.get::<Value>(&Route::new(["models", "gpt-5"])?).await.unwrap_err();
/// assert_eq!((missing.status(), missing.is_transient()), (Some(404), false));
/// assert_eq!(missing.refusal().and_then(|refusal| refusal.code()), Some("model_not_found"));
/// assert_eq!(missing.to_string(), "the service answered 404: no such model (model_not_found) [request req_1]");
///
/// let jobs = Route::new(["fine_tuning", "jobs"])?;
/// let broken = client.post::<Value>(&jobs, &Value::Null, Repeat::Unprocessed).await.unwrap_err();
/// assert!(broken.is_ambiguous(), "the job may be there all the same");
/// assert!(broken.is_transient());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request could not be built: nothing was sent.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There was no connection: the service has not seen the request.
    #[error("no connection to {host} ({attempts} tried)")]
    Unreachable {
        /// The service's host.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong.
        source: Cause,
    },
    /// The request was sent and no whole answer came: whether the service has acted is not known.
    #[error("the connection to {host} broke before the answer was whole ({attempts} tried)")]
    Broken {
        /// The service's host.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong.
        source: Cause,
    },
    /// The service answered, and refused.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The service answered that it has done it, in words that cannot be read.
    #[error("the answer of {host} cannot be read{}", request(.request_id.as_deref()))]
    Answer {
        /// The service's host.
        host: String,
        /// The request's id at the service.
        request_id: Option<String>,
        /// What is wrong with the answer.
        source: Misread,
    },
    /// A streamed answer ended before its end was announced.
    #[error("the streamed answer was cut before its end")]
    Cut,
    /// The service broke a streamed answer off with an error.
    #[error("the service broke the answer off: {}", reason(.0))]
    InStream(Box<ServiceError>),
    /// A file to upload could not be read.
    #[error("cannot read {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl From<InvalidKey> for Error {
    fn from(error: InvalidKey) -> Self {
        Self::Endpoint(error.into())
    }
}

impl Error {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status, where the service answered with one that refuses.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Whether the service may have done what was asked although no answer says so.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Answer { .. } => true,
            Self::Refused(refusal) => refusal.status >= 500 || matches!(refusal.status, 408 | 409),
            _ => false,
        }
    }

    /// Whether the same request may well be answered a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Answer { .. } | Self::Cut => {
                true
            }
            Self::Refused(refusal) => {
                refusal.status >= 500
                    || (matches!(refusal.status, 408 | 409 | 429) && !refusal.is_quota())
            }
            _ => false,
        }
    }
}

/// An answer that refuses.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::Value;
/// use transport::{Error, Refusal, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let reply = r#"{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}"#;
/// # let client = canned([(429, reply)]).await?;
/// let Err(Error::Refused(refusal)) = client.get::<Value>(&Route::new(["models"])?).await else {
///     panic!("the account is empty");
/// };
/// let Refusal { status, attempts, .. } = *refusal;
/// assert_eq!((status, attempts), (429, 1), "waiting brings no money");
/// assert!(refusal.is_quota());
/// assert_eq!((refusal.code(), refusal.request_id.as_deref()), (Some("insufficient_quota"), Some("req_1")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What the service says, empty where its body said nothing that can be read.
    pub error: ServiceError,
    /// The request's id at the service.
    pub request_id: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    /// What the service says of its limits.
    pub limits: RateLimits,
}

impl Refusal {
    /// The service's code, such as `training_not_available`.
    pub fn code(&self) -> Option<&str> {
        self.error.code.as_deref()
    }

    /// Whether there is no money or allowance left, which waiting does not change.
    pub fn is_quota(&self) -> bool {
        const QUOTA: &[&str] =
            &["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"];
        let is_quota =
            |text: &Option<String>| text.as_deref().is_some_and(|text| QUOTA.contains(&text));
        is_quota(&self.error.code) || is_quota(&self.error.kind)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the service answered {}", self.status)?;
        let reason = reason(&self.error);
        if !reason.is_empty() {
            write!(formatter, ": {reason}")?;
        }
        formatter.write_str(&request(self.request_id.as_deref()))
    }
}

impl std::error::Error for Refusal {}

fn request(id: Option<&str>) -> String {
    id.map(|id| format!(" [request {id}]")).unwrap_or_default()
}

fn reason(error: &ServiceError) -> String {
    match (error.message.as_str(), error.code.as_deref()) {
        ("", None) => String::new(),
        ("", Some(code)) => code.to_owned(),
        (message, None) => message.to_owned(),
        (message, Some(code)) => format!("{message} ({code})"),
    }
}

/// What went wrong below HTTP; its text holds no URL.
///
/// # Examples
///
/// ```
/// use transport::{Client, Endpoint, Error, Provider, Retry, Route, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?; // closed again at once
/// let endpoint = Endpoint::new(Provider::OpenAi, &format!("http://{nobody}/v1"), None)?;
/// let client = Client::new(endpoint, Settings { retry: Retry::never(), ..Settings::default() })?;
/// let asked = client.get::<serde_json::Value>(&Route::new(["models"])?).await;
/// let Err(Error::Unreachable { source, .. }) = asked else { panic!("nobody is there") };
/// assert!(!source.is_timeout());
/// assert!(!source.to_string().contains("/v1"), "{source}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Cause(reqwest::Error);

impl Cause {
    pub(crate) fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }

    /// Whether it took too long.
    pub fn is_timeout(&self) -> bool {
        self.0.is_timeout()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_timeout() {
            formatter.write_str("it took too long")
        } else {
            self.0.fmt(formatter)
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}

/// What is wrong with an answer; where, but never a word of it.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::{Value, json};
/// use transport::{Error, Misread, Repeat, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([(200, r#"<html>Please log in</html>"#)]).await?;
/// let jobs = Route::new(["fine_tuning", "jobs"])?;
/// let asked = client.post::<Value>(&jobs, &json!({}), Repeat::Unprocessed).await;
/// let Err(Error::Answer { source, .. }) = asked else { panic!("a login page is no JSON") };
/// assert_eq!(source, Misread::Syntax { line: 1, column: 1 });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misread {
    /// It is no JSON.
    #[error("it is no JSON (line {line}, column {column})")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// It ends in the middle.
    #[error("it ends in the middle")]
    Cut,
    /// It is JSON of another shape.
    #[error("it is JSON of another shape (line {line}, column {column})")]
    Shape {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// It is longer than any answer of its kind should be.
    #[error("it is longer than {0} bytes")]
    Long(u64),
    /// It speaks of something else than what was asked for.
    #[error("it is about something else than what was asked for")]
    Stranger,
    /// A stream was asked for, and something else came.
    #[error("it is no event stream")]
    NoStream,
}

impl Misread {
    /// Keeps the place and leaves the words out: those of `serde_json` quote the value.
    pub(crate) fn of(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Eof => Self::Cut,
            serde_json::error::Category::Data => Self::Shape { line, column },
            _ => Self::Syntax { line, column },
        }
    }
}
