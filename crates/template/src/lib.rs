//! How a record becomes a chat example, and how an answer is split again.
//!
//! A record has a question, a reasoning and a response. [`Template::render`] joins the last two into the text that the
//! assistant is trained to write; [`Template::split`] takes such a text apart again, and [`Splitter`] does the same
//! while the text is still arriving. [`SYSTEM_PROMPT`] is the default system message, and [`Fingerprint`] names a
//! template together with a system prompt, so that a tool can tell whether it asks as the model was trained.
//!
//! ```
//! use template::{Parts, Template};
//!
//! let parts = Parts::of("Crushing pain, so rule out infarction.", "Call for an ECG now.");
//! let text = Template::Headed.render(&parts)?;
//! let answer = Template::Headed.split(&text);
//! assert_eq!(answer.reasoning.as_deref(), Some("Crushing pain, so rule out infarction."));
//! assert_eq!(answer.response, "Call for an ECG now.");
//! assert!(answer.complete);
//! # Ok::<(), template::RenderError>(())
//! ```

mod prompt;
mod error;
mod template;
mod jinja;
mod heading;
mod tag;
mod splitter;
mod fingerprint;

pub use crate::error::{RenderError, TemplateError, UnknownTemplate};
pub use crate::fingerprint::{Fingerprint, NotAFingerprint, fingerprint};
pub use crate::jinja::Jinja;
pub use crate::prompt::SYSTEM_PROMPT;
pub use crate::splitter::{Answer, Piece, Splitter};
pub use crate::template::{Parts, Template};
