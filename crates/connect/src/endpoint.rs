//! A service by its profile, its address and the variables that the official SDKs read.

use std::path::Path;

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt};
use transport::{Endpoint, Key, Provider};

use crate::profile::{Profile, Profiles};

/// `OpenAI`'s own address.
///
/// # Examples
///
/// ```
/// use cli::Environment;
///
/// let environment = Environment::from_pairs([("OPENAI_API_KEY", "sk-secret")]);
/// assert_eq!(connect::endpoint(None, &environment)?.base_url(), connect::OPENAI);
/// # Ok::<(), cli::Failure>(())
/// ```
pub const OPENAI: &str = "https://api.openai.com/v1";

/// The profile of a service that is not known to be another's.
const OPENAI_PROFILE: &str = "openai";

/// The service at `base_url`, else at `OPENAI_BASE_URL`, else `OpenAI`'s.
///
/// Its key is the one in `OPENAI_API_KEY`, unless the host of `base_url` is known to be another provider's: then it is
/// that provider's, so that no service is shown the key of another. `OPENAI_BASE_URL` says whose `OPENAI_API_KEY` is.
///
/// # Examples
///
/// ```
/// use cli::{Environment, Exit};
/// use connect::endpoint;
///
/// let openai = Environment::from_pairs([("OPENAI_API_KEY", "sk-secret")]);
/// assert_eq!(endpoint(None, &openai)?.host(), "api.openai.com");
/// // No other service is shown that key: this one wants its own.
/// let other = endpoint(Some("https://api.tokenfactory.nebius.com/v1"), &openai);
/// assert_eq!(other.map_err(|failure| failure.exit()).err(), Some(Exit::Usage));
/// # Ok::<(), cli::Failure>(())
/// ```
///
/// # Errors
///
/// [`Exit::Usage`] when an address, key or id has a wrong form, when a service that is not on this machine has no key, or
/// when the `medtune.toml` of the working folder is a bad one.
pub fn endpoint(base_url: Option<&str>, environment: &Environment) -> Result<Endpoint, Failure> {
    let profiles = Profiles::in_folder(Path::new(".")).or_exit(Exit::Usage)?;
    let name = match base_url {
        Some(url) => owner(&profiles, url, environment)?,
        None => OPENAI_PROFILE.to_owned(),
    };
    profile_endpoint(&profiles.named(&name, &[])?, base_url, environment)
}

/// The name of the profile whose key the service at `url` is shown.
fn owner(profiles: &Profiles, url: &str, environment: &Environment) -> Result<String, Failure> {
    let asked = host(url)?;
    let told = environment.get("OPENAI_BASE_URL").and_then(|url| host(url).ok());
    if told.as_ref() == Some(&asked) {
        return Ok(OPENAI_PROFILE.to_owned());
    }
    Ok(profiles.of_host(&asked).unwrap_or(OPENAI_PROFILE).to_owned())
}

/// The host of an address.
pub(crate) fn host(url: &str) -> Result<String, Failure> {
    let endpoint = Endpoint::new(Provider::OpenAi, url, None).or_exit(Exit::Usage)?;
    Ok(endpoint.host().to_owned())
}

