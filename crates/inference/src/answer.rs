//! What comes back: a whole answer, or its events as they arrive.

use std::fmt;

use serde::{Serialize, Serializer};
use template::Template;
use wire::{ChatCompletion, Extra, FinishReason, Usage};

/// A model's answer, reasoning and response apart.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Finish};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG."]).await?;
/// let answer = Assistant::new(client, "ft:tiny").ask("What is the first test in chest pain?").await?;
/// assert_eq!((answer.model.as_str(), &answer.finish), ("ft:tiny", &Finish::Stop));
/// assert_eq!(answer.usage.as_ref().map(|usage| usage.completion_tokens), Some(5));
/// assert!(answer.text.starts_with("## Thinking"), "the text as it came");
/// let json = serde_json::to_value(&answer)?;
/// assert_eq!((&json["response"], &json["finish"]), (&"An ECG.".into(), &"stop".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// The model that answered, as the service names it.
    pub model: String,
    /// The reasoning; none where the text has no headings.
    pub reasoning: Option<String>,
    /// The final response; the whole text where it has no headings; empty where it was cut before.
    pub response: String,
    /// Whether the model came to the end of its response.
    pub complete: bool,
    /// Why the answer ended.
    pub finish: Finish,
    /// Tokens used, where the service tells.
    pub usage: Option<Usage>,
    /// The text as it came, headings and tags included; left out where the answer is serialised.
    #[serde(skip)]
    pub text: String,
}

/// Why an answer ended.
///
/// # Examples
///
/// ```
/// use inference::Finish;
///
/// assert_eq!(Finish::Length.to_string(), "length");
/// assert_eq!(Finish::Cut.as_str(), "cut"); // the stream broke off: the service gave no reason
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// The model was done.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The service's filter stopped it.
    ContentFilter,
    /// The stream ended before the service said why.
    Cut,
    /// A reason that this version does not know, as it came.
    Other(String),
}

/// A part of an answer that arrives.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Event};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes, in children."]).await?;
/// let mut stream = Assistant::new(client, "ft:tiny").ask_stream("Is a fever common?").await?;
/// let mut unmarked = String::new();
/// while let Some(event) = stream.next().await? {
///     match event {
///         Event::Unmarked(text) => unmarked += &text, // perhaps a heading still follows
///         Event::Usage(usage) => assert_eq!(usage.total_tokens, 12),
///         Event::Done(answer) => {
///             assert_eq!((answer.reasoning, answer.response.as_str()), (None, "Yes, in children."));
///         }
///         other => unreachable!("there was no heading: {other:?}"),
///     }
/// }
/// assert_eq!(unmarked, "Yes, in children.");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// More of the reasoning; the first may be empty and says that reasoning follows.
    Reasoning(String),
    /// More of the final response; the first may be empty and says that the response follows.
    Response(String),
    /// Text before any heading: reasoning if a heading follows, else the whole response.
    Unmarked(String),
    /// Tokens used.
    Usage(Usage),
    /// The end, with the whole answer. Nothing follows.
    Done(Box<Answer>),
}

impl Finish {
    /// The reason as it is written on the wire; `cut` where the service gave none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Cut => "cut",
            Self::Other(reason) => reason,
        }
    }

    /// The reason of a whole answer or a stream's last chunk; none or an empty one is a cut.
    pub(crate) fn of(reason: Option<&FinishReason>) -> Self {
        match reason {
            None => Self::Cut,
            Some(FinishReason::Stop) => Self::Stop,
            Some(FinishReason::Length) => Self::Length,
            Some(FinishReason::ContentFilter) => Self::ContentFilter,
            Some(other) if other.as_str().is_empty() => Self::Cut,
            Some(other) => Self::Other(other.as_str().to_owned()),
        }
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Finish {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a service sent of an answer, before it is taken apart.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    pub(crate) model: String,
    pub(crate) text: String,
    /// Reasoning that the service keeps apart from the text, as some servers do.
    pub(crate) reasoning: String,
    pub(crate) usage: Option<Usage>,
}

impl Answer {
    /// An answer of these parts; it is complete only if the response was reached and the model was done.
    pub(crate) fn new(raw: Raw, halves: template::Answer, finish: Finish) -> Self {
        let apart = Some(raw.reasoning.trim().to_owned()).filter(|text| !text.is_empty());
        let reasoning = match (apart, halves.reasoning) {
            (Some(apart), Some(half)) if !half.is_empty() => Some([apart, half].join("\n\n")),
            (Some(apart), _) => Some(apart),
            (None, half) => half,
        };
        Self {
            model: raw.model,
            reasoning,
            response: halves.response,
            complete: halves.complete && finish == Finish::Stop,
            finish,
            usage: raw.usage,
            text: raw.text,
        }
    }

    /// An answer that came whole, by its first choice; none where there is no such choice.
    pub(crate) fn of(completion: ChatCompletion, asked: &str, template: &Template) -> Option<Self> {
        let choice = completion.choices.into_iter().find(|choice| choice.index == 0)?;
        let model = if completion.model.is_empty() { asked.to_owned() } else { completion.model };
        let reasoning = reasoning_of(&choice.message.extra).unwrap_or_default().to_owned();
        let raw = Raw { model, text: choice.message.text(), reasoning, usage: completion.usage };
        let halves = template.split(&raw.text);
        Some(Self::new(raw, halves, Finish::of(choice.finish_reason.as_ref())))
    }
}

/// The reasoning that servers with a parser of their own send beside `content`.
pub(crate) fn reasoning_of(extra: &Extra) -> Option<&str> {
    ["reasoning_content", "reasoning"].iter().find_map(|field| extra.get(*field)?.as_str())
}
