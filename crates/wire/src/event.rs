//! Events of a job: <https://platform.openai.com/docs/api-reference/fine-tuning/event-object>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lenient::{Extra, soft, whole, whole_or_zero};
use crate::open::open_enum;

open_enum! {
    /// How grave an event is.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::EventLevel;
    ///
    /// assert_eq!(EventLevel::from("warning"), EventLevel::Warn);
    /// assert_eq!(EventLevel::Warn.as_str(), "warn");
    /// ```
    EventLevel {
        /// An ordinary step.
        Info = "info",
        /// Something to look at.
        Warn = "warn" | "warning",
        /// Something that failed.
        Error = "error",
    }
}

open_enum! {
    /// What an event tells.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::EventType;
    ///
    /// assert_eq!(EventType::from("metrics"), EventType::Metrics);
    /// assert_eq!(EventType::ModerationChecks.as_str(), "moderation_checks");
    /// ```
    EventType {
        /// Words.
        Message = "message",
        /// Numbers of one step or epoch, see [`Metrics`].
        Metrics = "metrics",
        /// The outcome of the safety check after training.
        ModerationChecks = "moderation_checks",
    }
}

/// One thing that happened in a job.
///
/// # Examples
///
/// ```
/// use wire::{Event, EventLevel, Metrics};
///
/// let told: Event = serde_json::from_str(
///     r#"{"id": "ftevent-1", "level": "info", "type": "metrics", "message": "Step 8/90",
///         "data": {"step": 8, "total_steps": 90, "train_loss": 1.71}}"#,
/// )?;
/// assert_eq!(told.read_metrics().and_then(|metrics| metrics.train_loss), Some(1.71));
/// let words = Event::message("ftevent-2", 1_764_000_000, EventLevel::Warn, "The file has two equal examples");
/// assert!(words.read_metrics().is_none());
/// let metrics = Metrics { step: Some(8), ..Metrics::default() };
/// assert_eq!(Event::metrics("ftevent-3", 1_764_000_001, "Step 8/90", &metrics).read_metrics(), Some(metrics));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its id, unique in the job.
    pub id: String,
    /// Always `fine_tuning.job.event`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it happened, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// How grave it is.
    #[serde(default, deserialize_with = "soft")]
    pub level: Option<EventLevel>,
    /// Words for a person.
    #[serde(default, deserialize_with = "soft")]
    pub message: String,
    /// What it tells.
    #[serde(rename = "type", default, deserialize_with = "soft")]
    pub kind: Option<EventType>,
    /// What belongs to it, by `kind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Event {
    /// An event in words.
    pub fn message(
        id: impl Into<String>,
        created_at: i64,
        level: EventLevel,
        message: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            object: "fine_tuning.job.event".to_owned(),
            created_at,
            level: Some(level),
            message: message.into(),
            kind: Some(EventType::Message),
            data: None,
            extra: Extra::new(),
        }
    }

    /// An event that carries numbers, with words for a person beside them.
    pub fn metrics(
        id: impl Into<String>,
        created_at: i64,
        message: impl Into<String>,
        metrics: &Metrics,
    ) -> Self {
        let data = serde_json::to_value(metrics).ok();
        Self {
            kind: Some(EventType::Metrics),
            data,
            ..Self::message(id, created_at, EventLevel::Info, message)
        }
    }

    /// The numbers it carries, if it is an event of that kind.
    pub fn read_metrics(&self) -> Option<Metrics> {
        if self.kind != Some(EventType::Metrics) {
            return None;
        }
        Metrics::deserialize(self.data.as_ref()?).ok()
    }
}

/// Losses and accuracies of one step, as metrics events and checkpoints carry them.
///
/// # Examples
///
/// ```
/// let metrics: wire::Metrics =
///     serde_json::from_str(r#"{"step": 8.0, "train_loss": 1.71, "valid_loss": null, "gpu": "A100"}"#)?;
/// assert_eq!((metrics.step, metrics.train_loss, metrics.valid_loss), (Some(8), Some(1.71), None));
/// assert_eq!(metrics.extra["gpu"], "A100");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The optimizer step, counted from 1.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// How many steps the job takes.
    #[serde(default, deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<u64>,
    /// The loss on the step's batch.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// The share of the batch's tokens that were predicted right.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub train_mean_token_accuracy: Option<f64>,
    /// The loss on a batch of the validation file.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub valid_loss: Option<f64>,
    /// The accuracy on a batch of the validation file.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub valid_mean_token_accuracy: Option<f64>,
    /// The loss on the whole validation file, at the end of an epoch.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub full_valid_loss: Option<f64>,
    /// The accuracy on the whole validation file, at the end of an epoch.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub full_valid_mean_token_accuracy: Option<f64>,
    /// Of preferences, the share of the batch's pairs whose preferred answer is ahead.
    ///
    /// Not `OpenAI`'s own, as all below.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub train_reward_accuracy: Option<f64>,
    /// Of preferences, how far the preferred answers are ahead on the mean.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub train_reward_margin: Option<f64>,
    /// Of preferences, the mean reward of the preferred answers.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub train_reward_preferred: Option<f64>,
    /// Of preferences, the mean reward of the other answers.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub train_reward_rejected: Option<f64>,
    /// The accuracy on a batch of the validation file's preferences.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub valid_reward_accuracy: Option<f64>,
    /// The accuracy on all the validation file's preferences, at the end of an epoch.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub full_valid_reward_accuracy: Option<f64>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}
