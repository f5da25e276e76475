//! What a person sees of a job: a bar on a terminal, a line for each event otherwise, or JSON lines.

use std::time::{Duration, Instant};

use cli::Terminal;
use ftjob::Update;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use wire::{Event, EventLevel, Job, JobStatus};

use crate::curve::Curve;
use crate::ledger::{self, Events};
use crate::words::Words;

/// Shows what happens in a job, after it was kept.
#[derive(Debug)]
pub(crate) struct Display<'a> {
    pub(crate) curve: Curve,
    events: Events,
    /// What a service may not repeat.
    words: Option<&'a Words>,
    json: bool,
    bar: Option<ProgressBar>,
    pace: Option<Pace>,
    /// When the service says that the job will end, in seconds since 1970.
    estimated_finish: Option<i64>,
    silent: bool,
    /// Why events could not be kept; told once.
    trouble: Option<std::io::Error>,
}

/// Steps take seconds to minutes, so that a rate over the last moments would say little.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// When the first step was seen.
    first: Instant,
    /// Where counting began, which is when and what was seen last of what was told at once.
    since: Instant,
    step: u64,
}

impl Pace {
    /// What was told at once when an older job is found again says nothing about the pace.
    const AT_ONCE: Duration = Duration::from_millis(500);

    fn new(step: u64, now: Instant) -> Self {
        Self { first: now, since: now, step }
    }

    fn at(self, step: u64, now: Instant) -> Self {
        let at_once = now - self.first < Self::AT_ONCE;
        if at_once { Self { since: now, step, ..self } } else { self }
    }

    /// The time for the steps from `step` to `total`, as far as one can tell.
    fn left(self, step: u64, total: u64, now: Instant) -> Option<Duration> {
        let done = u32::try_from(step.checked_sub(self.step)?).ok().filter(|done| *done > 0)?;
        let each = (now - self.since) / done;
        Some(each * u32::try_from(total.saturating_sub(step)).ok()?)
    }
}

impl<'a> Display<'a> {
    /// Shows what is new beside `events`; what a service repeats of `words` is kept back.
    pub(crate) fn new(events: Events, words: Option<&'a Words>, json: bool) -> Self {
        let mut curve = Curve::default();
        ledger::metrics(&events.told).for_each(|metrics| curve.add(&metrics));
        Self {
            curve,
            events,
            words,
            json,
            bar: None,
            pace: None,
            estimated_finish: None,
            silent: false,
            trouble: None,
        }
    }

    /// The ids of the events that were told by earlier processes.
    pub(crate) fn told(&self) -> Vec<String> {
        self.events.ids()
    }

    /// Shows `update`; what cannot be printed or kept changes nothing about the job.
    pub(crate) fn show(&mut self, update: Update<'_>, terminal: &mut Terminal<'_>) {
        match update {
            Update::Event(event) => self.event(event, terminal),
            Update::Status(job) => self.status(job, terminal),
            Update::OutOfSight(error) => {
                if !self.silent {
                    self.line(
                        &format!("no answer ({error}); the job goes on, asking again"),
                        terminal,
                    );
                }
                self.silent = true;
                return;
            }
            _ => {}
        }
        self.silent = false;
    }

    fn status(&mut self, job: &Job, terminal: &mut Terminal<'_>) {
        self.estimated_finish = job.estimated_finish;
        if self.json {
            json_line(&json!({"type": "status", "job": job.id, "status": job.status}), terminal);
        } else if matches!(
            job.status,
            JobStatus::Paused | JobStatus::Pausing | JobStatus::Cancelling | JobStatus::Other(_)
        ) {
            self.line(&format!("the job is {}", one_line(job.status.as_str())), terminal);
        }
    }

    fn event(&mut self, event: &Event, terminal: &mut Terminal<'_>) {
        let told = one_line(&event.message);
        let words = self.words.map_or_else(|| told.clone(), |words| words.cleaned(&told));
        // Without the records at hand nobody can say what the service repeats.
        let kept = if self.words.is_some() { words.as_str() } else { "" };
        if let Err(error) = self.events.add(event, kept)
            && self.trouble.is_none()
        {
            self.line(
                &format!("warning: events cannot be kept ({error}); the job goes on"),
                terminal,
            );
            self.trouble = Some(error);
        }
        let metrics = event.read_metrics();
        if let Some(metrics) = &metrics {
            self.curve.add(metrics);
        }
        if self.json {
            json_line(&event_json(event, &words), terminal);
            return;
        }
        let counted = metrics.is_some_and(|metrics| metrics.total_steps.is_some());
        if terminal.err_is_terminal && counted {
            self.advance(terminal);
        } else {
            self.line(&event_line(event, &words), terminal);
        }
    }

