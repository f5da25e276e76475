//! Who counts the tokens: the encoding that the base model reads text with.

use dataset::Example;
use tokens::{ChatConstants, Count, Encoding};

/// What is counted with in place of an encoding that is not at hand.
const STAND_IN: Encoding = Encoding::O200k;

/// Counts texts and chats as one base model does, or nearly so.
#[derive(Debug)]
pub(crate) struct Counter {
    encoding: Encoding,
    constants: ChatConstants,
    exact: bool,
}

impl Counter {
    pub(crate) fn for_model(model: &str) -> Self {
        let encoding = Encoding::for_model(model);
        Self {
            exact: encoding.is_ok(),
            encoding: encoding.unwrap_or(STAND_IN),
            constants: ChatConstants::for_model(model),
        }
    }

    /// The encoding's name.
    pub(crate) fn name(&self) -> &str {
        self.encoding.name()
    }

    /// Whether the base model itself reads text with this encoding.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    pub(crate) fn text(&self, text: &str) -> usize {
        Count::count(&self.encoding, text)
    }

    /// All tokens of a chat, with those that frame its messages.
    pub(crate) fn chat(&self, example: &Example) -> usize {
        self.constants.count(&self.encoding, example.turns()).total
    }
}
