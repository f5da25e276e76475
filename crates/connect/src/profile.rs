//! What differs from one service to another, as data.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use toml::{Table, Value};
use wire::Dialect;

/// The profiles that come with this crate.
const BUNDLED: &str = include_str!("../data/providers.toml");
/// The file that may add to them, in the working folder.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let ours = "[provider.clinic]\nbase-url = 'https://llm.clinic.example/v1'\nkey-variables = ['CLINIC_KEY']\n";
/// std::fs::write(folder.path().join(connect::FILE), ours)?;
/// let profiles = connect::Profiles::in_folder(folder.path())?;
/// assert_eq!(profiles.named("clinic", &[])?.key_variables, ["CLINIC_KEY"]);
/// # Ok::<(), anyhow::Error>(())
/// ```
pub const FILE: &str = "medtune.toml";

/// A service: where it is, how to show who asks, and how its requests differ.
///
/// # Examples
///
/// ```
/// let profiles = connect::Profiles::bundled();
/// let nebius = profiles.named("nebius", &[])?;
/// assert_eq!(nebius.dialect.hyperparameters, wire::HyperparameterPlace::TopLevel);
/// assert!(profiles.named("nobody", &[]).is_err());
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// The name that it is chosen by; it stands in front of the table.
    #[serde(skip)]
    pub name: String,
    /// Whether it is the engine on this machine, started inside the tool.
    pub embedded: bool,
    /// Its address, where all its users share one.
    pub base_url: Option<String>,
    /// Variables that name its address; the first that is set counts.
    pub base_url_variables: Vec<String>,
    /// What its address ends with; added where a variable leaves it out.
    pub base_url_end: String,
    /// Variables that hold its key; the first that is set counts.
    pub key_variables: Vec<String>,
    /// The header that carries the key, where it is not `Authorization`.
    pub key_header: Option<String>,
    /// Whether the variables of organisation, project and own headers are meant for it.
    pub openai_variables: bool,
    /// Its hosts, or the ends of their names, by which an address is known to be its.
    pub hosts: Vec<String>,
    /// The model to start from where none is named.
    pub base_model: Option<String>,
    /// The fewest examples that it trains on.
    pub fewest_examples: Option<usize>,
    /// The most passes that it makes.
    pub most_epochs: Option<u32>,
    /// The most examples that it takes a step.
    pub most_batch: Option<u32>,
    /// What to do with a trained model before it can be asked.
    pub note: Option<String>,
    /// How its requests differ from `OpenAI`'s.
    pub dialect: Dialect,
}

/// The profiles that can be chosen from.
///
/// # Examples
///
/// ```
/// use connect::Profiles;
///
/// let profiles = Profiles::bundled();
/// assert!(profiles.names().any(|name| name == "azure"));
/// assert_eq!(profiles.of_host("mine.openai.azure.com"), Some("azure"));
/// let fewer = profiles.named("openai", &["most-epochs=3".to_owned()])?;
/// assert_eq!((fewer.name.as_str(), fewer.most_epochs), ("openai", Some(3)));
///
/// let folder = tempfile::tempdir()?; // without a `medtune.toml`
/// assert_eq!(Profiles::in_folder(folder.path())?.names().count(), profiles.names().count());
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Profiles(Table);

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    provider: Table,
}

impl Profiles {
    /// Those that come with this crate.
    ///
    /// # Panics
    ///
    /// Never: a test reads the bundled file.
    pub fn bundled() -> Self {
        let File { provider } = toml::from_str(BUNDLED).expect("a test reads the bundled file");
        Self(provider)
    }

    /// Those of this crate, with what [`FILE`] in `folder` adds or changes; no such file is no error.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is no TOML, or where a profile in it has a field that there is not.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::bundled()),
            read => read.with_context(|| path.display().to_string())?,
        };
        let mut profiles = Self::bundled();
        profiles.add(&text).with_context(|| path.display().to_string())?;
        Ok(profiles)
    }

    fn add(&mut self, text: &str) -> anyhow::Result<()> {
        // The parser's own words would show lines of the file, which may hold what is nobody's business.
        let File { provider } = toml::from_str(text).map_err(|error| {
            anyhow!("{} (at byte {})", error.message(), error.span().map_or(0, |span| span.start))
        })?;
        for (name, table) in provider {
            if name == "auto" || !table.is_table() {
                bail!("`provider.{name}` is no profile");
            }
            merge(self.0.entry(name.clone()).or_insert(Value::Table(Table::new())), table);
            self.named(&name, &[])?;
        }
        Ok(())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The profile called `name`, with `overrides` such as `dialect.hyperparameters=top-level` in the place of its own.
    ///
    /// # Errors
    ///
    /// Where there is no such profile, or where an override names a field that there is not or gives it a wrong value.
    pub fn named(&self, name: &str, overrides: &[String]) -> anyhow::Result<Profile> {
        let known = || self.names().collect::<Vec<_>>().join(", ");
        let mut table = self
            .0
            .get(name)
            .ok_or_else(|| {
                anyhow!("no provider `{name}`; there are {}, and {FILE} may add one", known())
            })?
            .clone();
        for text in overrides {
            let (path, value) = text
                .split_once('=')
                .ok_or_else(|| anyhow!("`{text}` is no override: it has no `=`"))?;
            merge(&mut table, nested(path.trim(), parsed(value.trim())));
        }
        let profile = Profile::deserialize(table)
            .map_err(|error| anyhow!("provider `{name}`: {}", error.message()))?;
        Ok(Profile { name: name.to_owned(), ..profile })
    }

    /// The name of the profile that `host` belongs to.
    pub fn of_host(&self, host: &str) -> Option<&str> {
        let belongs =
            |known: &str| host == known || (known.starts_with('.') && host.ends_with(known));
        let has = |table: &Value| {
            let hosts = table.get("hosts").and_then(Value::as_array);
            hosts.is_some_and(|hosts| hosts.iter().filter_map(Value::as_str).any(belongs))
        };
        self.0.iter().find(|(_, table)| has(table)).map(|(name, _)| name.as_str())
    }
}

