use sha2::{Digest, Sha256};
use wire::{Auto, CreateJob, FileId, Hyperparameters, Job, MethodType};

use crate::key::RunKey;
use crate::local_file::hexadecimal;

/// From what a model learns.
///
/// # Examples
///
/// ```
/// use ftjob::{Method, Recipe};
///
/// let pairs = Method::Preferences { beta: Some(0.1) };
/// let recipe = Recipe { method: pairs, ..Recipe::new("smollm2-135m-instruct") };
/// assert_eq!(Method::default(), Method::Supervised);
/// let examples = Recipe { method: Method::Supervised, ..recipe.clone() };
/// assert_ne!(recipe.fingerprint(&[]), examples.fingerprint(&[]), "they are two jobs");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// From examples of good answers.
    #[default]
    Supervised,
    /// From pairs of a better and a worse answer (DPO).
    Preferences {
        /// How strongly the model is held to the one it began as.
        beta: Option<f64>,
    },
}

/// What to train and how; what is left out is the service's choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recipe {
    /// The model to start from.
    pub model: String,
    /// From what it learns.
    pub method: Method,
    /// A word in the new model's id.
    pub suffix: Option<String>,
    /// What the order of the examples is drawn from.
    pub seed: Option<i64>,
    /// Passes over the training file.
    pub epochs: Option<u32>,
    /// Examples a step.
    pub batch_size: Option<u32>,
    /// A factor on the service's learning rate.
    pub learning_rate_multiplier: Option<f64>,
}

/// A recipe with the files that the service has for it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// What to train and how.
    pub recipe: Recipe,
    /// The file to train on.
    pub training_file: FileId,
    /// The file to measure on.
    pub validation_file: Option<FileId>,
}

impl Recipe {
    /// Trains `model`, everything else left to the service.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), ..Self::default() }
    }

    /// A short text that is the same for the same recipe and `contents` (such as hashes of the files), and only for those.
    pub fn fingerprint(&self, contents: &[&str]) -> String {
        let mut hash = Sha256::new();
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        let real = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let mut settings = vec![
            self.model.clone(),
            self.suffix.clone().unwrap_or_default(),
            self.seed.map(|seed| seed.to_string()).unwrap_or_default(),
            number(self.epochs),
            number(self.batch_size),
            real(self.learning_rate_multiplier),
        ];
        if let Method::Preferences { beta } = self.method {
            settings.extend(["dpo".to_owned(), real(beta)]);
        }
        for part in settings.iter().map(String::as_str).chain(contents.iter().copied()) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hexadecimal(&hash.finalize()[..16])
    }
}

impl JobSpec {
    /// The `recipe` on `training_file`, without a file to measure on.
    pub fn new(recipe: Recipe, training_file: FileId) -> Self {
        Self { recipe, training_file, validation_file: None }
    }

    pub(crate) fn request(&self, key: &RunKey) -> CreateJob {
        let mut hyperparameters = Hyperparameters {
            n_epochs: self.recipe.epochs.map(|value| Auto::Value(value.into())),
            batch_size: self.recipe.batch_size.map(|value| Auto::Value(value.into())),
            learning_rate_multiplier: self.recipe.learning_rate_multiplier.map(Auto::Value),
            ..Hyperparameters::default()
        };
        let method = match self.recipe.method {
            Method::Supervised if hyperparameters == Hyperparameters::default() => None,
            Method::Supervised => Some(wire::Method::supervised(hyperparameters)),
            Method::Preferences { beta } => {
                hyperparameters.beta = beta.map(Auto::Value);
                Some(wire::Method::dpo(hyperparameters))
            }
        };
        CreateJob {
            validation_file: self.validation_file.clone(),
            suffix: self.recipe.suffix.clone(),
            seed: self.recipe.seed,
            method,
            metadata: Some(key.metadata()),
            ..CreateJob::new(self.recipe.model.clone(), self.training_file.clone())
        }
    }

