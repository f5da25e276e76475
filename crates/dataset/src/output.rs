//! Files that appear whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};

/// A file that cannot be written.
///
/// # Examples
///
/// ```
/// use std::{error::Error, path::Path};
///
/// use dataset::Output;
///
/// let error = Output::create(Path::new("no/such/folder/train.jsonl")).unwrap_err();
/// assert_eq!(error.to_string(), "no/such/folder/train.jsonl");
/// assert!(error.source().is_some());
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What the operating system says.
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }
}

/// What was written to a file.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use dataset::{Output, commit};
///
/// let folder = tempfile::tempdir()?;
/// let mut output = Output::create(&folder.path().join("train.jsonl"))?;
/// output.write_all(b"{\"messages\":[]}\n{\"messages\":[]}\n")?;
/// let written = commit(vec![output.finish()?], &[])?;
/// assert_eq!((written[0].lines, written[0].bytes), (2, 32));
/// assert!(written[0].sha256.starts_with("b46146897bfe"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its lines, of which each is an example.
    pub lines: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// A file in the making: a temporary one beside the place it is meant for.
///
/// Dropped, it leaves nothing behind; [`finish`](Self::finish) and [`commit`] put it in place.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use dataset::{Output, commit};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.json");
/// let mut output = Output::create(&path)?;
/// output.write_all(b"{\"kept\": 90}\n")?;
/// let finished = output.finish()?;
/// assert!(!path.exists());
/// commit(vec![finished], &[])?;
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"kept\": 90}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    target: PathBuf,
    file: BufWriter<NamedTempFile>,
    bytes: u64,
    lines: u64,
    hash: Sha256,
}

impl Output {
    /// Starts a file that is meant for `path`; a symbolic link is followed, the folder must exist.
    ///
    /// # Errors
    ///
    /// [`FileError`] when the folder takes no file, or when what stands at `path` is no regular file.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let fail = |error| FileError::new(path, error);
        let target =
            if path.is_symlink() { fs::canonicalize(path).map_err(fail)? } else { path.to_owned() };
        let present = fs::metadata(&target).ok();
        if present.as_ref().is_some_and(|present| !present.is_file()) {
            return Err(fail(io::Error::other("is there already and is no regular file")));
        }
        remove_leftovers(&target);
        let file = temporary(&target).map_err(fail)?;
        // The lock tells other runs that this file is no leftover; where there are no locks, none is removed either.
        let _ = file.as_file().try_lock();
        if let Some(present) = present {
            fs::set_permissions(file.path(), present.permissions()).map_err(fail)?;
        }
        let file = BufWriter::with_capacity(256 << 10, file);
        Ok(Self { path: path.to_owned(), target, file, bytes: 0, lines: 0, hash: Sha256::new() })
    }

    /// Ends the writing. The content goes on to the disk, for which [`commit`] waits, and is not yet in place.
    ///
    /// # Errors
    ///
    /// [`FileError`] when the rest cannot be written, as on a full disk.
    pub fn finish(self) -> Result<Finished, FileError> {
        let fail = |error| FileError::new(&self.path, error);
        let file = self.file.into_inner().map_err(|error| fail(error.into_error()))?;
        // Waiting for the disk takes no processor, so that there may be other work meanwhile.
        let written_file = file.as_file().try_clone().map_err(fail)?;
        let syncing = Builder::new().spawn(move || written_file.sync_all()).map_err(fail)?;
        let written = Written {
            path: self.path.clone(),
            bytes: self.bytes,
            lines: self.lines,
            sha256: hexadecimal(&self.hash.finalize()),
        };
        Ok(Finished { written, target: self.target, file: file.into_temp_path(), syncing })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        self.lines += memchr::memchr_iter(b'\n', &bytes[..count]).count() as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that is written and not yet in place; dropped, it leaves nothing behind.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use dataset::Output;
///
/// let folder = tempfile::tempdir()?;
/// let mut output = Output::create(&folder.path().join("valid.jsonl"))?;
/// writeln!(output, "{}", r#"{"messages":[]}"#)?;
/// let finished = output.finish()?;
/// assert_eq!(finished.written().lines, 1);
/// drop(finished);
/// assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Finished {
    written: Written,
    target: PathBuf,
    file: TempPath,
    syncing: JoinHandle<io::Result<()>>,
}

