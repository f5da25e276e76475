//! Checkpoints of a job: <https://platform.openai.com/docs/api-reference/fine-tuning/checkpoint-object>.

use serde::{Deserialize, Serialize};

use crate::event::Metrics;
use crate::id::JobId;
use crate::lenient::{Extra, soft, text, whole, whole_or_zero};

/// A model as it stood at the end of an epoch.
///
/// # Examples
///
/// ```
/// use wire::Checkpoint;
///
/// let told: Checkpoint = serde_json::from_str(
///     r#"{"id": "ftckpt_1", "fine_tuned_model_checkpoint": "ft:m:ckpt-step-88", "fine_tuning_job_id": "ftjob-1",
///         "step_number": 88, "metrics": {"full_valid_loss": 1.42}}"#,
/// )?;
/// assert_eq!(told.metrics.full_valid_loss, Some(1.42));
/// let made = Checkpoint::new("ftckpt_1", "ftjob-1".parse()?, "ft:m:ckpt-step-88", 88, 1_764_000_000);
/// assert_eq!(made.fine_tuning_job_id, told.fine_tuning_job_id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its id.
    pub id: String,
    /// Always `fine_tuning.job.checkpoint`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it was written, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// The model id to ask it by.
    #[serde(default, deserialize_with = "text")]
    pub fine_tuned_model_checkpoint: Option<String>,
    /// The job it belongs to.
    #[serde(default, deserialize_with = "soft")]
    pub fine_tuning_job_id: Option<JobId>,
    /// The optimizer step after which it was written.
    #[serde(default, deserialize_with = "whole")]
    pub step_number: Option<u64>,
    /// Its losses and accuracies, as far as they were measured.
    #[serde(default, deserialize_with = "soft")]
    pub metrics: Metrics,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Checkpoint {
    /// A checkpoint of `job` after `step_number` steps that answers as `model`.
    pub fn new(
        id: impl Into<String>,
        job: JobId,
        model: impl Into<String>,
        step_number: u64,
        created_at: i64,
    ) -> Self {
        Self {
            id: id.into(),
            object: "fine_tuning.job.checkpoint".to_owned(),
            created_at,
            fine_tuned_model_checkpoint: Some(model.into()),
            fine_tuning_job_id: Some(job),
            step_number: Some(step_number),
            metrics: Metrics::default(),
            extra: Extra::new(),
        }
    }
}
