//! The ways of joining reasoning and response.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{RenderError, TemplateError, UnknownTemplate};
use crate::jinja::Jinja;
use crate::splitter::{Answer, Splitter};

/// How reasoning and response are joined into the assistant's text.
///
/// In JSON it is its name, or `{"jinja": source}`.
///
/// # Examples
///
/// ```
/// use template::Template;
///
/// assert_eq!("think".parse(), Ok(Template::Think));
/// assert_eq!(Template::default().to_string(), "headed");
/// assert_eq!(Template::NAMED.map(|template| template.name()), ["headed", "plain", "think"]);
/// let stored = r#"{"jinja":"{{ reasoning }}\n\n{{ response }}"}"#;
/// let own: Template = serde_json::from_str(stored)?;
/// assert_eq!(own.name(), "jinja");
/// assert_eq!(serde_json::to_string(&own)?, stored);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Template {
    /// `## Thinking`, reasoning, `## Final Response`, response: an answer can be split again.
    #[default]
    Headed,
    /// Reasoning, blank line, response, as the original Python script wrote them.
    Plain,
    /// `<think>`, reasoning, `</think>`, response, as models that think by themselves write them.
    Think,
    /// As a user's file says; an answer is split where it holds the marks of one of the others.
    Jinja(Jinja),
}

/// The texts of a record that a template joins.
///
/// # Examples
///
/// ```
/// let parts = template::Parts::of("Crushing pain.", "Call for an ECG.");
/// assert_eq!(parts.question, "");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The question, which only a user's template may use.
    pub question: &'a str,
    /// The reasoning.
    pub reasoning: &'a str,
    /// The response.
    pub response: &'a str,
}

impl<'a> Parts<'a> {
    /// The two halves of an answer, without a question.
    pub const fn of(reasoning: &'a str, response: &'a str) -> Self {
        Self { question: "", reasoning, response }
    }
}

impl Template {
    /// Every template that has a name, the default first.
    pub const NAMED: [Self; 3] = [Self::Headed, Self::Plain, Self::Think];

    /// The name that configuration files and flags use; `jinja` for a user's own.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Headed => "headed",
            Self::Plain => "plain",
            Self::Think => "think",
            Self::Jinja(_) => "jinja",
        }
    }

    /// The template that a command line means: a name, `@FILE`, or a path that ends in `.jinja`.
    ///
    /// # Examples
    ///
    /// ```
    /// use template::{Template, TemplateError};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("mine.jinja").display().to_string();
    /// std::fs::write(&path, "{{ reasoning }}\n</think>\n{{ response }}\n")?;
    /// assert_eq!(Template::open(&path)?.name(), "jinja");
    /// assert_eq!(Template::open("plain")?, Template::Plain);
    /// assert!(matches!(Template::open("alpaca"), Err(TemplateError::Unknown(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TemplateError`], whose variants say why there is none.
    pub fn open(argument: &str) -> Result<Self, TemplateError> {
        let is_jinja =
            Path::new(argument).extension().is_some_and(|extension| extension == "jinja");
        match argument.strip_prefix('@') {
            Some(path) => Ok(Self::Jinja(Jinja::load(Path::new(path))?)),
            None if is_jinja => Ok(Self::Jinja(Jinja::load(Path::new(argument))?)),
            None => Ok(argument.parse()?),
        }
    }

    /// Joins the texts of a record, all unmodified, into the assistant's text.
    ///
    /// # Examples
    ///
    /// ```
    /// use template::{Parts, Template};
    ///
    /// let parts = Parts::of("Why.", "What.");
    /// assert_eq!(Template::Headed.render(&parts)?, "## Thinking\n\nWhy.\n\n## Final Response\n\nWhat.");
    /// assert_eq!(Template::Plain.render(&parts)?, "Why.\n\nWhat.");
    /// assert_eq!(Template::Think.render(&parts)?, "<think>\nWhy.\n</think>\n\nWhat.");
    /// # Ok::<(), template::RenderError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RenderError`] where a user's template fails on this record; the others never do.
    pub fn render(&self, parts: &Parts<'_>) -> Result<String, RenderError> {
        match self.frame() {
            Ok([before, between]) => {
                Ok([before, parts.reasoning, between, parts.response].concat())
            }
            Err(jinja) => jinja.render(parts),
        }
    }

    /// Where reasoning and response of `parts` stand in what [`render`](Self::render) makes of them.
    ///
    /// Only a user's template tells nothing of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use template::{Parts, Template};
    ///
    /// let parts = Parts::of("Why.", "What.");
    /// let answer = Template::Think.render(&parts)?;
    /// let [reasoning, response] = Template::Think.halves(&parts).expect("it has a name");
    /// assert_eq!((&answer[reasoning], &answer[response]), ("Why.", "What."));
    /// # Ok::<(), template::RenderError>(())
    /// ```
    pub fn halves(&self, parts: &Parts<'_>) -> Option<[Range<usize>; 2]> {
        let [before, between] = self.frame().ok()?.map(str::len);
        let reasoning = before..before + parts.reasoning.len();
        let response = reasoning.end + between;
        let response = response..response + parts.response.len();
        Some([reasoning, response])
    }

    /// What stands before the reasoning, and between it and the response; a user's template says it itself.
    const fn frame(&self) -> Result<[&'static str; 2], &Jinja> {
        match self {
            Self::Headed => Ok(["## Thinking\n\n", "\n\n## Final Response\n\n"]),
            Self::Plain => Ok(["", "\n\n"]),
            Self::Think => Ok(["<think>\n", "\n</think>\n\n"]),
            Self::Jinja(jinja) => Err(jinja),
        }
    }

    /// Takes an answer apart; text without marks of a border is all response.
    ///
    /// Both halves come back without surrounding white space. Headings are recognised in English and Chinese, in any
    /// case, with any `#` level or in bold, with or without blank lines around them; tags of [`Template::Think`]
    /// anywhere. Under [`Template::Plain`] nothing marks the border, so the whole text is the response.
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
        let mut splitter = Splitter::new(self);
        let pieces = splitter.push(text);
        pieces.into_iter().chain(splitter.finish()).collect()
    }

    /// The template as one text: what a fingerprint is taken of.
    pub(crate) fn source(&self) -> String {
        match self {
            Self::Headed => {
                "## Thinking\n\n{reasoning}\n\n## Final Response\n\n{response}".to_owned()
            }
            Self::Plain => "{reasoning}\n\n{response}".to_owned(),
            Self::Think => "<think>\n{reasoning}\n</think>\n\n{response}".to_owned(),
            // A file with the text of one of those is not that one.
            Self::Jinja(jinja) => format!("jinja\0{}", jinja.source()),
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
        Self::NAMED
            .into_iter()
            .find(|template| template.name() == name)
            .ok_or_else(|| UnknownTemplate(name.to_owned()))
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Jinja(jinja) => serializer.collect_map([("jinja", jinja.source())]),
            named => serializer.serialize_str(named.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TemplateVisitor)
    }
}

