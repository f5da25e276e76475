//! What a job tells of itself: its events, in the words that users of the hosted service know.

use rusqlite::Connection;
use wire::{Event, EventLevel, Job, JobError, Metrics};

use crate::id;
use crate::store::{Result, events};

/// A thing worth telling.
#[derive(Debug)]
pub(crate) enum Chapter<'a> {
    Created,
    Validating,
    /// The files are good; what was noticed in them.
    Validated {
        examples: usize,
        named_messages: usize,
        equal_pairs: usize,
    },
    Started,
    /// Training goes on behind this step, after a restart or a pause.
    Resumed {
        step: usize,
        restarted: bool,
    },
    /// The user stopped the job for a while.
    Paused,
    /// The server stops, and lets the job go on when it starts again.
    Rested,
    /// The disk is full.
    NoRoom,
    /// The user let it go on.
    Unpaused,
    /// So many examples are longer than the `tokens` trained on, and are cut.
    Cut {
        examples: usize,
        tokens: usize,
    },
    /// The loss before any training.
    Before(&'a Metrics),
    Step(&'a Metrics),
    Checkpoint {
        step: usize,
        model: &'a str,
    },
    NewModel {
        model: &'a str,
    },
    Succeeded,
    Failed(&'a JobError),
    Cancelled,
}

/// Adds what happened to the job's events, once.
pub(crate) fn tell(
    connection: &Connection,
    job: &Job,
    now: i64,
    chapter: &Chapter<'_>,
) -> Result<()> {
    let (key, message) = (key(chapter), message(chapter, job));
    let id = id::random("ftevent-");
    let event = match chapter {
        Chapter::Before(metrics) | Chapter::Step(metrics) => {
            Event::metrics(id, now, message, metrics)
        }
        _ => Event::message(id, now, level(chapter), message),
    };
    events::insert(connection, job.id.as_str(), &key, &event)?;
    Ok(())
}

const VALIDATED: &str = "validated";

/// Whether the job's files were found good.
pub(crate) fn is_validated(connection: &Connection, job: &Job) -> Result<bool> {
    events::is_told(connection, job.id.as_str(), VALIDATED)
}

/// Names the chapter within its job; a chapter of the same name is told only the first time.
fn key(chapter: &Chapter<'_>) -> String {
    match chapter {
        Chapter::Created => "created".to_owned(),
        Chapter::Validating => "validating".to_owned(),
        Chapter::Validated { .. } => VALIDATED.to_owned(),
        Chapter::Started => "started".to_owned(),
        Chapter::Resumed { .. } => id::random("resumed:"),
        Chapter::Paused | Chapter::Rested | Chapter::NoRoom => id::random("paused:"),
        Chapter::Unpaused => id::random("unpaused:"),
        Chapter::Cut { .. } => "cut".to_owned(),
        Chapter::Before(_) => "step:0".to_owned(),
        Chapter::Step(metrics) => format!("step:{}", metrics.step.unwrap_or_default()),
        Chapter::Checkpoint { step, .. } => format!("checkpoint:{step}"),
        Chapter::NewModel { .. } => "model".to_owned(),
        Chapter::Succeeded | Chapter::Failed(_) | Chapter::Cancelled => "end".to_owned(),
    }
}

fn level(chapter: &Chapter<'_>) -> EventLevel {
    match chapter {
        Chapter::Failed(_) => EventLevel::Error,
        Chapter::Cut { .. } | Chapter::NoRoom | Chapter::Resumed { restarted: true, .. } => {
            EventLevel::Warn
        }
        Chapter::Validated { named_messages, equal_pairs, .. }
            if named_messages + equal_pairs > 0 =>
        {
            EventLevel::Warn
        }
        _ => EventLevel::Info,
    }
}

fn message(chapter: &Chapter<'_>, job: &Job) -> String {
    let number = |value: Option<f64>| value.map_or("?".to_owned(), |value| format!("{value:.4}"));
    match chapter {
        Chapter::Created => format!("Created fine-tuning job: {}", job.id),
        Chapter::Validating => {
            let file = job.training_file.as_ref().map_or("", wire::FileId::as_str);
            match &job.validation_file {
                None => format!("Validating training file: {file}"),
                Some(other) => {
                    format!("Validating training file: {file} and validation file: {other}")
                }
            }
        }
        Chapter::Validated { examples, named_messages, equal_pairs } => {
            validated(*examples, *named_messages, *equal_pairs)
        }
        Chapter::Started => "Fine-tuning job started".to_owned(),
        Chapter::Resumed { step: 0, .. } => {
            "The server was restarted; training begins again".to_owned()
        }
        Chapter::Resumed { step, restarted: true } => {
            format!("The server was restarted; training goes on behind step {step}")
        }
        Chapter::Resumed { step, restarted: false } => {
            format!("Training goes on behind step {step}")
        }
        Chapter::Paused => "Fine-tuning job paused".to_owned(),
        Chapter::Rested => {
            "The server is stopping; fine-tuning job paused until it starts again".to_owned()
        }
        Chapter::NoRoom => {
            "The server's disk is full; fine-tuning job paused, to be resumed when there is room"
                .to_owned()
        }
        Chapter::Unpaused => "Fine-tuning job resumed".to_owned(),
        Chapter::Cut { examples, tokens } => {
            format!("{examples} examples are longer than {tokens} tokens; their ends are cut off")
        }
        Chapter::Before(metrics) => {
            format!("Before training: full validation loss={}", number(metrics.full_valid_loss))
        }
        Chapter::Step(metrics) => {
            let mut text = format!(
                "Step {}/{}: training loss={}",
                metrics.step.unwrap_or_default(),
                metrics.total_steps.unwrap_or_default(),
                number(metrics.train_loss)
            );
            for (name, value) in [
                ("validation loss", metrics.valid_loss),
                ("full validation loss", metrics.full_valid_loss),
                ("reward margin", metrics.train_reward_margin),
            ] {
                if value.is_some() {
                    text = format!("{text}, {name}={}", number(value));
                }
            }
            text
        }
        Chapter::Checkpoint { step, model } => {
            format!("Checkpoint created at step {step}: {model}")
        }
        Chapter::NewModel { model } => format!("New fine-tuned model created: {model}"),
        Chapter::Succeeded => "The job has successfully completed".to_owned(),
        Chapter::Failed(error) => {
            format!("The job failed: {}", error.message.as_deref().unwrap_or("no reason is known"))
        }
        Chapter::Cancelled => "Fine-tuning job cancelled".to_owned(),
    }
}

fn validated(examples: usize, named_messages: usize, equal_pairs: usize) -> String {
    let mut text =
        format!("Files validated ({examples} training examples), moving job to queued state");
    for (count, noticed) in [
        (named_messages, "messages carry a `name`, which the model's template has no place for"),
        (equal_pairs, "preferences have the same answer twice, which teaches nothing"),
    ] {
        if count > 0 {
            text = format!("{text}; {count} {noticed}");
        }
    }
    text
}
