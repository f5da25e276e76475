//! Random identifiers with OpenAI's prefixes; none is ever taken from a client.

/// A new identifier such as `file-6f0e...`.
pub(crate) fn random(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple())
}

/// A new seed for a job that names none, within OpenAI's range.
pub(crate) fn random_seed() -> u32 {
    let (high, ..) = uuid::Uuid::new_v4().as_fields();
    high & 0x7fff_ffff
}

/// The name of the model that job `job_id` makes out of `base`.
pub(crate) fn tuned_model(base: &str, suffix: Option<&str>, job_id: &str) -> String {
    let unique: String = job_id.trim_start_matches("ftjob-").chars().take(8).collect();
    format!("ft:{base}:local:{}:{unique}", suffix.unwrap_or(""))
}

/// The name of the checkpoint of `tuned_model` after `step`.
pub(crate) fn checkpoint_model(tuned_model: &str, step: usize) -> String {
    format!("{tuned_model}:ckpt-step-{step}")
}
