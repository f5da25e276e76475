//! A template that a user wrote, in the Jinja language.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};

use crate::error::{RenderError, TemplateError};
use crate::template::Parts;

/// The name of the only template of an environment.
const NAME: &str = "template";

/// The steps that one rendering may take: far above any use, and an endless loop ends.
const FUEL: u64 = 1_000_000;

/// What a template must write when it is tried.
const SAMPLE: Parts<'_> = Parts {
    question: "What causes a fever?",
    reasoning: "An infection is the usual cause.",
    response: "Mostly an infection does.",
};

/// A Jinja template over the variables `question`, `reasoning` and `response`.
///
/// It is equal to another one of the same source. A last newline of the source is not rendered.
///
/// # Examples
///
/// ```
/// use template::{Jinja, Parts, Template};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("clinic.jinja");
/// std::fs::write(&path, "Assessment: {{ reasoning }}\r\nPlan: {{ response }}\r\n")?;
/// let jinja = Jinja::load(&path)?;
/// assert_eq!(jinja.source(), "Assessment: {{ reasoning }}\nPlan: {{ response }}\n");
/// let text = Template::Jinja(jinja).render(&Parts::of("Renal colic.", "Pain relief, then CT."))?;
/// assert_eq!(text, "Assessment: Renal colic.\nPlan: Pain relief, then CT.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Jinja {
    source: Arc<str>,
    environment: Arc<Environment<'static>>,
}

impl Jinja {
    /// Reads `source` and tries it on a record of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use template::{Jinja, Parts, Template};
    ///
    /// let template = Template::Jinja(Jinja::new("{{ reasoning }}\n\nAnswer: {{ response }}\n")?);
    /// let parts = Parts { question: "", reasoning: "Why.", response: "What." };
    /// assert_eq!(template.render(&parts)?, "Why.\n\nAnswer: What.");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TemplateError::Syntax`] where it is no Jinja, [`TemplateError::Render`] where it fails, as with an unknown
    /// variable, and [`TemplateError::NoResponse`] where it leaves the response out.
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        let jinja = Self::compile(source)?;
        let text = jinja.try_render(&SAMPLE).map_err(|error| TemplateError::Render {
            // The texts are the sample's, so that the parser's own words can be shown.
            detail: error.detail().unwrap_or_default().to_owned(),
            source: render_error(&error),
        })?;
        if !text.contains(SAMPLE.response) {
            return Err(TemplateError::NoResponse);
        }
        Ok(jinja)
    }

    /// Reads the template in the file at `path`.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Read`] where the file cannot be read, else as [`Jinja::new`].
    pub fn load(path: &Path) -> Result<Self, TemplateError> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| TemplateError::Read { path: path.to_owned(), source })?;
        // Windows' editors write `\r\n`, which nobody means to train on.
        Self::new(&source.replace("\r\n", "\n"))
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Reads `source` without trying it: what is stored was tried when it was made.
    pub(crate) fn compile(source: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| {
            TemplateError::Syntax {
                line: error.line().unwrap_or(0),
                detail: error.detail().unwrap_or("not understood").to_owned(),
            }
        })?;
        Ok(Self { source: source.into(), environment: Arc::new(environment) })
    }

    pub(crate) fn render(&self, parts: &Parts<'_>) -> Result<String, RenderError> {
        self.try_render(parts).map_err(|error| render_error(&error))
    }

    fn try_render(&self, parts: &Parts<'_>) -> Result<String, minijinja::Error> {
        let Parts { question, reasoning, response } = *parts;
        self.environment.get_template(NAME)?.render(context! { question, reasoning, response })
    }
}

/// What went wrong by its kind alone: the rest may quote a record.
fn render_error(error: &minijinja::Error) -> RenderError {
    let reason = match error.kind() {
        ErrorKind::UndefinedError => "a variable that does not exist",
        ErrorKind::OutOfFuel => "too many steps",
        ErrorKind::InvalidOperation => "an operation that is not possible",
        _ => "not renderable",
    };
    RenderError { line: error.line().unwrap_or(0), reason }
}

impl fmt::Debug for Jinja {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Jinja").field(&self.source).finish()
    }
}

impl PartialEq for Jinja {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Jinja {}

impl Hash for Jinja {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn check(source: &str) -> String {
        let parts = Parts { question: "Q?", reasoning: "<b> & why", response: "what\n" };
        match Jinja::new(source) {
            Ok(jinja) => match jinja.render(&parts) {
                Ok(text) => format!("{text:?}"),
                Err(error) => format!("record: {error}"),
            },
            Err(error) => match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        }
    }

    #[test]
    fn texts_are_rendered_unmodified() {
        insta::assert_snapshot!(check("{{ reasoning }}|{{ response }}\n"), @r#""<b> & why|what\n""#);
        insta::assert_snapshot!(check("{% if question %}{{ question }} {% endif %}{{ response | trim }}"), @r#""Q? what""#);
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_when_it_is_read() {
        insta::assert_snapshot!(check("{{ reasoning }\n"), @"template, line 1: unexpected `}`, expected end of variable block");
        insta::assert_snapshot!(check("a\n{{ raesoning }}{{ response }}"), @"template: fails on a sample: `raesoning` is undefined: template, line 2: a variable that does not exist");
        insta::assert_snapshot!(check("{{ reasoning }}"), @"template: does not write the response");
        insta::assert_snapshot!(check("{{ response | nothing }}"), @"template: fails on a sample: filter nothing is unknown: template, line 1: not renderable");
        insta::assert_snapshot!(check("{% include 'x' %}{{ response }}"), @"template: fails on a sample: tried to include non-existing template 'x': template, line 1: not renderable");
        insta::assert_snapshot!(check("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}{{ response }}"), @"template: fails on a sample: template, line 1: too many steps");
    }

    #[test]
    fn an_error_of_a_record_does_not_quote_it() {
        insta::assert_snapshot!(check("{% if 'why' in reasoning %}{{ reasoning - 1 }}{% endif %}{{ response }}"), @"record: template, line 1: an operation that is not possible");
        insta::assert_snapshot!(check("{% if 'why' in reasoning %}{{ reasoning.x }}{% endif %}{{ response }}"), @"record: template, line 1: a variable that does not exist");
    }

    #[test]
    fn templates_are_equal_by_their_source() -> Result<(), TemplateError> {
        assert_eq!(Jinja::new("{{ response }}")?, Jinja::new("{{ response }}")?);
        assert_ne!(Jinja::new("{{ response }}")?, Jinja::new("{{ response }} ")?);
        Ok(())
    }
}
