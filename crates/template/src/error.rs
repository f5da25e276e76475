//! Templates that do not exist or cannot be used.

use std::path::PathBuf;

/// The name of a template that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown template `{0}` (there are `headed`, `plain` and `think`, and files: `@FILE` or `FILE.jinja`)"
)]
pub struct UnknownTemplate(pub String);

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// There is none of this name.
    #[error(transparent)]
    Unknown(#[from] UnknownTemplate),
    /// Its file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not written in Jinja.
    #[error("template, line {line}: {detail}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// It fails on a sample record.
    #[error("template: fails on a sample{}{detail}", if detail.is_empty() { "" } else { ": " })]
    Render {
        /// What the language says.
        detail: String,
        /// Where and how it fails.
        source: RenderError,
    },
    /// It leaves the response out.
    #[error("template: does not write the response")]
    NoResponse,
}

/// A record that a user's template fails on; the record is not quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template, line {line}: {reason}")]
pub struct RenderError {
    /// The line of the template, counted from 1.
    pub line: usize,
    /// What kind of failure it is.
    pub reason: &'static str,
}
