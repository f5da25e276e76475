//! The environment as a value, so that only one place reads the process's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A `.env` file that exists but cannot be used.
///
/// # Examples
///
/// ```
/// use cli::{Environment, EnvironmentError};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join(".env"), "OPENAI_API_KEY='sk-secret\n")?; // the quote is never closed
/// let error: EnvironmentError = Environment::default().with_dotenv(folder.path()).unwrap_err();
/// assert!(error.to_string().contains(".env: bad syntax"));
/// assert!(!error.to_string().contains("sk-secret"), "a key is in no message");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct EnvironmentError {
    path: PathBuf,
    source: dotenvy::Error,
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // dotenvy repeats the offending line in its own text, and that line may hold a key.
        match &self.source {
            dotenvy::Error::LineParse(_, index) => {
                write!(f, "{}: bad syntax at character {index} of a line", self.path.display())
            }
            dotenvy::Error::Io(error) => write!(f, "{}: {error}", self.path.display()),
            _ => write!(f, "{}: cannot be read", self.path.display()),
        }
    }
}

impl std::error::Error for EnvironmentError {}

/// Names and values of environment variables.
///
/// Its `Debug` shows names only: values may be keys.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use cli::Environment;
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join(".env"), "OPENAI_API_KEY=of-the-file\nMEDTUNE_CACHE_DIR=/var/cache/medtune\n")?;
/// let environment = Environment::from_pairs([("OPENAI_API_KEY", "of-the-shell")]).with_dotenv(folder.path())?;
/// assert_eq!(environment.get("OPENAI_API_KEY"), Some("of-the-shell"));
/// assert_eq!(environment.cache_dir(), Path::new("/var/cache/medtune"));
/// assert!(!format!("{environment:?}").contains("of-the-shell"), "names only");
/// let of_this_process = Environment::of_process();
/// assert!(of_this_process.get("PATH").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process; variables that are not Unicode are left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the tools read the environment"
    )]
    pub fn of_process() -> Self {
        let names = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(names.collect())
    }

    /// An environment of the given `pairs`, for tests and embedding.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of `name`, trimmed; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Adds what the `.env` file in `folder` sets and this environment does not; no file is no error.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`] when the file exists and is not a readable `.env` file.
    pub fn with_dotenv(mut self, folder: &Path) -> Result<Self, EnvironmentError> {
        let path = folder.join(".env");
        if !path.exists() {
            return Ok(self);
        }
        let fail = |source| EnvironmentError { path: path.clone(), source };
        for pair in dotenvy::from_path_iter(&path).map_err(fail)? {
            let (name, value) = pair.map_err(fail)?;
            self.0.entry(name).or_insert(value);
        }
        Ok(self)
    }

    /// The folder for files that may be fetched again: `MEDTUNE_CACHE_DIR`, else the user's cache folder.
    pub fn cache_dir(&self) -> PathBuf {
        if let Some(path) = self.get("MEDTUNE_CACHE_DIR") {
            return path.into();
        }
        let under = |name: &str, rest: &str| self.get(name).map(|home| Path::new(home).join(rest));
        under("XDG_CACHE_HOME", "medtune")
            .or_else(|| under("LOCALAPPDATA", "medtune"))
            .or_else(|| under("HOME", ".cache/medtune"))
            .unwrap_or_else(|| PathBuf::from(".medtune/cache"))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Environment").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_the_file_and_debug_shows_no_value() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "OPENAI_API_KEY=\"from-file\"\nOTHER=two\n")
            .unwrap();
        let environment = Environment::from_pairs([("OPENAI_API_KEY", " from-process ")])
            .with_dotenv(folder.path())
            .unwrap();
        assert_eq!(environment.get("OPENAI_API_KEY"), Some("from-process"));
        assert_eq!(environment.get("OTHER"), Some("two"));
        assert_eq!(format!("{environment:?}"), r#"Environment(["OPENAI_API_KEY", "OTHER"])"#);
    }

    #[test]
    fn a_bad_dotenv_file_is_named_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "OPENAI_API_KEY='sk-secret\n").unwrap();
        let error = Environment::default().with_dotenv(folder.path()).unwrap_err().to_string();
        assert!(error.contains(".env"), "{error}");
        assert!(!error.contains("sk-secret"), "{error}");
    }

    #[test]
    fn the_cache_folder_follows_the_variables_in_order() {
        let cache =
            |pairs: &[(&str, &str)]| Environment::from_pairs(pairs.iter().copied()).cache_dir();
        assert_eq!(cache(&[("HOME", "/h")]), Path::new("/h/.cache/medtune"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/medtune"));
        assert_eq!(cache(&[("HOME", "/h"), ("MEDTUNE_CACHE_DIR", "/m")]), Path::new("/m"));
    }
}
