//! The time, as a value that a test can fix.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in whole seconds since 1970.
///
/// # Examples
///
/// ```
/// use axum::body::{Body, to_bytes};
/// use axum::http::Request;
/// use server::{Clock, Options, Server};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let clock = Clock::of(|| 1_767_225_600); // it is always the first of January 2026
/// let server = Server::open(Options { clock, ..Options::new(folder.path(), vec![]) })?;
/// let file = r#"{"filename": "train.jsonl", "purpose": "fine-tune", "bytes": 3, "mime_type": "text/jsonl"}"#;
/// let request = Request::post("/v1/uploads").header("host", "localhost").header("content-type", "application/json");
/// let answer = server.router().oneshot(request.body(Body::from(file))?).await?;
/// let upload = String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await?.to_vec())?;
/// assert!(upload.contains(r#""created_at":1767225600"#), "{upload}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use server::{Clock, Options};
    ///
    /// let options = Options { clock: Clock::system(), ..Options::new("data", vec![]) }; // as they are anyway
    /// assert_eq!(format!("{:?}", options.clock), "Clock");
    /// ```
    pub fn system() -> Self {
        Self::of(|| {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
            let now = SystemTime::now();
            let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            i64::try_from(seconds).unwrap_or(i64::MAX)
        })
    }

    /// A clock that says what `now` says.
    pub fn of(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
