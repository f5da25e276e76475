//! The results file of a job: OpenAI's columns, one row a step, in base64 as OpenAI serves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;
use wire::{Event, Job, Metrics};

use crate::store::{Result, Span, events};

const HEADER: &str = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n";

/// The file's content, out of the job's own events.
pub(crate) fn file(connection: &Connection, job: &Job) -> Result<String> {
    let span = Span { after: None, limit: usize::MAX, newest_first: false };
    let events = events::list(connection, job.id.as_str(), &span)?.map(|part| part.items);
    Ok(STANDARD.encode(table(events.unwrap_or_default().iter())))
}

fn table<'a>(events: impl Iterator<Item = &'a Event>) -> String {
    let steps =
        events.filter_map(Event::read_metrics).filter(|metrics| metrics.train_loss.is_some());
    let mut table = HEADER.to_owned();
    for metrics in steps {
        table.push_str(&row(&metrics));
    }
    table
}

fn row(metrics: &Metrics) -> String {
    let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.5}"));
    // The loss over the whole validation file says more than that over a part of it.
    let valid_loss = metrics.full_valid_loss.or(metrics.valid_loss);
    let valid_accuracy =
        metrics.full_valid_mean_token_accuracy.or(metrics.valid_mean_token_accuracy);
    format!(
        "{},{},{},{},{}\n",
        metrics.step.unwrap_or_default(),
        cell(metrics.train_loss),
        cell(metrics.train_mean_token_accuracy),
        cell(valid_loss),
        cell(valid_accuracy)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_without_a_measurement_are_empty_and_step_zero_is_no_row() {
        let before = Metrics { step: Some(0), full_valid_loss: Some(3.0), ..Metrics::default() };
        let first = Metrics {
            step: Some(1),
            train_loss: Some(2.5),
            train_mean_token_accuracy: Some(0.25),
            ..Metrics::default()
        };
        let second = Metrics {
            step: Some(2),
            valid_loss: Some(2.0),
            valid_mean_token_accuracy: Some(0.5),
            ..first.clone()
        };
        let events = [before, first, second].map(|metrics| Event::metrics("e", 0, "m", &metrics));
        insta::assert_snapshot!(table(events.iter()), @r"
        step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy
        1,2.50000,0.25000,,
        2,2.50000,0.25000,2.00000,0.50000
        ");
    }
}