/// Puts `new` over `old`, tables field by field.
fn merge(old: &mut Value, new: Value) {
    match (old, new) {
        (Value::Table(old), Value::Table(new)) => {
            for (name, value) in new {
                match old.get_mut(&name) {
                    Some(there) => merge(there, value),
                    None => drop(old.insert(name, value)),
                }
            }
        }
        (old, new) => *old = new,
    }
}

/// `value` as TOML, or as text where it is none.
fn parsed(value: &str) -> Value {
    let line = format!("value = {value}");
    let table = toml::from_str::<Table>(&line).ok();
    table.and_then(|mut table| table.remove("value")).unwrap_or_else(|| value.into())
}

/// The table in which `value` stands at the dotted `path`.
fn nested(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| {
        Value::Table(Table::from_iter([(name.trim().to_owned(), inner)]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::HyperparameterPlace;

    fn with(text: &str) -> anyhow::Result<Profiles> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join(FILE), text)?;
        Profiles::in_folder(folder.path())
    }

    #[test]
    fn the_bundled_profiles_are_read() -> anyhow::Result<()> {
        let profiles = Profiles::bundled();
        for name in ["local", "openai", "azure", "nebius"] {
            let profile = profiles.named(name, &[])?;
            assert_eq!(profile.embedded, name == "local");
        }
        let azure = profiles.named("azure", &[])?;
        assert!(azure.dialect.byte_order_mark && azure.note.is_some());
        assert_eq!(azure.dialect.job_fields["trainingType"], "standard");
        assert_eq!(profiles.of_host("mine.openai.azure.com"), Some("azure"));
        assert_eq!(profiles.of_host("api.openai.com"), Some("openai"));
        assert_eq!(profiles.of_host("openai.azure.com.evil.invalid"), None);
        Ok(())
    }

    #[test]
    fn a_file_adds_profiles_and_changes_fields_of_others() -> anyhow::Result<()> {
        let profiles = with(
            "[unrelated]\na = 1\n[provider.mine]\nbase-url = \"https://mine.invalid/v1\"\n[provider.azure.dialect.job-fields]\ntrainingType = \"globalStandard\"\n",
        )?;
        assert_eq!(
            profiles.named("mine", &[])?.base_url.as_deref(),
            Some("https://mine.invalid/v1")
        );
        let azure = profiles.named("azure", &[])?;
        assert_eq!(azure.dialect.job_fields["trainingType"], "globalStandard");
        assert_eq!(azure.key_header.as_deref(), Some("api-key"));
        Ok(())
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let said = |text: &str| format!("{:#}", with(text).unwrap_err());
        assert!(said("[provider.mine]\nbase-ulr = \"x\"\n").contains("unknown field `base-ulr`"));
        assert!(said("[provider\n").contains("medtune.toml"));
        assert!(said("[provider.auto]\n").contains("`provider.auto` is no profile"));
    }

    #[test]
    fn overrides_reach_every_field() -> anyhow::Result<()> {
        let overrides = [
            "dialect.hyperparameters=top-level",
            "dialect.job-fields.tier = 3",
            "key-header=x-key",
            "most-epochs=5",
        ]
        .map(str::to_owned);
        let profile = Profiles::bundled().named("openai", &overrides)?;
        assert_eq!(profile.dialect.hyperparameters, HyperparameterPlace::TopLevel);
        assert_eq!(profile.dialect.job_fields["tier"], 3);
        assert_eq!((profile.key_header.as_deref(), profile.most_epochs), (Some("x-key"), Some(5)));
        for wrong in ["nothing", "no-such=1", "most-epochs=many"] {
            assert!(Profiles::bundled().named("openai", &[wrong.to_owned()]).is_err(), "{wrong}");
        }
        Ok(())
    }
}
