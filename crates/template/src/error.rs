//! Templates that do not exist or cannot be used.

use std::path::PathBuf;

/// The name of a template that does not exist.
///
/// # Examples
///
/// ```
/// use template::{Template, UnknownTemplate};
///
/// let error = "alpaca".parse::<Template>().unwrap_err();
/// assert_eq!(error, UnknownTemplate("alpaca".to_owned()));
/// assert!(error.to_string().starts_with("unknown template `alpaca` (there are `headed`, `plain` and `think`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown template `{0}` (there are `headed`, `plain` and `think`, and files: `@FILE` or `FILE.jinja`)"
)]
pub struct UnknownTemplate(pub String);

/// A template that cannot be used.
///
/// # Examples
///
/// ```
/// use template::{Jinja, TemplateError};
///
/// let error = |source| Jinja::new(source).unwrap_err();
/// assert!(matches!(error("{{ reasoning }}"), TemplateError::NoResponse));
/// assert!(matches!(error("{% if response %}"), TemplateError::Syntax { line: 1, .. }));
/// assert!(matches!(error("{{ response }}{{ diagnosis }}"), TemplateError::Render { source, .. } if source.line == 1));
/// ```
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
///
/// # Examples
///
/// ```
/// use template::{Jinja, Parts, Template};
///
/// // The reasoning of this record is text, not a number; the template's own sample has no question of one word.
/// let source = "{% if question == 'Dose?' %}{{ reasoning - 1 }}{% endif %}\n{{ response }}";
/// let template = Template::Jinja(Jinja::new(source)?);
/// let error = template.render(&Parts { question: "Dose?", reasoning: "Weigh.", response: "5 mg." }).unwrap_err();
/// assert_eq!(error.to_string(), "template, line 1: an operation that is not possible");
/// # Ok::<(), template::TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template, line {line}: {reason}")]
pub struct RenderError {
    /// The line of the template, counted from 1.
    pub line: usize,
    /// What kind of failure it is.
    pub reason: &'static str,
}
