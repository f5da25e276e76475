//! How services differ from `OpenAI`'s in what they take and say.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::job::{CreateJob, JobStatus, MethodType};
use crate::lenient::Extra;

/// Where a service wants the hyperparameters of a job.
///
/// # Examples
///
/// ```
/// use wire::{Dialect, HyperparameterPlace};
///
/// // As it stands in a file that describes a service.
/// let dialect: Dialect = serde_json::from_str(r#"{"hyperparameters": "top-level", "metadata": false}"#)?;
/// assert_eq!(dialect.hyperparameters, HyperparameterPlace::TopLevel);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HyperparameterPlace {
    /// In `method`, as `OpenAI` does.
    #[default]
    Method,
    /// Beside `model`, where they stood before `method` came.
    TopLevel,
}

/// What a service does otherwise than `OpenAI`'s; the default is `OpenAI`'s own way.
///
/// # Examples
///
/// ```
/// let mut request = wire::CreateJob::new("m", "file-1".parse()?);
/// let epochs = wire::Hyperparameters { n_epochs: Some(wire::Auto::Value(2)), ..Default::default() };
/// request.method = Some(wire::Method::supervised(epochs));
/// let place = wire::HyperparameterPlace::TopLevel;
/// let dialect = wire::Dialect { hyperparameters: place, ..Default::default() };
/// let request = serde_json::to_value(dialect.request(request))?;
/// assert_eq!(request["hyperparameters"]["n_epochs"], 2);
/// assert!(request.get("method").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    /// Where hyperparameters stand in a request for a job.
    pub hyperparameters: HyperparameterPlace,
    /// Whether a request for a job may carry pairs of the caller's own.
    pub metadata: bool,
    /// Whether files of examples begin with a byte-order mark.
    pub byte_order_mark: bool,
    /// Fields that every request for a job carries, such as Azure's `trainingType`.
    pub job_fields: Extra,
    /// What the service's own words for a job's state mean here, such as `completed = "succeeded"`.
    pub statuses: BTreeMap<String, String>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            hyperparameters: HyperparameterPlace::Method,
            metadata: true,
            byte_order_mark: false,
            job_fields: Extra::new(),
            statuses: BTreeMap::new(),
        }
    }
}

impl Dialect {
    /// `request` as the service wants it.
    #[must_use]
    pub fn request(&self, mut request: CreateJob) -> CreateJob {
        // Before `method` came there was supervised training alone.
        let method = request.method.as_ref();
        let is_supervised = method.is_none_or(|method| method.kind == MethodType::Supervised);
        if self.hyperparameters == HyperparameterPlace::TopLevel && is_supervised {
            request.hyperparameters = request.chosen_hyperparameters().cloned();
            request.method = None;
        }
        if !self.metadata {
            request.metadata = None;
        }
        request.extra.extend(self.job_fields.clone());
        request
    }

    /// The state that the service's word stands for.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::{Dialect, JobStatus};
    ///
    /// let statuses = [("completed".to_owned(), "succeeded".to_owned())].into();
    /// let dialect = Dialect { statuses, ..Dialect::default() };
    /// assert_eq!(dialect.status(JobStatus::from("completed")), JobStatus::Succeeded);
    /// assert_eq!(dialect.status(JobStatus::Running), JobStatus::Running);
    /// ```
    #[must_use]
    pub fn status(&self, told: JobStatus) -> JobStatus {
        match self.statuses.get(told.as_str()) {
            Some(meant) => JobStatus::from(meant.as_str()),
            None => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Auto, Hyperparameters, Method};

    fn request() -> CreateJob {
        let chosen = Hyperparameters { n_epochs: Some(Auto::Value(2)), ..Default::default() };
        CreateJob {
            method: Some(Method::supervised(chosen)),
            metadata: Some([("a".to_owned(), "b".to_owned())].into()),
            ..CreateJob::new("m", "file-1".parse().unwrap())
        }
    }

    #[test]
    fn without_differences_a_request_stays_as_it_is() {
        assert_eq!(Dialect::default().request(request()), request());
    }

    #[test]
    fn the_old_place_holds_supervised_training_alone() {
        let dialect =
            Dialect { hyperparameters: HyperparameterPlace::TopLevel, ..Dialect::default() };
        assert_eq!(dialect.request(request()).method, None);
        let dpo =
            Method::dpo(Hyperparameters { beta: Some(Auto::Value(0.2)), ..Default::default() });
        let request = CreateJob { method: Some(dpo), ..request() };
        assert_eq!(dialect.request(request.clone()), request);
    }

    #[test]
    fn fields_are_added_and_left_out_as_a_service_wants() {
        let mut dialect = Dialect { metadata: false, ..Dialect::default() };
        dialect.job_fields.insert("trainingType".to_owned(), "globalStandard".into());
        let written = serde_json::to_value(dialect.request(request())).unwrap();
        assert_eq!(written["trainingType"], "globalStandard");
        assert!(written.get("metadata").is_none() && written.get("method").is_some());
    }

    #[test]
    fn a_services_own_words_for_states_are_understood_where_they_were_told() {
        let statuses = [("completed".to_owned(), "succeeded".to_owned())].into();
        let dialect = Dialect { statuses, ..Dialect::default() };
        assert_eq!(dialect.status("completed".into()), JobStatus::Succeeded);
        assert_eq!(dialect.status("pending".into()), JobStatus::Pending);
        assert!(!Dialect::default().status("completed".into()).is_terminal());
    }
}
