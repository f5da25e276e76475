//! Numbers for an observer, in the text format of Prometheus; no name, id or text of anybody's is among them.

mod answering;

use std::fmt;
use std::time::Duration;

use prometheus::{
    Counter, HistogramOpts, HistogramVec, IntCounter, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

pub(crate) use answering::Answering;

use crate::state::State;
use crate::store::{self, StoreError, files, jobs, models};

/// From a list's page to a whole answer on a busy machine, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// The numbers that only counting can tell; the others are read from the database when they are asked for.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) answering: Answering,
    requests: HistogramVec,
    steps: IntCounter,
    step_tokens: IntCounter,
    step_seconds: Counter,
    jobs: IntGaugeVec,
    files: IntGauge,
    file_bytes: IntGauge,
    models: IntGauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        match Self::registered() {
            Ok(metrics) => metrics,
            Err(error) => unreachable!("each name is valid and used once: {error}"),
        }
    }

    fn registered() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        let counter = |name: &str, help: &str| IntCounter::with_opts(Opts::new(name, help));
        let registry = Registry::new();
        let metrics = Self {
            answering: Answering::registered(&registry)?,
            registry,
            requests: HistogramVec::new(
                HistogramOpts::new(
                    "medtune_http_request_duration_seconds",
                    "Time until a request's answer began, by path, method and status.",
                )
                .buckets(BUCKETS.to_vec()),
                &["method", "path", "status"],
            )?,
            steps: counter("medtune_training_steps_total", "Optimizer steps taken.")?,
            step_tokens: counter("medtune_training_tokens_total", "Tokens trained on.")?,
            step_seconds: Counter::with_opts(Opts::new(
                "medtune_training_seconds_total",
                "Time spent in optimizer steps.",
            ))?,
            jobs: IntGaugeVec::new(
                Opts::new("medtune_jobs", "Fine-tuning jobs by their status."),
                &["status"],
            )?,
            files: gauge("medtune_files", "Files kept.")?,
            file_bytes: gauge("medtune_file_bytes", "Bytes of all files kept.")?,
            models: gauge("medtune_models", "Fine-tuned models kept, checkpoints among them.")?,
        };
        let all: [Box<dyn prometheus::core::Collector>; 8] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.steps.clone()),
            Box::new(metrics.step_tokens.clone()),
            Box::new(metrics.step_seconds.clone()),
            Box::new(metrics.jobs.clone()),
            Box::new(metrics.files.clone()),
            Box::new(metrics.file_bytes.clone()),
            Box::new(metrics.models.clone()),
        ];
        for one in all {
            metrics.registry.register(one)?;
        }
        Ok(metrics)
    }

    /// Counts a request, by the pattern of its path and never by the path itself.
    pub(crate) fn request(&self, method: &str, pattern: &str, status: u16, took: Duration) {
        let labels = [method, pattern, &status.to_string()];
        self.requests.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// Counts a step of a training.
    pub(crate) fn step(&self, tokens: usize, seconds: f64) {
        self.steps.inc();
        self.step_tokens.inc_by(tokens as u64);
        self.step_seconds.inc_by(seconds.max(0.0));
    }

    /// All numbers as text; blocks for the database.
    pub(crate) fn text(&self, state: &State) -> store::Result<String> {
        let (jobs, (files, bytes), models) = state.store.change(|connection| {
            Ok((jobs::count(connection)?, files::size(connection)?, models::count(connection)?))
        })?;
        self.jobs.reset();
        for (status, count) in jobs {
            self.jobs.with_label_values(&[status]).set(count);
        }
        self.files.set(files);
        self.file_bytes.set(bytes);
        self.models.set(models);
        self.answering.look_at(&state.queue);
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(|error| StoreError::from(std::io::Error::other(error)))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
