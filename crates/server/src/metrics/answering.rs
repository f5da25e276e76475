//! What answering is like: how much of it, how soon it begins, who waits and who is turned away.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::queue::Queue;

/// From a token of an idle machine to one that waits behind a whole queue, in seconds.
const FIRST_TOKEN_BUCKETS: [f64; 11] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The numbers of answers; a copy counts into the same.
#[derive(Debug, Clone)]
pub(crate) struct Answering {
    answers: IntCounterVec,
    prompt_tokens: IntCounter,
    tokens: IntCounter,
    first_token: Histogram,
    refused: IntCounter,
    running: IntGauge,
    waiting: IntGauge,
}

impl Answering {
    pub(super) fn registered(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| IntCounter::with_opts(Opts::new(name, help));
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        let answering = Self {
            answers: IntCounterVec::new(
                Opts::new("medtune_answers_total", "Answers that have ended, by why they did."),
                &["finish"],
            )?,
            prompt_tokens: counter(
                "medtune_answer_prompt_tokens_total",
                "Tokens of prompts read.",
            )?,
            tokens: counter("medtune_answer_tokens_total", "Tokens of answers generated.")?,
            first_token: Histogram::with_opts(
                HistogramOpts::new(
                    "medtune_answer_first_token_seconds",
                    "Time from a request to the first token of the answers to a prompt.",
                )
                .buckets(FIRST_TOKEN_BUCKETS.to_vec()),
            )?,
            refused: counter(
                "medtune_answers_refused_total",
                "Requests for answers turned away with 429, for too many waited.",
            )?,
            running: gauge("medtune_answers_running", "Answers that are being generated.")?,
            waiting: gauge("medtune_answers_waiting", "Prompts that wait for their turn.")?,
        };
        let all: [Box<dyn Collector>; 7] = [
            Box::new(answering.answers.clone()),
            Box::new(answering.prompt_tokens.clone()),
            Box::new(answering.tokens.clone()),
            Box::new(answering.first_token.clone()),
            Box::new(answering.refused.clone()),
            Box::new(answering.running.clone()),
            Box::new(answering.waiting.clone()),
        ];
        for one in all {
            registry.register(one)?;
        }
        for finish in ["stop", "length", "broken_off"] {
            // So that a rate can be told from the first one on.
            answering.answers.with_label_values(&[finish]).reset();
        }
        Ok(answering)
    }

    /// Counts a prompt that is read.
    pub(crate) fn read(&self, tokens: usize) {
        self.prompt_tokens.inc_by(tokens as u64);
    }

    /// Counts a token, the first one with the time since it was asked for.
    pub(crate) fn token(&self, since_asked: Option<Duration>) {
        self.tokens.inc();
        if let Some(took) = since_asked {
            self.first_token.observe(took.as_secs_f64());
        }
    }

    /// Counts an answer that has ended.
    pub(crate) fn ended(&self, finish: &'static str) {
        self.answers.with_label_values(&[finish]).inc();
    }

    /// Counts a request that was turned away.
    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    /// Takes up how the queue stands.
    pub(super) fn look_at(&self, queue: &Queue) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.running.set(whole(queue.running()));
        self.waiting.set(whole(queue.waiting()));
    }
}
