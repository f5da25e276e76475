//! What a person sees of a job: a bar on a terminal, a line for each event otherwise.

use std::time::{Duration, Instant};

use cli::Terminal;
use ftjob::Update;
use indicatif::{ProgressBar, ProgressStyle};
use wire::{Event, EventLevel};

use crate::curve::Curve;

/// Shows what happens in a job.
#[derive(Debug, Default)]
pub(crate) struct Display {
    pub(crate) curve: Curve,
    bar: Option<ProgressBar>,
    pace: Option<Pace>,
    silent: bool,
}

/// Steps take seconds to minutes, so that a rate over the last moments would say little.
#[derive(Debug, Clone, Copy)]
struct Pace {
    since: Instant,
    step: u64,
}

impl Pace {
    /// What was told at once when an older job is found again says nothing about the pace.
    const AT_ONCE: Duration = Duration::from_millis(500);

    fn at(self, step: u64, now: Instant) -> Self {
        if now - self.since < Self::AT_ONCE { Self { since: now, step } } else { self }
    }

    /// The time for the steps from `step` to `total`, as far as one can tell.
    fn left(self, step: u64, total: u64, now: Instant) -> Option<Duration> {
        let done = u32::try_from(step.checked_sub(self.step)?).ok().filter(|done| *done > 0)?;
        let each = (now - self.since) / done;
        Some(each * u32::try_from(total.saturating_sub(step)).ok()?)
    }
}

impl Display {
    /// Shows `update`; what cannot be printed changes nothing about the job.
    pub(crate) fn show(&mut self, update: Update<'_>, terminal: &mut Terminal<'_>) {
        match update {
            Update::Event(event) => self.event(event, terminal),
            Update::OutOfSight(error) if !self.silent => {
                self.silent = true;
                self.line(&format!("no answer ({error}); the job goes on, asking again"), terminal);
                return;
            }
            _ => {}
        }
        if !matches!(update, Update::OutOfSight(_)) {
            self.silent = false;
        }
    }

    fn event(&mut self, event: &Event, terminal: &mut Terminal<'_>) {
        let metrics = event.read_metrics();
        if let Some(metrics) = &metrics {
            self.curve.add(metrics);
        }
        let counted = metrics.is_some_and(|metrics| metrics.total_steps.is_some());
        if !(terminal.err_is_terminal && counted) {
            let mark = match &event.level {
                None | Some(EventLevel::Info) => String::new(),
                Some(level) => format!("{level}: "),
            };
            self.line(&format!("{mark}{}", one_line(&event.message)), terminal);
            return;
        }
        let total = self.curve.total_steps.unwrap_or_default();
        let (now, step) = (Instant::now(), self.curve.step);
        let pace = self.pace.map_or(Pace { since: now, step }, |pace| pace.at(step, now));
        self.pace = Some(pace);
        let left = pace.left(step, total, now).filter(|left| !left.is_zero());
        let left = left
            .map(|left| format!(", about {} left", indicatif::HumanDuration(left)))
            .unwrap_or_default();
        let bar = self.bar.get_or_insert_with(|| bar(terminal, total));
        bar.set_length(total);
        bar.set_position(step);
        bar.set_message(format!("{}{left}", self.curve.now()));
    }

    fn line(&self, text: &str, terminal: &mut Terminal<'_>) {
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

fn bar(terminal: &Terminal<'_>, total: u64) -> ProgressBar {
    let bar = cli::progress(terminal, total, "steps");
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} steps, {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// A service's words on one line, without what a terminal would obey.
fn one_line(text: &str) -> String {
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
        let pace = Pace { since: start, step: 0 }.at(10, start);
        assert_eq!(pace.left(10, 20, start), None);
        let pace = pace.at(11, seconds(20)).at(12, seconds(40));
        assert_eq!(pace.left(12, 20, seconds(40)), Some(Duration::from_secs(160)));
        assert_eq!(pace.left(20, 20, seconds(200)), Some(Duration::ZERO));
    }
}