struct TemplateVisitor;

impl<'de> Visitor<'de> for TemplateVisitor {
    type Value = Template;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a template's name, or an object with the field `jinja`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Template, E> {
        name.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Template, A::Error> {
        let Some((field, source)) = map.next_entry::<String, String>()? else {
            return Err(de::Error::missing_field("jinja"));
        };
        if field != "jinja" || map.next_key::<String>()?.is_some() {
            return Err(de::Error::custom("expected the field `jinja` alone"));
        }
        Jinja::compile(&source).map(Template::Jinja).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused_by_name() {
        for template in Template::NAMED {
            assert_eq!(template.to_string().parse(), Ok(template.clone()));
            assert_eq!(serde_json::to_string(&template).unwrap(), format!("\"{template}\""));
            assert_eq!(
                serde_json::from_str::<Template>(&format!("\"{template}\"")).unwrap(),
                template
            );
        }
        let error = "alpaca".parse::<Template>().unwrap_err();
        insta::assert_snapshot!(error, @"unknown template `alpaca` (there are `headed`, `plain` and `think`, and files: `@FILE` or `FILE.jinja`)");
    }

    #[test]
    fn halves_are_rendered_unmodified() -> Result<(), RenderError> {
        let parts = Parts::of(" a \n", "\tb ");
        assert_eq!(Template::Plain.render(&parts)?, " a \n\n\n\tb ");
        assert_eq!(
            Template::Headed.render(&parts)?,
            "## Thinking\n\n a \n\n\n## Final Response\n\n\tb "
        );
        assert_eq!(Template::Think.render(&parts)?, "<think>\n a \n\n</think>\n\n\tb ");
        Ok(())
    }

    #[test]
    fn a_users_template_is_stored_with_its_source() {
        let template = Template::Jinja(Jinja::new("{{ response }}").unwrap());
        let json = serde_json::to_string(&template).unwrap();
        assert_eq!(json, r#"{"jinja":"{{ response }}"}"#);
        assert_eq!(serde_json::from_str::<Template>(&json).unwrap(), template);
        let check = |json| serde_json::from_str::<Template>(json).unwrap_err().to_string();
        insta::assert_snapshot!(check(r#"{"jinja":"{{ response"}"#), @"template, line 1: unexpected end of input, expected end of variable block at line 1 column 23");
        insta::assert_snapshot!(check(r#"{"file":"x"}"#), @"expected the field `jinja` alone at line 1 column 12");
        insta::assert_snapshot!(check("{}"), @"missing field `jinja` at line 1 column 2");
        insta::assert_snapshot!(check("3"), @"invalid type: integer `3`, expected a template's name, or an object with the field `jinja` at line 1 column 1");
    }

    #[test]
    fn a_command_line_names_a_template_or_its_file() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("mine.jinja");
        std::fs::write(&path, "{{ reasoning }}\r\n{{ response }}\r\n")?;
        let path = path.to_str().unwrap_or_default();
        let mine = Template::Jinja(Jinja::new("{{ reasoning }}\n{{ response }}\n")?);
        assert_eq!(Template::open(path)?, mine);
        assert_eq!(Template::open(&format!("@{path}"))?, mine);
        assert_eq!(Template::open("think")?, Template::Think);
        assert!(matches!(Template::open("none.jinja"), Err(TemplateError::Read { .. })));
        assert!(matches!(Template::open("alpaca"), Err(TemplateError::Unknown(_))));
        Ok(())
    }
}
