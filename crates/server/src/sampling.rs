//! How to draw answers, checked: the parameters that chats and completions share.

use std::collections::BTreeMap;

use engine::generate::Options;
use serde_json::{Map, Value};
use wire::Stop;

use crate::fault::Fault;

/// How to draw answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
    pub(crate) top_k: Option<usize>,
    pub(crate) frequency_penalty: f64,
    pub(crate) presence_penalty: f64,
    pub(crate) repetition_penalty: f64,
    pub(crate) logit_bias: Vec<(u32, f64)>,
    /// The most tokens; without it, what the context still holds.
    pub(crate) max_tokens: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) stop: Vec<String>,
    /// How many answers to one prompt.
    pub(crate) answers: usize,
    /// How many of the likeliest tokens to tell beside each.
    pub(crate) logprobs: Option<usize>,
}

/// What a request says about it.
#[derive(Debug, Default)]
pub(crate) struct Wishes<'r> {
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u64>,
    pub(crate) frequency_penalty: Option<f64>,
    pub(crate) presence_penalty: Option<f64>,
    pub(crate) repetition_penalty: Option<f64>,
    pub(crate) logit_bias: Option<&'r BTreeMap<String, f64>>,
    pub(crate) seed: Option<i64>,
    pub(crate) stop: Option<&'r Stop>,
    pub(crate) n: Option<u64>,
}

/// The [`Wishes`] of a request, of chats and of completions alike.
macro_rules! wishes {
    ($request:expr) => {
        $crate::sampling::Wishes {
            temperature: $request.temperature,
            top_p: $request.top_p,
            top_k: $request.top_k,
            frequency_penalty: $request.frequency_penalty,
            presence_penalty: $request.presence_penalty,
            repetition_penalty: $request.repetition_penalty,
            logit_bias: $request.logit_bias.as_ref(),
            seed: $request.seed,
            stop: $request.stop.as_ref(),
            n: $request.n,
        }
    };
}
pub(crate) use wishes;

/// The most answers to one prompt; OpenAI allows 128, which no laptop would finish.
const ANSWERS: u64 = 16;
/// The most stop texts. OpenAI allows 4; benchmarks ask for more.
const STOPS: usize = 16;
/// The most tokens that a bias can be given for.
const BIASES: usize = 1024;

impl Wishes<'_> {
    /// Checks them; `random` is the seed where none is named.
    pub(crate) fn checked(&self, random: u64) -> Result<Sampling, Fault> {
        let stop = self.stop.map_or(&[][..], Stop::texts);
        if stop.len() > STOPS || stop.iter().any(String::is_empty) {
            let message = format!("'stop' must be up to {STOPS} texts, none of them empty");
            return Err(Fault::invalid_value("stop", message));
        }
        let answers = self.n.unwrap_or(1);
        if !(1..=ANSWERS).contains(&answers) {
            let message = format!("'n' must be from 1 to {ANSWERS} here");
            return Err(Fault::invalid_value("n", message));
        }
        if self.repetition_penalty.is_some_and(|penalty| !(penalty > 0.0 && penalty <= 10.0)) {
            let message = "'repetition_penalty' must be above 0 and up to 10";
            return Err(Fault::invalid_value("repetition_penalty", message));
        }
        if self.top_k == Some(0) {
            return Err(Fault::invalid_value("top_k", "'top_k' must be at least 1"));
        }
        Ok(Sampling {
            temperature: within("temperature", self.temperature, 0.0, 2.0)?.unwrap_or(1.0),
            top_p: within("top_p", self.top_p, 0.0, 1.0)?.unwrap_or(1.0),
            top_k: self.top_k.map(saturated),
            frequency_penalty: within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?
                .unwrap_or(0.0),
            presence_penalty: within("presence_penalty", self.presence_penalty, -2.0, 2.0)?
                .unwrap_or(0.0),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            logit_bias: self.logit_bias.map(biases).transpose()?.unwrap_or_default(),
            max_tokens: None,
            seed: self.seed.map_or(random, i64::cast_unsigned),
            stop: stop.to_vec(),
            answers: saturated(answers),
            logprobs: None,
        })
    }
}

fn within(name: &str, value: Option<f64>, least: f64, most: f64) -> Result<Option<f64>, Fault> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            let message = format!("'{name}' must be from {least} to {most}");
            Err(Fault::invalid_value(name, message))
        }
        value => Ok(value),
    }
}

fn biases(biases: &BTreeMap<String, f64>) -> Result<Vec<(u32, f64)>, Fault> {
    let fault = |message: String| Err(Fault::invalid_value("logit_bias", message));
    if biases.len() > BIASES {
        return fault(format!("'logit_bias' may name up to {BIASES} tokens"));
    }
    let mut checked = Vec::with_capacity(biases.len());
    for (token, bias) in biases {
        let Ok(token) = token.parse() else {
            return fault("'logit_bias' must map ids of tokens to numbers".to_owned());
        };
        if !(-100.0..=100.0).contains(bias) {
            return fault("the numbers of 'logit_bias' must be from -100 to 100".to_owned());
        }
        checked.push((token, *bias));
    }
    Ok(checked)
}

/// A number of the dialect as one of this machine.
pub(crate) fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Sampling {
    /// The engine's words for it, with at most `max_tokens`.
    #[expect(clippy::cast_possible_truncation, reason = "the engine samples in f32")]
    pub(crate) fn options(&self, max_tokens: usize, prompt_scores: Option<usize>) -> Options {
        Options {
            max_tokens,
            temperature: self.temperature as f32,
            // Of a share of nothing the likeliest token is left, which a share of nearly nothing says as well.
            top_p: (self.top_p as f32).max(f32::MIN_POSITIVE),
            top_k: self.top_k,
            frequency_penalty: self.frequency_penalty as f32,
            presence_penalty: self.presence_penalty as f32,
            repetition_penalty: (self.repetition_penalty as f32).max(f32::MIN_POSITIVE),
            logit_bias: self
                .logit_bias
                .iter()
                .map(|(token, bias)| (*token, *bias as f32))
                .collect(),
            seed: self.seed,
            stop: self.stop.clone(),
            log_probabilities: self.logprobs,
            prompt_log_probabilities: prompt_scores,
        }
    }
}

/// Parameters of the dialect that change nothing in an answer here.
const WITHOUT_EFFECT: [&str; 4] =
    ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"];

/// Whether a value asks for nothing.
pub(crate) type HasNoEffect = fn(&Value) -> bool;

/// Refuses what is not honoured: everything in `extra` but parameters without effect, and those of `unsupported` whose
/// value has none.
pub(crate) fn refuse(
    extra: &Map<String, Value>,
    unsupported: &[(&str, HasNoEffect)],
) -> Result<(), Fault> {
    for (name, value) in extra {
        if value.is_null() || WITHOUT_EFFECT.contains(&name.as_str()) {
            continue;
        }
        match unsupported.iter().find(|(known, _)| known == name) {
            Some((_, has_no_effect)) if has_no_effect(value) => {}
            Some(_) => return Err(Fault::unsupported(name, "is not supported by this server")),
            None => {
                let name: String = name.chars().take(100).collect();
                let message = format!("Unrecognized request argument supplied: {name}");
                return Err(Fault::invalid(message).param(name).code("unknown_parameter"));
            }
        }
    }
    Ok(())
}

/// An empty list or object.
pub(crate) fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}
