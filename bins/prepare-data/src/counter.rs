//! Who counts the tokens: the base model's own encoding, or the nearest that is at hand.

use std::path::Path;

use dataset::Example;
use engine::TrainOptions;
use engine::locate::{self, HubSettings, Pip, Source};
use tokens::{ChatConstants, ChatTokens, Count, Encoding, Message};

use crate::local::Local;

/// What is counted with in place of an encoding that is not at hand.
const STAND_IN: Encoding = Encoding::O200k;

/// Counts texts and chats as one base model does, or nearly so.
pub(crate) enum Counter {
    /// A service's model.
    Service { encoding: Encoding, constants: ChatConstants },
    /// A model on this machine, with its own tokenizer and chat template.
    Local(Box<Local>),
    /// A model whose encoding is not known or not at hand, and why.
    StandIn {
        reason: String,
        /// Whether this machine can train it.
        known: bool,
    },
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
            return Ok(Self::StandIn { reason, known: false });
        };
        let absent =
            || Self::StandIn { reason: format!("{model} is not on this machine yet"), known: true };
        // It may as well be the name of a service's model.
        if let Source::Hub(named) = &source
            && !named.cached_in(models_dir).exists()
        {
            let reason = format!("no encoding is known for {model}, and it is not on this machine");
            return Ok(Self::StandIn { reason, known: false });
        }
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

    /// What counts a chat's texts one by one, and what it adds to them; a local model's template goes over all of it.
    pub(crate) fn service(&self) -> Option<(Encoding, ChatConstants)> {
        match self {
            Self::Service { encoding, constants } => Some((*encoding, *constants)),
            Self::StandIn { .. } => Some((STAND_IN, ChatConstants::CURRENT)),
            Self::Local(_) => None,
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
            Self::StandIn { reason, .. } => Some(reason),
            Self::Service { .. } | Self::Local(_) => None,
        }
    }

    /// The most tokens of an example that training on this machine uses; a service's limit is not known here.
    pub(crate) fn limit(&self) -> Option<usize> {
        let usual = TrainOptions::default().max_tokens;
        match self {
            Self::Service { .. } => None,
            Self::Local(local) => Some(usual.min(local.config().max_positions)),
            Self::StandIn { known, .. } => known.then_some(usual),
        }
    }

    /// How fast this machine trains the model, by a measurement of a fraction of a second, where it is a local one.
    pub(crate) fn tokens_per_second(&self) -> Option<f64> {
        match self {
            Self::Local(local) => Some(engine::rate::training_tokens_per_second(local.config())),
            Self::Service { .. } | Self::StandIn { .. } => None,
        }
    }

    pub(crate) fn text(&self, text: &str) -> usize {
        match self {
            Self::Service { encoding, .. } => Count::count(encoding, text),
            Self::Local(local) => local.text(text),
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
                let count = |message: &Message<'_>| local.text(message.content);
                let learned = messages.iter().filter(|message| message.role == "assistant");
                let assistant = learned.map(count).sum();
                let turns = messages.iter().map(|message| (message.role, message.content));
                let total = local.chat(turns).unwrap_or_else(|_| messages.iter().map(count).sum());
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
            Self::Local(local) => local.chat(example.turns()),
            Self::StandIn { .. } => {
                Ok(ChatConstants::CURRENT.count(&STAND_IN, example.turns()).total)
            }
        }
    }
}
