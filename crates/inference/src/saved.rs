//! The file that says which model was made and how it wants to be asked.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use template::{Fingerprint, SYSTEM_PROMPT, Template, fingerprint};
use transport::Provider;
use wire::JobId;

/// A fine-tuned model, as `fine_tuned_model.json` holds it: where it is, and how it was trained to be asked.
///
/// # Examples
///
/// ```
/// use inference::SavedModel;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join(SavedModel::FILE);
/// let saved = SavedModel::of_id("ft:gpt-4.1-mini-2025-04-14:org:med-cot-v1:abc123");
/// saved.save(&path)?;
/// assert_eq!(SavedModel::load(&path)?, saved);
/// assert_eq!((saved.version, saved.provider.to_string().as_str()), (SavedModel::VERSION, "openai"));
///
/// // The Python scripts wrote the id alone; a folder that has nothing else is read as well.
/// let old = tempfile::tempdir()?;
/// saved.save_id(&old.path().join(SavedModel::ID_FILE))?;
/// assert_eq!(SavedModel::load(&old.path().join(SavedModel::FILE))?, saved);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SavedModel {
    /// The version of the file's format.
    pub version: u32,
    /// Whose service has the model.
    pub provider: Provider,
    /// Where the service is, if not at the provider's usual address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The embedded server's data, for the provider `local`; a relative path counts from the file's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// The model that was trained.
    pub base_model: String,
    /// Where the trained model's weights are, if the user named a path; relative as `data_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_model_path: Option<PathBuf>,
    /// The id of the fine-tuned model.
    pub model: String,
    /// The job that made it, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The system prompt of the training.
    pub system_prompt: String,
    /// The template of the training.
    pub template: Template,
    /// The fingerprint of template and system prompt.
    pub fingerprint: Fingerprint,
    /// SHA-256 of the training files, by file name.
    pub files: BTreeMap<String, String>,
}

