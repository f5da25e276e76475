//! The folder of the embedded server's files, jobs and models.

use std::path::PathBuf;

use cli::Environment;

/// The folder that `flag` names, else `MEDTUNE_DATA_DIR`, else `.medtune/server`.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use cli::Environment;
/// use connect::data_dir;
///
/// let environment = Environment::from_pairs([("MEDTUNE_DATA_DIR", "/srv/medtune")]);
/// assert_eq!(data_dir(None, &environment), Path::new("/srv/medtune"));
/// assert_eq!(data_dir(Some("here".into()), &environment), Path::new("here"));
/// ```
pub fn data_dir(flag: Option<PathBuf>, environment: &Environment) -> PathBuf {
    flag.or_else(|| environment.get("MEDTUNE_DATA_DIR").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(".medtune/server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_variable_and_the_variable_before_the_default() {
        let set = Environment::from_pairs([("MEDTUNE_DATA_DIR", "/of/variable")]);
        assert_eq!(data_dir(Some("/of/flag".into()), &set), PathBuf::from("/of/flag"));
        assert_eq!(data_dir(None, &set), PathBuf::from("/of/variable"));
        assert_eq!(data_dir(None, &Environment::default()), PathBuf::from(".medtune/server"));
    }
}
