//! Fine-tuning jobs: <https://platform.openai.com/docs/api-reference/fine-tuning/object>.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::id::{FileId, JobId};
use crate::lenient::{Extra, as_whole, soft, text, whole, whole_or_zero};
use crate::open::open_enum;

open_enum! {
    /// Where a job stands.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::JobStatus;
    ///
    /// assert!(JobStatus::from("canceled").is_terminal());
    /// // A word that is not known is no end, so that the job is followed on.
    /// let other = JobStatus::from("warming_up");
    /// assert_eq!((other.is_terminal(), other.as_str()), (false, "warming_up"));
    /// ```
    JobStatus {
        /// Its files are being checked.
        ValidatingFiles = "validating_files",
        /// It waits until it can start (Azure's first state).
        Pending = "pending",
        /// It waits for its turn.
        Queued = "queued",
        /// It trains.
        Running = "running",
        /// It is about to pause.
        Pausing = "pausing",
        /// It waits to be resumed.
        Paused = "paused",
        /// It is about to stop.
        Cancelling = "cancelling" | "canceling" | "cancel_requested",
        /// It is done, and the model can be asked.
        Succeeded = "succeeded",
        /// It ended without a model.
        Failed = "failed",
        /// It was stopped.
        Cancelled = "cancelled" | "canceled",
    }
}

impl JobStatus {
    /// Whether the job has come to its end; unknown states have not.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

open_enum! {
    /// How a model is trained.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::MethodType;
    ///
    /// assert_eq!(MethodType::from("dpo"), MethodType::Dpo);
    /// assert_eq!(MethodType::Supervised.as_str(), "supervised");
    /// ```
    MethodType {
        /// On examples of good answers.
        Supervised = "supervised",
        /// On pairs of a better and a worse answer.
        Dpo = "dpo",
        /// By graded answers.
        Reinforcement = "reinforcement",
    }
}

/// A value that the service may choose itself.
///
/// # Examples
///
/// ```
/// use wire::{Auto, Hyperparameters};
///
/// let told: Hyperparameters = serde_json::from_str(r#"{"n_epochs": 3, "batch_size": "auto"}"#)?;
/// assert_eq!(told.n_epochs.and_then(|epochs| epochs.value()), Some(3));
/// assert_eq!(told.batch_size, Some(Auto::Auto));
/// assert_eq!(Auto::Value(1.8).to_string(), "1.8");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auto<T> {
    /// The service chooses.
    Auto,
    /// This value.
    Value(T),
    /// Another word than `auto`, as it came.
    Other(String),
}

impl<T: Copy> Auto<T> {
    /// The value, where it is one.
    pub fn value(&self) -> Option<T> {
        match self {
            Self::Value(value) => Some(*value),
            Self::Auto | Self::Other(_) => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Auto<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Value(value) => value.fmt(formatter),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Value(value) => value.serialize(serializer),
            Self::Other(text) => serializer.serialize_str(text),
        }
    }
}

/// A number that hyperparameters may hold.
trait Number: Sized {
    fn of(value: &Value) -> Option<Self>;
}

impl Number for i64 {
    fn of(value: &Value) -> Option<Self> {
        as_whole(value)
    }
}

impl Number for f64 {
    fn of(value: &Value) -> Option<Self> {
        value.as_f64()
    }
}

fn auto<'de, D: Deserializer<'de>, T: Number>(
    deserializer: D,
) -> Result<Option<Auto<T>>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) if text == "auto" => Ok(Some(Auto::Auto)),
        Value::String(text) => Ok(Some(Auto::Other(text))),
        value => T::of(&value)
            .map(|number| Some(Auto::Value(number)))
            .ok_or_else(|| serde::de::Error::custom("expected `auto` or a number")),
    }
}

/// How long and how fast to train; absent members are the service's choice.
///
/// # Examples
///
/// ```
/// use wire::{Auto, Hyperparameters};
///
/// let chosen = Hyperparameters { n_epochs: Some(Auto::Value(3)), ..Hyperparameters::default() };
/// assert_eq!(serde_json::to_string(&chosen)?, r#"{"n_epochs":3}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Passes over the training file.
    #[serde(default, deserialize_with = "auto", skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<Auto<i64>>,
    /// Examples a step.
    #[serde(default, deserialize_with = "auto", skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<Auto<i64>>,
    /// A factor on the service's own learning rate.
    #[serde(default, deserialize_with = "auto", skip_serializing_if = "Option::is_none")]
    pub learning_rate_multiplier: Option<Auto<f64>>,
    /// How strongly DPO holds the model to the one it began as.
    #[serde(default, deserialize_with = "auto", skip_serializing_if = "Option::is_none")]
    pub beta: Option<Auto<f64>>,
    /// Members that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How to train, with what belongs to that way.