/// The service of `profile` at `base_url`, else where its variables or the profile itself say.
///
/// # Examples
///
/// ```
/// use cli::Environment;
/// use connect::{Profiles, profile_endpoint};
///
/// let azure = Profiles::bundled().named("azure", &[])?;
/// let environment = Environment::from_pairs([
///     ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/"),
///     ("AZURE_OPENAI_API_KEY", "secret"),
/// ]);
/// let endpoint = profile_endpoint(&azure, None, &environment)?;
/// assert_eq!(endpoint.base_url(), "https://mine.openai.azure.com/openai/v1");
/// # Ok::<(), cli::Failure>(())
/// ```
///
/// # Errors
///
/// [`Exit::Usage`] when an address, key or header has a wrong form or is not there.
pub fn profile_endpoint(
    profile: &Profile,
    base_url: Option<&str>,
    environment: &Environment,
) -> Result<Endpoint, Failure> {
    let base_url = address(profile, base_url, environment)?;
    let found = profile.key_variables.iter().find_map(|name| Some((name, environment.get(name)?)));
    let key = match found {
        Some((name, text)) => {
            Some(Key::new(text).with_context(|| name.clone()).or_exit(Exit::Usage)?)
        }
        None => None,
    };
    let has_key = key.is_some();
    let mut endpoint = Endpoint::new(Provider::OpenAi, &base_url, key).or_exit(Exit::Usage)?;
    if let Some(name) = &profile.key_header {
        endpoint = endpoint.with_key_header(name).or_exit(Exit::Usage)?;
    }
    let mut has_headers = false;
    if profile.openai_variables {
        if let Some(id) = environment.get("OPENAI_ORG_ID") {
            endpoint = endpoint.with_organization(id).or_exit(Exit::Usage)?;
        }
        if let Some(id) = environment.get("OPENAI_PROJECT_ID") {
            endpoint = endpoint.with_project(id).or_exit(Exit::Usage)?;
        }
        if let Some(lines) = environment.get("OPENAI_CUSTOM_HEADERS") {
            let added = endpoint.with_header_lines(lines).context("OPENAI_CUSTOM_HEADERS");
            endpoint = added.or_exit(Exit::Usage)?;
            has_headers = true;
        }
    }
    // Headers of one's own may be what a gateway wants in the key's place.
    if !has_key && !has_headers && !endpoint.is_loopback() {
        let error = anyhow!("no key for {}", endpoint.host());
        let names = profile.key_variables.join(" or ");
        let hint = format!(
            "set {names} in the environment or in .env, or stay on this machine with --provider local"
        );
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    Ok(endpoint)
}

fn address(
    profile: &Profile,
    base_url: Option<&str>,
    environment: &Environment,
) -> Result<String, Failure> {
    let names = &profile.base_url_variables;
    let told = || names.iter().find_map(|name| environment.get(name));
    let Some(address) = base_url.or_else(told).or(profile.base_url.as_deref()) else {
        let error = anyhow!("the address of provider `{}` is not known", profile.name);
        let hint = match names.first() {
            Some(name) => format!("set {name}, or give --base-url"),
            None => "give --base-url".to_owned(),
        };
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    };
    let address = address.trim().trim_end_matches('/');
    let end = profile.base_url_end.as_str();
    Ok(if address.ends_with(end) { address.to_owned() } else { format!("{address}{end}") })
}

/// The variables that name a file of certificates in PEM for one program or another, the first that is set taken.
const BUNDLES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The certificates to trust beside the system's: those in the file that `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE` or
/// `CURL_CA_BUNDLE` names.
///
/// # Examples
///
/// ```
/// use cli::{Environment, Exit};
/// use connect::certificates;
///
/// assert_eq!(certificates(&Environment::default())?, None);
/// let environment = Environment::from_pairs([("SSL_CERT_FILE", "no/such/file.pem")]);
/// let failure = certificates(&environment).unwrap_err();
/// assert_eq!(failure.exit(), Exit::Usage);
/// assert!(format!("{:#}", failure.error()).starts_with("SSL_CERT_FILE: no/such/file.pem: "));
/// # Ok::<(), cli::Failure>(())
/// ```
///
/// # Errors
///
/// [`Exit::Usage`] when the file cannot be read.
pub fn certificates(environment: &Environment) -> Result<Option<Vec<u8>>, Failure> {
    let set = BUNDLES.iter().find_map(|name| Some((name, environment.get(name)?)));
    let Some((name, path)) = set else { return Ok(None) };
    let read = std::fs::read(path).with_context(|| format!("{name}: {path}"));
    Ok(Some(read.or_exit(Exit::Usage)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: Option<&str>, pairs: &[(&str, &str)]) -> Result<String, Exit> {
        of("openai", base_url, pairs)
    }

    fn of(name: &str, base_url: Option<&str>, pairs: &[(&str, &str)]) -> Result<String, Exit> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let profile = Profiles::bundled().named(name, &[]).unwrap();
        let endpoint = profile_endpoint(&profile, base_url, &environment);
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
    fn a_known_host_is_shown_its_own_key_and_never_openais() {
        let nebius = "https://api.tokenfactory.nebius.com/v1";
        let by_address = |pairs: &[(&str, &str)]| {
            let environment = Environment::from_pairs(pairs.iter().copied());
            endpoint(Some(nebius), &environment).map_err(|failure| failure.exit()).map(drop)
        };
        let openai = ("OPENAI_API_KEY", "k");
        assert_eq!(by_address(&[openai]), Err(Exit::Usage));
        assert_eq!(by_address(&[("NEBIUS_API_KEY", "k")]), Ok(()));
        // Whoever sets both variables says that the key is for that service.
        assert_eq!(by_address(&[openai, ("OPENAI_BASE_URL", nebius)]), Ok(()));
    }

    #[test]
    fn only_a_service_on_this_machine_needs_no_key() {
        assert_eq!(check(None, &[]), Err(Exit::Usage));
        assert_eq!(
            check(Some("http://127.0.0.1:8080/v1"), &[]),
            Ok("http://127.0.0.1:8080/v1".to_owned())
        );
        let gateway = [("OPENAI_CUSTOM_HEADERS", "cf-access-token: abcdefgh")];
        assert_eq!(check(None, &gateway), Ok(OPENAI.to_owned()));
        assert_eq!(check(None, &[("OPENAI_CUSTOM_HEADERS", "no colon")]), Err(Exit::Usage));
    }

    #[test]
    fn each_service_gets_its_own_key_and_no_other() {
        let openai = ("OPENAI_API_KEY", "k");
        assert_eq!(of("nebius", None, &[openai]), Err(Exit::Usage));
        assert_eq!(
            of("nebius", None, &[("NEBIUS_API_KEY", "k")]),
            Ok("https://api.tokenfactory.nebius.com/v1".to_owned())
        );
        let azure = [
            ("AZURE_OPENAI_API_KEY", "k"),
            ("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com/"),
        ];
        assert_eq!(
            of("azure", None, &azure),
            Ok("https://r.openai.azure.com/openai/v1".to_owned())
        );
        assert_eq!(of("azure", None, &azure[..1]), Err(Exit::Usage));
    }
}
