//! Who counts the tokens: the base model's own encoding, or the nearest that is at hand.

use std::path::Path;

use anyhow::Context;
use dataset::Example;
use engine::locate::{self, HubSettings, Pip, Source};
use engine::{ChatMessage, ChatTemplate, ModelConfig, Tokenizer, Weights};
use tokens::{ChatConstants, ChatTokens, Count, Encoding, Message};

/// What is counted with in place of an encoding that is not at hand.
const STAND_IN: Encoding = Encoding::O200k;

/// Counts texts and chats as one base model does, or nearly so.
pub(crate) enum Counter {
    /// A service's model.
    Service { encoding: Encoding, constants: ChatConstants },
    /// A model on this machine, with its own tokenizer and chat template.
    Local(Box<Local>),
    /// A model whose encoding is not known or not at hand, and why.
    StandIn { reason: String },
}

/// What is read of a model on this machine.
pub(crate) struct Local {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    config: ModelConfig,
}

impl Counter {
    /// The counter for `model`: a path or name of a model on this machine, or a service's model.
    ///
    /// Nothing is downloaded: a known model that is not in `models_dir` yet is counted by a stand-in.
    pub(crate) fn for_model(model: &str, models_dir: &Path) -> anyhow::Result<Self> {
        if let Ok(encoding) = Encoding::for_model(model) {
            return Ok(Self::Service { encoding, constants: ChatConstants::for_model(model) });
        }
        let Ok(source) = Source::parse(model) else {
            let reason = format!("no encoding is known for {model}");
            return Ok(Self::StandIn { reason });
        };
        let absent = || Self::StandIn { reason: format!("{model} is not on this machine yet") };
        // Looking into a cache makes its folders, which a tool that never downloads has no use for.
        if matches!(source, Source::Known(_)) && !models_dir.is_dir() {
            return Ok(absent());
        }
        let hub = HubSettings { offline: true, ..HubSettings::default() };
        let options = locate::Options { cache_dir: models_dir.to_owned(), hub, pip: Pip::Never };
        match locate::locate(&source, &options, &mut |_| {}) {
            Ok(located) => Local::open(&located.path).map(|local| Self::Local(Box::new(local))),
            Err(_) => Ok(absent()),
        }
    }

    /// The name of what counts.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Service { encoding, .. } => encoding.name(),
            Self::Local(_) => "the model's own tokenizer",
            Self::StandIn { .. } => STAND_IN.name(),
        }
    }

    /// Why the counts are only an estimate, if they are.
    pub(crate) fn doubt(&self) -> Option<&str> {
        match self {
            Self::StandIn { reason } => Some(reason),
            Self::Service { .. } | Self::Local(_) => None,
        }
    }

    /// How fast this machine trains the model, by a measurement of a fraction of a second, where it is a local one.
    pub(crate) fn tokens_per_second(&self) -> Option<f64> {
        match self {
            Self::Local(local) => Some(engine::rate::training_tokens_per_second(&local.config)),
            Self::Service { .. } | Self::StandIn { .. } => None,
        }
    }

    pub(crate) fn text(&self, text: &str) -> usize {
        match self {
            Self::Service { encoding, .. } => Count::count(encoding, text),
            Self::Local(local) => local.tokenizer.encode(text).len(),
            Self::StandIn { .. } => Count::count(&STAND_IN, text),
        }
    }

    /// The tokens of any chat. A chat that a local model's template refuses counts by its texts alone.
    pub(crate) fn messages(&self, messages: &[Message<'_>]) -> ChatTokens {
        match self {
            Self::Service { encoding, constants } => {
                constants.count(encoding, messages.iter().copied())
            }
            Self::StandIn { .. } => {
                ChatConstants::CURRENT.count(&STAND_IN, messages.iter().copied())
            }
            Self::Local(local) => {
                let count = |message: &Message<'_>| local.tokenizer.encode(message.content).len();
                let learned = messages.iter().filter(|message| message.role == "assistant");
                let assistant = learned.map(count).sum();
                let turns = messages.iter().map(|message| (message.role, message.content));
                let total = local.turns(turns).unwrap_or_else(|_| messages.iter().map(count).sum());
                ChatTokens { total, assistant }
            }
        }
    }

    /// All tokens of a chat, with those that frame its messages.
    pub(crate) fn chat(&self, example: &Example) -> anyhow::Result<usize> {
        match self {
            Self::Service { encoding, constants } => {
                Ok(constants.count(encoding, example.turns()).total)
            }
            Self::Local(local) => local.turns(example.turns()),
            Self::StandIn { .. } => {
                Ok(ChatConstants::CURRENT.count(&STAND_IN, example.turns()).total)
            }
        }
    }
}

impl Local {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let read = || {
            let weights = Weights::open(path)?;
            let tokenizer = Tokenizer::of(&weights)?;
            let template = ChatTemplate::of(&weights, &tokenizer)?;
            let config = weights.config().clone();
            Ok::<_, engine::Error>(Self { tokenizer, template, config })
        };
        read().with_context(|| format!("the tokenizer of {}", path.display()))
    }

    fn turns<'a>(&self, turns: impl Iterator<Item = (&'a str, &'a str)>) -> anyhow::Result<usize> {
        let message = |(role, content): (&str, &str)| ChatMessage {
            role: role.to_owned(),
            content: content.to_owned(),
            weight: None,
        };
        let messages: Vec<_> = turns.map(message).collect();
        let text = self.template.render(&messages, false)?;
        Ok(self.tokenizer.encode_with_special(&text).len())
    }
}