///
/// # Examples
///
/// ```
/// use wire::{Auto, Hyperparameters, Method, MethodType};
///
/// let supervised = Method::supervised(Hyperparameters::default());
/// assert!(supervised.settings().is_some());
/// let beta = Hyperparameters { beta: Some(Auto::Value(0.1)), ..Hyperparameters::default() };
/// let dpo = Method::dpo(beta.clone());
/// assert_eq!((&dpo.kind, dpo.hyperparameters()), (&MethodType::Dpo, Some(&beta)));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The way.
    #[serde(rename = "type")]
    pub kind: MethodType,
    /// What belongs to supervised training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised: Option<MethodSettings>,
    /// What belongs to training on pairs of answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<MethodSettings>,
    /// What belongs to the other ways, as it came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What belongs to one way of training.
///
/// # Examples
///
/// ```
/// use wire::{Method, MethodSettings};
///
/// let method: Method =
///     serde_json::from_str(r#"{"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}"#)?;
/// let settings: &MethodSettings = method.settings().expect("it says how");
/// assert_eq!(settings.hyperparameters, method.hyperparameters().cloned());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodSettings {
    /// How long and how fast to train.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperparameters: Option<Hyperparameters>,
    /// Members that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Method {
    /// Supervised training with these `hyperparameters`.
    pub fn supervised(hyperparameters: Hyperparameters) -> Self {
        let settings = MethodSettings::new(hyperparameters);
        let (kind, extra) = (MethodType::Supervised, Extra::new());
        Self { kind, supervised: Some(settings), dpo: None, extra }
    }

    /// Training on pairs of answers (DPO) with these `hyperparameters`.
    pub fn dpo(hyperparameters: Hyperparameters) -> Self {
        let settings = MethodSettings::new(hyperparameters);
        let (kind, extra) = (MethodType::Dpo, Extra::new());
        Self { kind, supervised: None, dpo: Some(settings), extra }
    }

    /// What belongs to the way that is chosen, where it is one that is known.
    pub fn settings(&self) -> Option<&MethodSettings> {
        match self.kind {
            MethodType::Supervised => self.supervised.as_ref(),
            MethodType::Dpo => self.dpo.as_ref(),
            _ => None,
        }
    }

    /// The hyperparameters of the way that is chosen, where there are some.
    pub fn hyperparameters(&self) -> Option<&Hyperparameters> {
        self.settings().and_then(|settings| settings.hyperparameters.as_ref())
    }
}

impl MethodSettings {
    fn new(hyperparameters: Hyperparameters) -> Self {
        Self { hyperparameters: Some(hyperparameters), extra: Extra::new() }
    }
}

/// A request for a job: <https://platform.openai.com/docs/api-reference/fine-tuning/create>.
///
/// # Examples
///
/// ```
/// use wire::{Auto, CreateJob, Hyperparameters, Method};
///
/// let mut request = CreateJob::new("gpt-4.1-mini-2025-04-14", "file-1".parse()?);
/// request.suffix = Some("clinic".to_owned());
/// let epochs = Hyperparameters { n_epochs: Some(Auto::Value(3)), ..Hyperparameters::default() };
/// request.method = Some(Method::supervised(epochs.clone()));
/// assert_eq!(request.chosen_hyperparameters(), Some(&epochs));
/// assert_eq!(serde_json::to_value(&request)?["method"]["supervised"]["hyperparameters"]["n_epochs"], 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateJob {
    /// The model to start from.
    pub model: String,
    /// The file to train on.
    pub training_file: FileId,
    /// The file to measure on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_file: Option<FileId>,
    /// A word in the new model's id, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// What the order of the examples is drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// How to train.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The place of the same values before `method` came; some services know only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperparameters: Option<Hyperparameters>,
    /// Up to 16 pairs of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CreateJob {
    /// A request for a job that trains `model` on `training_file`, everything else left to the service.
    pub fn new(model: impl Into<String>, training_file: FileId) -> Self {
        Self {
            model: model.into(),
            training_file,
            validation_file: None,
            suffix: None,
            seed: None,
            method: None,
            hyperparameters: None,
            metadata: None,
            extra: Extra::new(),
        }
    }

    /// The hyperparameters, from `method` where it holds some, else from their old place.
    pub fn chosen_hyperparameters(&self) -> Option<&Hyperparameters> {
        let method = self.method.as_ref().and_then(Method::hyperparameters);
        method.or(self.hyperparameters.as_ref())
    }
}

