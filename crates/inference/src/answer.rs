//! What comes back: a whole answer, or its events as they arrive.

use std::fmt;

use serde::{Serialize, Serializer};
use wire::{FinishReason, Usage};

/// A model's answer, reasoning and response apart.
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
}

/// Why an answer ended.
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

impl Answer {
    /// An answer of these parts; it is complete only if the response was reached and the model was done.
    pub(crate) fn new(
        model: String,
        halves: template::Answer,
        finish: Finish,
        usage: Option<Usage>,
    ) -> Self {
        let complete = halves.complete && finish == Finish::Stop;
        Self {
            model,
            reasoning: halves.reasoning,
            response: halves.response,
            complete,
            finish,
            usage,
        }
    }
}
