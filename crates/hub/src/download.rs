//! One file, from the hub to its place.

use std::path::Path;

use crate::part::{Part, digest};
use crate::transfer::{Event, Question, Transfer};
use crate::{Error, Pinned, RemoteFile, Settings};

/// How often a download that broke off is taken up again, as long as each attempt brings something.
const ATTEMPTS: usize = 5;

/// A file that is here.
///
/// # Examples
///
/// ```
/// use hub::{Pinned, RemoteFile, Repository, Settings, fetch};
///
/// // What is here already and is the right file is kept, and the hub is not asked.
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("records.json");
/// std::fs::write(&path, "[]\n")?;
/// let sha256 = "37517e5f3dc66819f61f5a7bb8ace1921282415f10551d2defa5c3eb0985b570".to_owned();
/// let pinned = Pinned { bytes: 3, sha256, git_sha1: String::new() };
/// let newest = Repository::dataset("clinic/records")?.file("records.json");
/// let file = RemoteFile { revision: "v1".to_owned(), pinned: Some(pinned), ..newest };
/// let fetched = fetch(&file, &path, &Settings::default(), &mut |_done, _total| {})?;
/// assert_eq!((fetched.bytes, fetched.resumed, fetched.commit.as_str()), (3, 3, "v1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The commit that it is of; the revision that was asked for where the caller knew the file.
    pub commit: String,
    /// How much of it was here before.
    pub resumed: u64,
}

/// What the hub says of a file.
///
/// # Examples
///
/// ```no_run
/// use hub::{Described, Repository, Settings, describe};
///
/// let file = Repository::model("HuggingFaceTB/SmolLM2-135M-Instruct")?.file("model.safetensors");
/// let Described { bytes, sha256, commit, .. } = describe(&file, &Settings::default())?;
/// assert!(bytes > 100_000_000 && sha256.is_some());
/// assert_eq!(commit.len(), 40);
/// # Ok::<(), hub::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal, which the hub tells of large files alone.
    pub sha256: Option<String>,
    /// Its name in git in hexadecimal, which the hub tells of the others.
    pub git_sha1: Option<String>,
    /// The commit that it is of.
    pub commit: String,
}

/// Asks the hub what `file` is, without receiving it.
///
/// # Examples
///
/// ```
/// use hub::{Error, Repository, Settings, describe};
///
/// let file = Repository::model("HuggingFaceTB/SmolLM2-135M-Instruct")?.file("config.json");
/// let offline = Settings { offline: true, ..Settings::default() };
/// assert!(matches!(describe(&file, &offline), Err(Error::Offline)));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Missing`], [`Error::Forbidden`], [`Error::Silent`] and [`Error::Hub`] by what the hub says.
pub fn describe(file: &RemoteFile, settings: &Settings) -> Result<Described, Error> {
    if settings.offline {
        return Err(Error::Offline);
    }
    let (Pinned { bytes, sha256, git_sha1 }, commit) = known(file, settings)?;
    let told = |hash: String| Some(hash).filter(|hash| !hash.is_empty());
    Ok(Described { bytes, sha256: told(sha256), git_sha1: told(git_sha1), commit })
}

/// Brings `file` to the path `target`, and tells `progress` how many of how many bytes are here.
///
/// The file appears there whole and checked, or not at all. What a broken download leaves stays beside it, with a hash
/// in its name and `.part` at its end, and the next call goes on from there. A file at `target` that is the right one
/// is kept; another one is never replaced.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use hub::{Error, Repository, Settings, fetch};
///
/// let file = Repository::dataset("FreedomIntelligence/medical-o1-reasoning-SFT")?.file("medical_o1_sft_mix.json");
/// // Nobody listens at this address, so that nothing appears at the path.
/// let settings = Settings { endpoint: Some("http://127.0.0.1:9".to_owned()), ..Settings::default() };
/// let folder = tempfile::tempdir()?;
/// let target = folder.path().join("records.json");
/// let mut progress = |done: u64, total: u64| println!("{done} of {total} bytes");
/// let error = fetch(&file, &target, &settings, &mut progress).unwrap_err();
/// assert!(matches!(error, Error::Hub { .. } | Error::Silent { .. }));
/// assert!(!target.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Missing`], [`Error::Forbidden`], [`Error::Silent`] and [`Error::Hub`] by what the hub says;
/// [`Error::Mismatch`] when what it sends is not what it promised; [`Error::Occupied`] when another file is in the
/// place.
pub fn fetch(
    file: &RemoteFile,
    target: &Path,
    settings: &Settings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Fetched, Error> {
    if settings.offline {
        return Err(Error::Offline);
    }
    let (pinned, commit) = match &file.pinned {
        Some(pinned) => (pinned.clone(), file.revision.clone()),
        None => known(file, settings)?,
    };
    if target.exists() {
        let here = digest(target).map_err(Error::file(target))?;
        if !is_right(&here, &pinned) {
            return Err(Error::Occupied { path: target.to_owned() });
        }
        progress(here.bytes, here.bytes);
        return Ok(Fetched { bytes: here.bytes, sha256: here.sha256, commit, resumed: here.bytes });
    }
    let mut part = Part::open(target, &pinned)?;
    let resumed = part.bytes();
    progress(resumed, pinned.bytes);
    let file = RemoteFile { revision: commit.clone(), ..file.clone() };
    for attempt in 1.. {
        let before = part.bytes();
        match receive(&file, &mut part, (settings, pinned.bytes), progress) {
            Ok(()) => break,
            // The rest is asked for again where this attempt brought something.
            Err(Error::Hub { .. }) if part.bytes() > before && attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
    let found = part.finish(&pinned, &file.name)?;
    Ok(Fetched { bytes: found.bytes, sha256: found.sha256, commit, resumed })
}

/// Whether a file is the one that the hub means, by all that it tells of it.
pub(crate) fn is_right(found: &Pinned, pinned: &Pinned) -> bool {
    let agrees = |pinned: &String, found: &String| pinned.is_empty() || found == pinned;
    found.bytes == pinned.bytes
        && agrees(&pinned.sha256, &found.sha256)
        && agrees(&pinned.git_sha1, &found.git_sha1)
}

/// What the hub says that the file is, and the commit.
fn known(file: &RemoteFile, settings: &Settings) -> Result<(Pinned, String), Error> {
    let mut transfer = Transfer::start(settings, Question::What(file.clone()));
    while let Some(event) = transfer.next()? {
        if let Event::Known(pinned, commit) = event {
            return Ok((pinned, commit));
        }
    }
    let what = format!("`{}` of {}", file.name, file.repository);
    Err(Error::Missing { endpoint: settings.address().to_owned(), what })
}

/// Receives what is not here yet.
fn receive(
    file: &RemoteFile,
    part: &mut Part,
    (settings, total): (&Settings, u64),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), Error> {
    if part.bytes() == total {
        return Ok(());
    }
    let question = Question::Bytes(file.clone(), part.bytes(), total);
    let mut transfer = Transfer::start(settings, question);
    let fault = |reason: &str| Error::Hub {
        endpoint: settings.address().to_owned(),
        reason: reason.to_owned(),
    };
    while let Some(event) = transfer.next()? {
        let Event::Bytes(bytes) = event else { continue };
        if part.bytes() + bytes.len() as u64 > total {
            // It may have begun from the start again; what is here cannot be trusted then.
            part.clear()?;
            return Err(fault("it sends more than the file holds"));
        }
        part.push(&bytes)?;
        progress(part.bytes(), total);
    }
    if part.bytes() < total {
        return Err(fault("it ends before the file does"));
    }
    Ok(())
}
