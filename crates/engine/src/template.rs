//! A model's chat template: messages to the text that the model was trained to continue.
//!
//! Rendered as Transformers renders it (`transformers/utils/chat_template_utils.py`): Jinja2 with `trim_blocks`,
//! `lstrip_blocks`, loop controls, Python's string and mapping methods and `raise_exception`. Two differences: there is
//! no `strftime_now`, because a library has no clock of its own, and `tojson` writes `<`, `>`, `&` and `'` as `\uXXXX`.

mod message;

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};

use crate::error::Error;
use crate::tokenizer::Tokenizer;
use crate::weights::{Origin, Weights, json};
pub use message::ChatMessage;

/// Why a chat template cannot be used.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use engine::{ChatTemplate, TemplateError};
///
/// let error = ChatTemplate::parse("{% for message in messages %}", BTreeMap::new()).unwrap_err();
/// assert!(matches!(error, TemplateError::Syntax { line: 1, .. }), "{error}");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The model has no chat template.
    #[error("the model has none: it is no chat model")]
    Missing,
    /// The template is no Jinja.
    #[error("line {line} is not understood: {reason}")]
    Syntax {
        /// The template's line, from 1.
        line: usize,
        /// What the template engine said.
        reason: String,
    },
    /// There are no messages to render.
    #[error("there are no messages")]
    Empty,
    /// The template refused the messages by `raise_exception`.
    #[error("it refuses the messages: {0}")]
    Refused(String),
    /// The template failed while rendering.
    #[error("line {line} failed: {reason}")]
    Render {
        /// The template's line, from 1.
        line: usize,
        /// What the template engine said.
        reason: String,
    },
}

/// The name that the one template has in its environment.
const NAME: &str = "chat";

/// Steps that rendering may take: far more than a long conversation needs, and an end to a template that has none.
const FUEL: u64 = 50_000_000;

/// The model's chat template, ready to render.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
///
/// use engine::{ChatMessage, ChatTemplate, Tokenizer, Weights};
///
/// let special = BTreeMap::from([("eos_token", "</s>".to_owned())]);
/// let source = "{% for message in messages %}[{{ message.role }}] {{ message.content }}{{ eos_token }}{% endfor %}";
/// let template = ChatTemplate::parse(source, special)?;
/// assert_eq!(template.render(&[ChatMessage::new("user", "Why?")], false)?, "[user] Why?</s>");
///
/// let weights = Weights::open(Path::new("../../tests/golden/tiny-llama"))?;
/// let own = ChatTemplate::of(&weights, &Tokenizer::of(&weights)?)?;
/// assert!(own.source().contains("<|im_start|>"));
/// let prompt = own.render(&[ChatMessage::new("user", "Why?")], true)?;
/// assert!(prompt.ends_with("<|im_start|>assistant\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    special_texts: BTreeMap<&'static str, String>,
}

impl ChatTemplate {
    /// The chat template of an opened model, with its tokenizer for the texts of special tokens.
    ///
    /// # Errors
    /// [`Error::Template`] where there is none or it is no Jinja, [`Error::File`] and [`Error::Json`] where the files of
    /// a folder cannot be read.
    pub fn of(weights: &Weights, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let source = source(weights)?.ok_or(Error::Template { source: TemplateError::Missing })?;
        Self::parse(&source, tokenizer.special_texts().clone())
            .map_err(|source| Error::Template { source })
    }

    /// The template itself, in Jinja.
    pub fn source(&self) -> String {
        // It was put there when the template was parsed.
        self.environment
            .get_template(NAME)
            .map(|template| template.source().to_owned())
            .unwrap_or_default()
    }

    /// A template from its Jinja source, with the texts of the special tokens that it asks for by name.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] where it is no Jinja.
    pub fn parse(
        source: &str,
        special_texts: BTreeMap<&'static str, String>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| syntax_fault(&error))?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, minijinja::Error> {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, message).with_source(Raised))
            },
        );
        environment
            .add_template_owned(NAME, without_generation(source))
            .map_err(|error| syntax_fault(&error))?;
        Ok(Self { environment, special_texts })
    }

    /// The text of `messages`; with `add_generation_prompt` it ends where the assistant's next answer begins.
    ///
    /// # Errors
    /// [`Error::Template`] where the template refuses the messages or fails.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, Error> {
        if messages.is_empty() {
            return Err(Error::Template { source: TemplateError::Empty });
        }
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| {
                Value::from_pairs([
                    ("role", message.role.as_str()),
                    ("content", message.content.as_str()),
                ])
            })
            .collect();
        let fixed = [
            ("messages", Value::from(messages)),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            // Transformers passes these two always.
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ];
        let special =
            self.special_texts.iter().map(|(name, text)| (*name, Value::from(text.as_str())));
        let context = Value::from_pairs(fixed.into_iter().chain(special));
        let template = self.environment.get_template(NAME);
        let text = template.and_then(|template| template.render(context));
        text.map_err(|error| Error::Template { source: render_fault(&error) })
    }
}

/// The template's text, where the model has one.
pub(crate) fn source(weights: &Weights) -> Result<Option<String>, Error> {
    let folder = match weights.origin() {
        Origin::Gguf(gguf) => return Ok(gguf.text("tokenizer.chat_template").map(str::to_owned)),
        Origin::Folder(folder) => folder,
    };
    let own_file = folder.join("chat_template.jinja");
    if own_file.is_file() {
        return std::fs::read_to_string(&own_file)
            .map(Some)
            .map_err(|source| Error::file(&own_file, source));
    }
    let config = folder.join("tokenizer_config.json");
    if !config.is_file() {
        return Ok(None);
    }
    let config: serde_json::Value = json(&config)?;
    let template = match config.get("chat_template") {
        Some(serde_json::Value::Array(named)) => {
            let default =
                named.iter().find(|entry| entry.get("name").is_some_and(|name| name == "default"));
            default.and_then(|entry| entry.get("template"))
        }
        other => other,
    };
    Ok(template.and_then(serde_json::Value::as_str).map(str::to_owned))
}

/// The template with `{% generation %}` as a block that is always shown.
///
/// Transformers' own tag marks the assistant's tokens and shows what it encloses. The replacement has the same
/// whitespace rules, since it is a block tag too.
fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let tag = &rest[start..start + length];
        out.push_str(&rest[..start]);
        let name = tag[2..].trim_matches(|c: char| c.is_whitespace() || "-+".contains(c));
        out.push_str(&match name {
            "generation" => tag.replacen("generation", "if true", 1),
            "endgeneration" => tag.replacen("endgeneration", "endif", 1),
            _ => tag.to_owned(),
        });
        rest = &rest[start + length..];
    }
    out + rest
}

/// Marks an error as the template's own `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("raised by the template")]
struct Raised;

fn syntax_fault(error: &minijinja::Error) -> TemplateError {
    TemplateError::Syntax { line: error.line().unwrap_or(0), reason: reason(error) }
}

fn render_fault(error: &minijinja::Error) -> TemplateError {
    let raised =
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Raised>);
    if raised {
        return TemplateError::Refused(error.detail().unwrap_or_default().to_owned());
    }
    TemplateError::Render { line: error.line().unwrap_or(0), reason: reason(error) }
}

/// What kind of fault it is; never the values that were rendered.
fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{} ({detail})", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests;