    /// Whether `job` could be this one's, by everything that it tells of itself.
    pub(crate) fn resembles(&self, job: &Job) -> bool {
        let same_suffix = match (&self.recipe.suffix, &job.user_provided_suffix) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let is_supervised = self.recipe.method == Method::Supervised;
        let same_method = match job.method.as_ref().map(|told| &told.kind) {
            Some(MethodType::Supervised) => is_supervised,
            Some(MethodType::Dpo) => !is_supervised,
            _ => true,
        };
        let epochs = job.hyperparameters.n_epochs.as_ref().and_then(Auto::value);
        let same = |ours: Option<i64>, theirs: Option<i64>| {
            ours.is_none() || theirs.is_none() || ours == theirs
        };
        job.training_file.as_ref() == Some(&self.training_file)
            && job.validation_file == self.validation_file
            && job.model == self.recipe.model
            && same_suffix
            && same_method
            && same(self.recipe.seed, job.seed)
            && same(self.recipe.epochs.map(i64::from), epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(recipe: Recipe) -> JobSpec {
        JobSpec::new(recipe, "file-1".parse().unwrap())
    }

    #[test]
    fn a_fingerprint_changes_with_everything_in_the_recipe_and_with_the_contents() {
        let recipe = || Recipe::new("m");
        let plain = recipe().fingerprint(&["a", "b"]);
        assert_eq!(plain.len(), 32);
        for other in [
            Recipe::new("n"),
            Recipe { epochs: Some(1), ..recipe() },
            Recipe { batch_size: Some(1), ..recipe() },
            Recipe { seed: Some(1), ..recipe() },
            Recipe { suffix: Some("1".to_owned()), ..recipe() },
            Recipe { learning_rate_multiplier: Some(1.0), ..recipe() },
            Recipe { method: Method::Preferences { beta: None }, ..recipe() },
            Recipe { method: Method::Preferences { beta: Some(1.0) }, ..recipe() },
        ] {
            assert_ne!(other.fingerprint(&["a", "b"]), plain, "{other:?}");
        }
        assert_ne!(recipe().fingerprint(&["ab", ""]), plain);
    }

    #[test]
    fn a_job_is_ours_only_if_nothing_it_tells_speaks_against_it() {
        let mut job = Job::new("ftjob-1".parse().unwrap(), "m", 0);
        job.training_file = Some("file-1".parse().unwrap());
        assert!(spec(Recipe::new("m")).resembles(&job));
        assert!(!spec(Recipe::new("n")).resembles(&job));
        job.method = Some(wire::Method::supervised(Hyperparameters::default()));
        assert!(spec(Recipe::new("m")).resembles(&job));
        let preferences = Method::Preferences { beta: None };
        assert!(!spec(Recipe { method: preferences, ..Recipe::new("m") }).resembles(&job));
        job.seed = Some(3);
        assert!(!spec(Recipe { seed: Some(4), ..Recipe::new("m") }).resembles(&job));
        job.validation_file = Some("file-9".parse().unwrap());
        assert!(!spec(Recipe::new("m")).resembles(&job));
    }

    #[test]
    fn hyperparameters_are_sent_only_where_they_were_chosen() {
        let key = RunKey::new("k");
        assert_eq!(spec(Recipe::new("m")).request(&key).method, None);
        let request = spec(Recipe { epochs: Some(2), ..Recipe::new("m") }).request(&key);
        assert_eq!(
            request.chosen_hyperparameters().and_then(|h| h.n_epochs.clone()),
            Some(Auto::Value(2))
        );
    }

    #[test]
    fn preferences_are_asked_for_by_name_with_the_beta_that_was_chosen() {
        let method = |beta| Recipe { method: Method::Preferences { beta }, ..Recipe::new("m") };
        let sent = |beta| spec(method(beta)).request(&RunKey::new("k")).method;
        assert_eq!(sent(None), Some(wire::Method::dpo(Hyperparameters::default())));
        let chosen = Hyperparameters { beta: Some(Auto::Value(0.2)), ..Hyperparameters::default() };
        assert_eq!(sent(Some(0.2)), Some(wire::Method::dpo(chosen)));
    }
}