impl Finished {
    /// What the file will be.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// Waits until the content is on the disk.
    fn synced(self) -> Result<Synced, FileError> {
        let Self { written, target, file, syncing } = self;
        let ended = syncing.join().unwrap_or_else(|_| Err(io::Error::other("syncing it panicked")));
        ended.map_err(|error| FileError::new(&written.path, error))?;
        Ok(Synced { written, target, file })
    }
}

/// A file whose content is on the disk, and which is not yet in place.
struct Synced {
    written: Written,
    target: PathBuf,
    file: TempPath,
}

/// Puts `files` in place and removes those at `removals`: all of it, or nothing on an error.
///
/// Each file is whole at every moment. A process that is killed between two of them leaves new files beside old ones.
///
/// # Examples
///
/// ```
/// use std::fs;
/// use std::io::Write;
///
/// use dataset::{Output, commit};
///
/// let folder = tempfile::tempdir()?;
/// let [train, valid] = ["train.jsonl", "valid.jsonl"].map(|name| folder.path().join(name));
/// fs::write(&valid, "of an earlier run\n")?;
/// let mut output = Output::create(&train)?;
/// output.write_all(b"{\"messages\":[]}\n")?;
/// commit(vec![output.finish()?], &[&valid])?;
/// assert!(train.exists() && !valid.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`FileError`] when a file cannot be put in place or removed; what was there before is then there again.
pub fn commit(files: Vec<Finished>, removals: &[&Path]) -> Result<Vec<Written>, FileError> {
    // Nothing is put in place before all of it is on the disk.
    let files: Vec<Synced> = files.into_iter().map(Finished::synced).collect::<Result<_, _>>()?;
    let mut done = Done::default();
    let folders: BTreeSet<PathBuf> =
        files.iter().map(|file| folder_of(&file.target).to_owned()).collect();
    let mut written = Vec::with_capacity(files.len());
    for file in files {
        let fail = |error| FileError::new(&file.written.path, error);
        done.keep(&file.target).map_err(fail)?;
        file.file.persist(&file.target).map_err(|error| fail(error.error))?;
        written.push(file.written);
    }
    for path in removals {
        done.keep(path).map_err(|error| FileError::new(path, error))?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::new(path, error));
            }
            _ => {}
        }
    }
    for folder in &folders {
        sync_folder(folder);
    }
    done.complete = true;
    Ok(written)
}

/// What was put in place so far, undone when dropped before it is final.
#[derive(Default)]
struct Done {
    /// Each place with a second name of what stood there, if anything did.
    before: Vec<(PathBuf, Option<TempPath>)>,
    complete: bool,
}

impl Done {
    /// Keeps what stands at `path`.
    fn keep(&mut self, path: &Path) -> io::Result<()> {
        let kept = if path.exists() {
            let second = temporary(path)?.into_temp_path();
            // A link takes no space; where there are no links, a copy does the same.
            fs::remove_file(&second)?;
            if fs::hard_link(path, &second).is_err() {
                fs::copy(path, &second)?;
            }
            Some(second)
        } else {
            None
        };
        self.before.push((path.to_owned(), kept));
        Ok(())
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        for (path, kept) in self.before.drain(..).rev() {
            // The first error is on its way to the caller; the rest is put back as far as it goes.
            let _ = match kept {
                Some(kept) => kept.persist(&path).map_err(|error| error.error),
                None => fs::remove_file(&path),
            };
        }
    }
}

/// Makes the folder's new entries last, where the operating system lets a folder be opened.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Removes what runs that were killed left beside `path`: temporary files that nobody holds any more.
fn remove_leftovers(path: &Path) {
    let Some(prefix) = path.file_name().map(|name| format!(".{}.", name.to_string_lossy())) else {
        return;
    };
    for entry in fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let random = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".tmp"));
        // Exactly the names that `temporary` gives.
        if random.is_none_or(|random| random.len() != 6) {
            continue;
        }
        if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A temporary file beside `path`, with the access rights that a new file would get.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(|| io::Error::other("is no file name"))?);
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[digit as usize]))
        .collect()
}
