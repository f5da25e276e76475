//! Counting as a model on this machine does, with its own tokenizer and chat template.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use engine::{ChatMessage, ChatTemplate, ModelConfig, Tokenizer, Weights};
use tokens::PieceCounts;

/// How many orders of roles are remembered; chat files may hold any number.
const FRAMES: usize = 1000;

/// Texts like those that a message may hold, of which each begins or ends in its own way.
const PROBES: [&str; 12] = [
    "Why the fever?",
    "an infection",
    "7 mg",
    "'s",
    "## Thinking\n\nA\n\n## Final response\n\nB",
    "(a) b:",
    "\"quoted\"",
    "é à",
    "漢字。",
    "½ of 3",
    "<think>\na\n</think>\n\nb",
    "{{ a }} [INST] {\"b\": [1, 2]} C.",
];

/// What is read of a model on this machine.
pub(crate) struct Local {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    config: ModelConfig,
    /// What threads that count have remembered and are not using now.
    remembered: Mutex<Vec<PieceCounts>>,
    /// For the roles of a chat, the tokens around its messages, where their number does not depend on these.
    frames: Mutex<HashMap<Vec<String>, Option<usize>>>,
}

impl Local {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let read = || {
            let weights = Weights::open(path)?;
            let tokenizer = Tokenizer::of(&weights)?;
            let template = ChatTemplate::of(&weights, &tokenizer)?;
            let config = weights.config().clone();
            let (remembered, frames) = (Mutex::default(), Mutex::default());
            Ok::<_, engine::Error>(Self { tokenizer, template, config, remembered, frames })
        };
        read().with_context(|| format!("the tokenizer of {}", path.display()))
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The tokens of ordinary text: special-token text is taken for the text that it is.
    pub(crate) fn text(&self, text: &str) -> usize {
        let taken = locked(&self.remembered).pop();
        let mut counts = taken.unwrap_or_default();
        let mut count = |part: &str| self.tokenizer.encode(part).len();
        let total = counts.total(&mut self.tokenizer.cut(text), &mut count);
        locked(&self.remembered).push(counts);
        total
    }

    /// The tokens of a chat, with those that the template writes around its messages.
    ///
    /// They are counted as training tokenises them: special-token text in a message is text.
    pub(crate) fn chat<'a>(
        &self,
        turns: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> anyhow::Result<usize> {
        let (roles, contents): (Vec<&str>, Vec<&str>) = turns.unzip();
        if contents.iter().copied().all(stands_alone)
            && let Some(frame) = self.frame(&roles)
        {
            return Ok(frame + contents.iter().map(|content| self.text(content)).sum::<usize>());
        }
        self.rendered(&roles, &contents)
    }

    /// The tokens of a chat by its whole rendering.
    fn rendered(&self, roles: &[&str], contents: &[&str]) -> anyhow::Result<usize> {
        let message = |(role, content): (&&str, &&str)| ChatMessage::new(*role, *content);
        let messages: Vec<_> = roles.iter().zip(contents).map(message).collect();
        let text = self.template.render(&messages, false)?;
        Ok(self.tokenizer.encode_with_special(&text).len())
    }

    fn frame(&self, roles: &[&str]) -> Option<usize> {
        let key: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        if let Some(&frame) = locked(&self.frames).get(&key) {
            return frame;
        }
        let frame = self.measured_frame(roles);
        let mut frames = locked(&self.frames);
        if frames.len() < FRAMES {
            frames.insert(key, frame);
        }
        frame
    }

    /// The difference between chats of these roles and their messages, if it is the same for all kinds of messages.
    fn measured_frame(&self, roles: &[&str]) -> Option<usize> {
        let mut frame = None;
        for first in 0..PROBES.len() {
            let probe = |index| PROBES[(first + index) % PROBES.len()];
            let contents: Vec<&str> = (0..roles.len()).map(probe).collect();
            let parts: usize = contents.iter().map(|content| self.text(content)).sum();
            let around = self.rendered(roles, &contents).ok()?.checked_sub(parts)?;
            if *frame.get_or_insert(around) != around {
                return None;
            }
        }
        frame
    }
}

/// Whether a message's content begins and ends in a way of which there is a probe: white space may be trimmed by the
/// template, or be one token with what it writes.
fn stands_alone(content: &str) -> bool {
    let first = content.chars().next();
    first.is_some_and(|first| first.is_alphanumeric() || first.is_ascii_graphic())
        && !content.ends_with(char::is_whitespace)
}

/// What a thread that panicked left is as good as before: counts are written whole.
fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