    fn advance(&mut self, terminal: &Terminal<'_>) {
        let total = self.curve.total_steps.unwrap_or_default();
        let (now, step) = (Instant::now(), self.curve.step);
        let pace = self.pace.map_or(Pace::new(step, now), |pace| pace.at(step, now));
        self.pace = Some(pace);
        let told = self.estimated_finish.and_then(|finish| {
            u64::try_from(finish - jiff::Timestamp::now().as_second()).ok().map(Duration::from_secs)
        });
        let left = pace.left(step, total, now).or(told).filter(|left| !left.is_zero());
        let left = left
            .map(|left| format!(", about {} left", indicatif::HumanDuration(left)))
            .unwrap_or_default();
        let bar = self.bar.get_or_insert_with(|| bar(terminal, total));
        bar.set_length(total);
        bar.set_position(step);
        bar.set_message(format!("{}{left}", self.curve.now()));
    }

    /// Prints a line above the bar, if there is one.
    pub(crate) fn line(&self, text: &str, terminal: &mut Terminal<'_>) {
        let mut print = || drop(writeln!(terminal.err, "{text}"));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// An event on one line; of a kind that is not just words or numbers, the kind is told too.
pub(crate) fn event_line(event: &Event, words: &str) -> String {
    let level = match &event.level {
        None | Some(EventLevel::Info) => String::new(),
        Some(level) => format!("{}: ", one_line(level.as_str())),
    };
    let kind = match &event.kind {
        None | Some(wire::EventType::Message | wire::EventType::Metrics) => String::new(),
        Some(kind) => format!("{}: ", one_line(kind.as_str())),
    };
    format!("{level}{kind}{words}")
}

/// An event as a JSON line.
pub(crate) fn event_json(event: &Event, words: &str) -> Value {
    json!({"type": "event", "id": event.id, "created_at": event.created_at, "level": event.level,
        "kind": event.kind, "message": words, "data": event.data.as_ref().map(ledger::numbers)})
}

/// One JSON object on a line of standard output.
pub(crate) fn json_line(value: &Value, terminal: &mut Terminal<'_>) {
    let _ = writeln!(terminal.out, "{value}").and_then(|()| terminal.out.flush());
}

fn bar(terminal: &Terminal<'_>, total: u64) -> ProgressBar {
    let bar = cli::progress(terminal, total, "steps");
    if let Ok(style) = ProgressStyle::with_template("[{bar:20}] {pos}/{len} steps, {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// A service's words on one line, without what a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_counts_from_what_was_seen_happening() {
        let start = Instant::now();
        let seconds = |seconds| start + Duration::from_secs(seconds);
        // Ten steps were told at once, then two more took 20 s each.
        let pace = Pace::new(0, start).at(10, start);
        assert_eq!(pace.left(10, 20, start), None);
        let pace = pace.at(11, seconds(20)).at(12, seconds(40));
        assert_eq!(pace.left(12, 20, seconds(40)), Some(Duration::from_secs(160)));
        assert_eq!(pace.left(20, 20, seconds(200)), Some(Duration::ZERO));
        // Steps that come several a second are timed as well.
        let quick = (1..=20).fold(Pace::new(0, start), |pace, step| {
            pace.at(step, start + Duration::from_millis(100 * step))
        });
        let left = quick.left(20, 30, seconds(2));
        assert!(
            left.is_some_and(|left| left.abs_diff(Duration::from_secs(1)).as_millis() < 10),
            "{left:?}"
        );
    }

    #[test]
    fn kinds_and_levels_that_are_not_usual_are_shown() {
        let event = |kind: &str, level: &str| -> Event {
            serde_json::from_value(json!({"id": "e", "type": kind, "level": level})).unwrap()
        };
        assert_eq!(event_line(&event("message", "info"), "a"), "a");
        assert_eq!(event_line(&event("moderation_checks", "info"), "a"), "moderation_checks: a");
        assert_eq!(event_line(&event("news", "warning"), "a"), "warn: news: a");
    }
}