/// A file of a saved model that cannot be used or written.
///
/// # Examples
///
/// ```
/// use inference::{SavedModel, SavedModelError};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join(SavedModel::FILE);
/// assert!(matches!(SavedModel::load(&path), Err(SavedModelError::Missing { .. })));
/// std::fs::write(&path, r#"{"version": 2, "provider": "openai"}"#)?;
/// let error = SavedModel::load(&path).unwrap_err();
/// assert!(error.to_string().ends_with("fine_tuned_model.json: no field `base_model`"), "{error}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedModelError {
    /// There is no such file, nor one with the bare id beside it.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a JSON object.
    #[error("{}: not a JSON object", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it stops being one; none where it is another JSON value.
        source: Option<serde_json::Error>,
    },
    /// A later program wrote the file.
    #[error("{}: field `version` is {version}, and this program reads up to {}", path.display(), SavedModel::VERSION)]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it says.
        version: u64,
    },
    /// A field is missing.
    #[error("{}: no field `{field}`", path.display())]
    MissingField {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
    /// The value of a field is of the wrong kind.
    #[error("{}: field `{field}`", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A field that the format does not have.
    #[error("{}: unknown field `{field}`", path.display())]
    UnknownField {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
    },
    /// The file with the bare id holds something else.
    #[error("{}: not a model id", path.display())]
    Id {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl SavedModel {
    /// The version that this program writes; since version 2 the template may be a user's, with its source.
    pub const VERSION: u32 = 2;
    /// The usual name of the file.
    pub const FILE: &str = "fine_tuned_model.json";
    /// The usual name of the file that holds the bare id, as the Python scripts wrote it.
    pub const ID_FILE: &str = "fine_tuned_model_id.txt";

    /// A model of which only the `id` is known: default system prompt, headed template, provider by the id.
    ///
    /// Ids of the embedded server read `ft:<base>:local:<suffix>:<id>`; every other id is taken for the service's.
    ///
    /// # Examples
    ///
    /// ```
    /// use inference::SavedModel;
    ///
    /// let saved = SavedModel::of_id("ft:smollm2-135m-instruct:local:med-cot-v1:a1b2c3d4");
    /// assert_eq!((saved.base_model.as_str(), saved.provider.to_string().as_str()), ("smollm2-135m-instruct", "local"));
    /// ```
    pub fn of_id(id: &str) -> Self {
        let mut parts = id.strip_prefix("ft:").unwrap_or(id).split(':');
        let base_model = parts.next().unwrap_or_default().to_owned();
        let local = parts.next() == Some("local");
        Self {
            version: Self::VERSION,
            provider: if local { Provider::Local } else { Provider::OpenAi },
            base_url: None,
            data_dir: None,
            base_model,
            base_model_path: None,
            model: id.to_owned(),
            job_id: None,
            system_prompt: SYSTEM_PROMPT.to_owned(),
            template: Template::Headed,
            fingerprint: fingerprint(&Template::Headed, SYSTEM_PROMPT),
            files: BTreeMap::new(),
        }
    }

    /// The same model, trained with this template and system prompt.
    ///
    /// # Examples
    ///
    /// ```
    /// use inference::SavedModel;
    /// use template::Template;
    ///
    /// let mut saved = SavedModel::of_id("ft:tiny").trained_with(Template::Think, "You are a careful physician.");
    /// assert!(saved.is_as_trained());
    /// saved.system_prompt.push_str(" Be brief.");
    /// assert!(!saved.is_as_trained(), "somebody edited the file");
    /// ```
    #[must_use]
    pub fn trained_with(mut self, template: Template, system_prompt: &str) -> Self {
        self.fingerprint = fingerprint(&template, system_prompt);
        self.template = template;
        system_prompt.clone_into(&mut self.system_prompt);
        self
    }

    /// Whether template and system prompt are still those that the fingerprint was taken of.
    ///
    /// # Examples
    ///
    /// ```
    /// use inference::SavedModel;
    /// use template::Template;
    ///
    /// let mut saved = SavedModel::of_id("ft:tiny").trained_with(Template::Think, "You are a careful physician.");
    /// assert!(saved.is_as_trained());
    /// saved.template = Template::Headed;
    /// assert!(!saved.is_as_trained(), "it never learnt those headings");
    /// ```
    pub fn is_as_trained(&self) -> bool {
        self.fingerprint == fingerprint(&self.template, &self.system_prompt)
    }

    /// Reads `path`, or where it does not exist the bare id beside it ([`SavedModel::ID_FILE`]).
    ///
    /// A `path` that ends in `.txt` holds a bare id itself.
    ///
    /// # Errors
    ///
    /// [`SavedModelError::Missing`] where neither file exists; the other variants for a file that cannot be used.
    pub fn load(path: &Path) -> Result<Self, SavedModelError> {
        if path.extension().is_some_and(|extension| extension == "txt") {
            return load_id(path, path);
        }
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&bytes, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                load_id(&path.with_file_name(Self::ID_FILE), path)
            }
            Err(source) => Err(SavedModelError::Read { path: path.to_owned(), source }),
        }
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, SavedModelError> {
        let json = |source| SavedModelError::Json { path: path.to_owned(), source };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| json(Some(error)))?;
        let Value::Object(fields) = value else { return Err(json(None)) };
        let mut fields = Fields { path, fields };
        let version: u64 = fields.take("version")?;
        if version > u64::from(Self::VERSION) {
            return Err(SavedModelError::Version { path: path.to_owned(), version });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = |relative: PathBuf| folder.join(relative);
        let saved = Self {
            version: Self::VERSION,
            provider: fields.take("provider")?,
            base_url: fields.take("base_url")?,
            data_dir: fields.take::<Option<PathBuf>>("data_dir")?.map(beside),
            base_model: fields.take("base_model")?,
            base_model_path: fields.take::<Option<PathBuf>>("base_model_path")?.map(beside),
            model: fields.take("model")?,
            job_id: fields.take("job_id")?,
            system_prompt: fields.take("system_prompt")?,
            template: fields.take("template")?,
            fingerprint: fields.take("fingerprint")?,
            files: fields.take("files")?,
        };
        fields.end()?;
        Ok(saved)
    }

    /// Writes the file; it appears whole or not at all.
    ///
    /// # Errors
    ///
    /// [`SavedModelError::Write`] where the folder does not take it.
    pub fn save(&self, path: &Path) -> Result<(), SavedModelError> {
        let fail = |source| SavedModelError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| fail(error.into()))?;
        text.push('\n');
        write_whole(path, &text).map_err(fail)
    }

    /// Writes the bare id, without a newline, as the Python scripts did; whole or not at all.
    ///
    /// # Errors
    ///
    /// [`SavedModelError::Write`] where the folder does not take it.
    pub fn save_id(&self, path: &Path) -> Result<(), SavedModelError> {
        write_whole(path, &self.model)
            .map_err(|source| SavedModelError::Write { path: path.to_owned(), source })
    }
}

fn load_id(path: &Path, wanted: &Path) -> Result<SavedModel, SavedModelError> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => SavedModelError::Missing { path: wanted.to_owned() },
        _ => SavedModelError::Read { path: path.to_owned(), source },
    })?;
    let id = text.trim_start_matches('\u{feff}').trim();
    if id.is_empty() || id.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(SavedModelError::Id { path: path.to_owned() });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut saved = SavedModel::of_id(id);
    if saved.provider == Provider::Local {
        saved.data_dir = Some(folder.join(".medtune/server"));
    }
    Ok(saved)
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Readable as any file that the user writes; the process's mask still applies.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// The fields of a file that were not read yet.
struct Fields<'a> {
    path: &'a Path,
    fields: Map<String, Value>,
}

impl Fields<'_> {
    /// Reads a field; one that is missing reads as null does.
    fn take<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<T, SavedModelError> {
        let value = self.fields.remove(field);
        let missing = value.is_none();
        let path = || self.path.to_owned();
        serde_json::from_value(value.unwrap_or_default()).map_err(|source| {
            if missing {
                SavedModelError::MissingField { path: path(), field }
            } else {
                SavedModelError::Field { path: path(), field, source }
            }
        })
    }

    fn end(self) -> Result<(), SavedModelError> {
        match self.fields.into_iter().next() {
            Some((field, _)) => {
                Err(SavedModelError::UnknownField { path: self.path.to_owned(), field })
            }
            None => Ok(()),
        }
    }
}
