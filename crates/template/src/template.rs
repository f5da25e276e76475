//! The two ways of joining reasoning and response.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::splitter::{Answer, Splitter};

/// How reasoning and response are joined into the assistant's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Template {
    /// `## Thinking`, reasoning, `## Final Response`, response: an answer can be split again.
    #[default]
    Headed,
    /// Reasoning, blank line, response, as the original Python script wrote them.
    Plain,
}

/// The name of a template that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown template `{0}` (there are `headed` and `plain`)")]
pub struct UnknownTemplate(pub String);

impl Template {
    /// Every template, the default first.
    pub const ALL: [Self; 2] = [Self::Headed, Self::Plain];

    /// The name that configuration files and flags use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headed => "headed",
            Self::Plain => "plain",
        }
    }

    /// Joins the halves of a record, both unmodified, into the assistant's text.
    ///
    /// # Examples
    ///
    /// ```
    /// use template::Template;
    ///
    /// assert_eq!(Template::Headed.render("Why.", "What."), "## Thinking\n\nWhy.\n\n## Final Response\n\nWhat.");
    /// assert_eq!(Template::Plain.render("Why.", "What."), "Why.\n\nWhat.");
    /// ```
    pub fn render(&self, reasoning: &str, response: &str) -> String {
        let [before, between] = self.frame();
        [before, reasoning, between, response].concat()
    }

    /// Takes an answer apart; text without headings is all response.
    ///
    /// Both halves come back without surrounding white space. Headings are recognised in any case, with any `#` level
    /// or in bold, with or without blank lines around them. Under [`Template::Plain`] nothing marks the border, so the
    /// whole text is the response.
    ///
    /// # Examples
    ///
    /// ```
    /// use template::Template;
    ///
    /// let cut = Template::Headed.split("## Thinking\nFever and a stiff neck, so");
    /// assert_eq!(cut.reasoning.as_deref(), Some("Fever and a stiff neck, so"));
    /// assert_eq!((cut.response.as_str(), cut.complete), ("", false));
    /// ```
    pub fn split(&self, text: &str) -> Answer {
        let mut splitter = Splitter::new(*self);
        let pieces = splitter.push(text);
        pieces.into_iter().chain(splitter.finish()).collect()
    }

    /// The template as one text with placeholders: what a fingerprint is taken of.
    pub(crate) fn source(self) -> String {
        self.render("{reasoning}", "{response}")
    }

    const fn frame(self) -> [&'static str; 2] {
        match self {
            Self::Headed => ["## Thinking\n\n", "\n\n## Final Response\n\n"],
            Self::Plain => ["", "\n\n"],
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Template {
    type Err = UnknownTemplate;

    fn from_str(name: &str) -> Result<Self, UnknownTemplate> {
        Self::ALL
            .into_iter()
            .find(|t| t.name() == name)
            .ok_or_else(|| UnknownTemplate(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused_by_name() {
        for template in Template::ALL {
            assert_eq!(template.to_string().parse(), Ok(template));
            assert_eq!(serde_json::to_string(&template).unwrap(), format!("\"{template}\""));
        }
        let error = "alpaca".parse::<Template>().unwrap_err();
        assert_eq!(error.to_string(), "unknown template `alpaca` (there are `headed` and `plain`)");
    }

    #[test]
    fn halves_are_rendered_unmodified() {
        assert_eq!(Template::Plain.render(" a \n", "\tb "), " a \n\n\n\tb ");
        assert_eq!(
            Template::Headed.render(" a \n", "\tb "),
            "## Thinking\n\n a \n\n\n## Final Response\n\n\tb "
        );
    }
}
