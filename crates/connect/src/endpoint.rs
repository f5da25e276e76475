//! A service by its address and the variables that the official SDKs read.

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt};
use transport::{Endpoint, Key, Provider};

/// `OpenAI`'s own address.
pub const OPENAI: &str = "https://api.openai.com/v1";

/// The service at `base_url`, else at `OPENAI_BASE_URL`, else `OpenAI`'s, with the key in `OPENAI_API_KEY`.
///
/// # Errors
///
/// [`Exit::Usage`] when an address, key or id has a wrong form, or when a service that is not on this machine has no key.
pub fn endpoint(base_url: Option<&str>, environment: &Environment) -> Result<Endpoint, Failure> {
    let base_url = base_url.or_else(|| environment.get("OPENAI_BASE_URL")).unwrap_or(OPENAI);
    let key = environment.get("OPENAI_API_KEY").map(Key::new).transpose();
    let key = key.context("OPENAI_API_KEY").or_exit(Exit::Usage)?;
    let has_key = key.is_some();
    let mut endpoint = Endpoint::new(Provider::OpenAi, base_url, key).or_exit(Exit::Usage)?;
    if !has_key && !endpoint.is_loopback() {
        let error = anyhow!("no key for {}", endpoint.host());
        let hint = "set OPENAI_API_KEY in the environment or in .env, or stay on this machine with --provider local";
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    if let Some(id) = environment.get("OPENAI_ORG_ID") {
        endpoint = endpoint.with_organization(id).or_exit(Exit::Usage)?;
    }
    if let Some(id) = environment.get("OPENAI_PROJECT_ID") {
        endpoint = endpoint.with_project(id).or_exit(Exit::Usage)?;
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: Option<&str>, pairs: &[(&str, &str)]) -> Result<String, Exit> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let endpoint = endpoint(base_url, &environment);
        endpoint.map(|endpoint| endpoint.base_url().to_owned()).map_err(|failure| failure.exit())
    }

    #[test]
    fn the_flag_goes_before_the_variable_and_the_variable_before_openai() {
        let set = [("OPENAI_BASE_URL", "https://variable.invalid/v1"), ("OPENAI_API_KEY", "k")];
        assert_eq!(
            check(Some("https://flag.invalid/v1"), &set),
            Ok("https://flag.invalid/v1".to_owned())
        );
        assert_eq!(check(None, &set), Ok("https://variable.invalid/v1".to_owned()));
        assert_eq!(check(None, &set[1..]), Ok(OPENAI.to_owned()));
    }

    #[test]
    fn only_a_service_on_this_machine_needs_no_key() {
        assert_eq!(check(None, &[]), Err(Exit::Usage));
        assert_eq!(
            check(Some("http://127.0.0.1:8080/v1"), &[]),
            Ok("http://127.0.0.1:8080/v1".to_owned())
        );
    }
}
