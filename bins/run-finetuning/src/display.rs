//! What a person sees of a job: a bar on a terminal, a line for each event otherwise.

use cli::Terminal;
use ftjob::Update;
use indicatif::ProgressBar;
use wire::{Event, EventLevel};

use crate::curve::Curve;

/// Shows what happens in a job.
#[derive(Debug, Default)]
pub(crate) struct Display {
    pub(crate) curve: Curve,
    bar: Option<ProgressBar>,
    silent: bool,
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
        let bar = self.bar.get_or_insert_with(|| cli::progress(terminal, total, "steps"));
        bar.set_length(total);
        bar.set_position(self.curve.step);
        bar.set_message(self.curve.now());
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

/// A service's words on one line, without what a terminal would obey.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}
