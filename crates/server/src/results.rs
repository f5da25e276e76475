//! The results file of a job: OpenAI's columns, one row a step, in base64 as OpenAI serves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;
use wire::{Event, Job, Metrics};

use crate::hyperparameters::learns_preferences;
use crate::store::{Result, Span, events};

const HEADER: &str = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy";
/// What a job on preferences has besides; its accuracies are shares of pairs, not of tokens.
const PREFERENCE_HEADER: &str = ",train_reward_margin,valid_reward_accuracy";

/// The file's content, out of the job's own events.
pub(crate) fn file(connection: &Connection, job: &Job) -> Result<String> {
    let span = Span { after: None, limit: usize::MAX, newest_first: false };
    let events = events::list(connection, job.id.as_str(), &span)?.map(|part| part.items);
    let preferences = learns_preferences(job);
    Ok(STANDARD.encode(table(events.unwrap_or_default().iter(), preferences)))
}

fn table<'a>(events: impl Iterator<Item = &'a Event>, preferences: bool) -> String {
    let steps =
        events.filter_map(Event::read_metrics).filter(|metrics| metrics.train_loss.is_some());
    let mut table = HEADER.to_owned();
    if preferences {
        table.push_str(PREFERENCE_HEADER);
    }
    for metrics in steps {
        table.push('\n');
        table.push_str(&row(&metrics));
        if preferences {
            let valid = metrics.full_valid_reward_accuracy.or(metrics.valid_reward_accuracy);
            for value in [metrics.train_reward_margin, valid] {
                table.push(',');
                table.push_str(&cell(value));
            }
        }
    }
    table.push('\n');
    table
}

fn cell(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| format!("{value:.5}"))
}

fn row(metrics: &Metrics) -> String {
    // The loss over the whole validation file says more than that over a part of it.
    let valid_loss = metrics.full_valid_loss.or(metrics.valid_loss);
    let valid_accuracy =
        metrics.full_valid_mean_token_accuracy.or(metrics.valid_mean_token_accuracy);
    format!(
        "{},{},{},{},{}",
        metrics.step.unwrap_or_default(),
        cell(metrics.train_loss),
        cell(metrics.train_mean_token_accuracy.or(metrics.train_reward_accuracy)),
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
        insta::assert_snapshot!(table(events.iter(), false), @r"
        step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy
        1,2.50000,0.25000,,
        2,2.50000,0.25000,2.00000,0.50000
        ");
    }
    #[test]
    fn a_job_on_preferences_has_columns_more() {
        let step = Metrics {
            step: Some(1),
            train_loss: Some(0.5),
            train_reward_accuracy: Some(0.75),
            train_reward_margin: Some(0.25),
            full_valid_loss: Some(0.625),
            full_valid_reward_accuracy: Some(1.0),
            ..Metrics::default()
        };
        let events = [Event::metrics("e", 0, "m", &step)];
        insta::assert_snapshot!(table(events.iter(), true), @r"
        step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy,train_reward_margin,valid_reward_accuracy
        1,0.50000,0.75000,0.62500,,0.25000,1.00000
        ");
    }
}