/// Why a job ended without a model.
///
/// # Examples
///
/// ```
/// let job: wire::Job = serde_json::from_str(
///     r#"{"id": "ftjob-1", "status": "failed", "error":
///         {"code": "invalid_training_file", "message": "line 3 is no chat", "param": "training_file"}}"#,
/// )?;
/// let error: wire::JobError = job.error.expect("it says why");
/// assert_eq!(error.code.as_deref(), Some("invalid_training_file"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobError {
    /// A code for programs, such as `invalid_training_file`.
    #[serde(default, deserialize_with = "text")]
    pub code: Option<String>,
    /// Words for a person.
    #[serde(default, deserialize_with = "text")]
    pub message: Option<String>,
    /// The field of the request at fault.
    #[serde(default, deserialize_with = "text")]
    pub param: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Healthy jobs carry `{}` or an object of nulls; both read as no error. A bare text reads as its message.
fn job_error<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JobError>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if let Value::String(message) = value {
        return Ok((!message.is_empty())
            .then(|| JobError { message: Some(message), ..JobError::default() }));
    }
    let error: Option<JobError> = serde_json::from_value(value).unwrap_or_default();
    Ok(error.filter(|error| {
        error.code.is_some()
            || error.message.is_some()
            || error.extra.values().any(|value| !value.is_null())
    }))
}

/// A job as the service knows it.
///
/// # Examples
///
/// ```
/// use wire::{Job, JobStatus};
///
/// let told: Job = serde_json::from_str(
///     r#"{"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": "ft:m:clinic::abc", "trained_tokens": 48210}"#,
/// )?;
/// assert_eq!(told.status, JobStatus::Succeeded);
/// assert_eq!((told.fine_tuned_model.as_deref(), told.trained_tokens), (Some("ft:m:clinic::abc"), Some(48_210)));
/// let made = Job::new("ftjob-2".parse()?, "m", 1_764_000_000);
/// assert_eq!((made.status, made.object.as_str()), (JobStatus::Queued, "fine_tuning.job"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Always `fine_tuning.job`.
    #[serde(default, deserialize_with = "soft")]
    pub object: String,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub created_at: i64,
    /// When it came to its end, in seconds since 1970.
    #[serde(default, deserialize_with = "whole")]
    pub finished_at: Option<i64>,
    /// When it should end, in seconds since 1970.
    #[serde(default, deserialize_with = "whole")]
    pub estimated_finish: Option<i64>,
    /// The model it starts from.
    #[serde(default, deserialize_with = "soft")]
    pub model: String,
    /// The model it made.
    #[serde(default, deserialize_with = "text")]
    pub fine_tuned_model: Option<String>,
    /// Whose it is.
    #[serde(default, deserialize_with = "text")]
    pub organization_id: Option<String>,
    /// Where it stands; a job without a status is taken as queued.
    #[serde(default = "queued", deserialize_with = "status")]
    pub status: JobStatus,
    /// The file it trains on.
    #[serde(default, deserialize_with = "soft")]
    pub training_file: Option<FileId>,
    /// The file it measures on.
    #[serde(default, deserialize_with = "soft")]
    pub validation_file: Option<FileId>,
    /// The files it wrote.
    #[serde(default, deserialize_with = "soft")]
    pub result_files: Vec<FileId>,
    /// The tokens it was billed for.
    #[serde(default, deserialize_with = "whole")]
    pub trained_tokens: Option<u64>,
    /// Why it ended without a model.
    #[serde(default, deserialize_with = "job_error")]
    pub error: Option<JobError>,
    /// How long and how fast it trains.
    #[serde(default, deserialize_with = "soft")]
    pub hyperparameters: Hyperparameters,
    /// How it trains.
    #[serde(default, deserialize_with = "soft", skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// What the order of the examples is drawn from.
    #[serde(default, deserialize_with = "whole")]
    pub seed: Option<i64>,
    /// Other services that it reports to, as they came.
    #[serde(default, deserialize_with = "soft")]
    pub integrations: Vec<Value>,
    /// The word in the model's id, where the service tells it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_provided_suffix: Option<String>,
    /// The caller's own pairs.
    #[serde(default, deserialize_with = "soft")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
}

fn queued() -> JobStatus {
    JobStatus::Queued
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<JobStatus, D::Error> {
    Ok(text(deserializer)?.map_or_else(queued, |text| JobStatus::from(text.as_str())))
}

impl Job {
    /// A queued job that starts from `model`, with nothing else known.
    pub fn new(id: JobId, model: impl Into<String>, created_at: i64) -> Self {
        Self {
            id,
            object: "fine_tuning.job".to_owned(),
            created_at,
            finished_at: None,
            estimated_finish: None,
            model: model.into(),
            fine_tuned_model: None,
            organization_id: None,
            status: JobStatus::Queued,
            training_file: None,
            validation_file: None,
            result_files: Vec::new(),
            trained_tokens: None,
            error: None,
            hyperparameters: Hyperparameters::default(),
            method: None,
            seed: None,
            integrations: Vec::new(),
            user_provided_suffix: None,
            metadata: None,
            extra: Extra::new(),
        }
    }
}
