//! Where a tool goes: a service that the user names, or the embedded server started for it.
//!
//! The tools share the meaning of the same variables and flags here: [`Profile`] and [`profile_endpoint`] for a service,
//! [`data_dir`] and [`BaseModel`] for this machine, [`Service`], which is either of them, ready to be asked over HTTP, and
//! [`ModelArguments`] for the model that was saved there.
//!
//! # Examples
//!
//! ```
//! use cli::Environment;
//! use connect::{OPENAI, endpoint};
//!
//! let environment = Environment::from_pairs([("OPENAI_API_KEY", "sk-secret")]);
//! assert_eq!(endpoint(None, &environment)?.base_url(), OPENAI);
//! let at_home = endpoint(Some("http://127.0.0.1:8080/v1"), &Environment::default())?;
//! assert!(at_home.is_loopback(), "which needs no key");
//! # Ok::<(), cli::Failure>(())
//! ```

mod profile;
mod endpoint;
mod data_dir;
mod base_model;
mod service;
mod model;

pub use crate::base_model::BaseModel;
pub use crate::data_dir::data_dir;
pub use crate::endpoint::{OPENAI, certificates, endpoint, profile_endpoint};
pub use crate::model::{ModelArguments, Source, temperature};
pub use crate::profile::{FILE, Profile, Profiles};
pub use crate::service::{Place, Service};
