//! HTTP to a service that speaks the `OpenAI` dialect: endpoint, key, retry, errors.
//!
//! Requests are built and sent through `async-openai` (its configuration, multipart and middleware); what comes back is
//! read here, into the types of `wire`. That keeps the status, the code and the request id of every refusal whatever its
//! body looks like, repeats requests by one tested rule ([`Retry`]), tells a whole streamed answer from a cut one, and
//! never writes a body to a log or an error: they hold patients' words.
//!
//! ```
//! # fn main() -> Result<(), transport::Error> {
//! use transport::{Client, Endpoint, Key, Provider, Settings};
//!
//! let endpoint = Endpoint::new(Provider::OpenAi, "https://api.openai.com/v1/", Some(Key::new("sk-secret\n")?))?;
//! assert_eq!(endpoint.base_url(), "https://api.openai.com/v1");
//! assert!(!format!("{endpoint:?}").contains("secret"));
//! let client = Client::new(endpoint, Settings::default())?;
//! # let _ = client;
//! # Ok(())
//! # }
//! ```

mod endpoint;
mod key;
mod route;
mod error;
mod retry;
mod hint;
mod limits;
mod sleeper;
mod body;
mod outline;
mod exchange;
mod upload;
mod stream;
mod client;

pub use client::{Client, Settings, Unread};
pub use endpoint::{Endpoint, EndpointError, Provider};
pub use error::{Cause, Error, Misread, Refusal};
pub use key::{InvalidKey, Key};
pub use limits::{Allowance, RateLimits};
pub use retry::{Repeat, Retry, Trouble};
pub use route::Route;
pub use sleeper::Sleeper;
pub use stream::{ChatStream, CompletionStream, Events};
pub use upload::{Part, Progress, Upload};
