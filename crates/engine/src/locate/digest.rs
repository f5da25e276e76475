//! Hashes of model files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::LocateError;
use crate::models::PinnedFile;

/// The length and SHA-256 of what went through.
pub(super) struct Digested {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// What a file must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: u64,
    pub(super) sha256: &'a str,
}

impl<'a> Right<'a> {
    pub(super) fn pinned(file: &'a PinnedFile) -> Self {
        Self { name: file.name, bytes: file.bytes, sha256: file.sha256 }
    }
}

/// Copies at most `limit + 1` bytes and hashes them, so that what is too long is seen without reading all of it.
pub(super) fn copy(
    from: &mut dyn Read,
    to: &mut dyn Write,
    limit: u64,
    heard: &mut dyn FnMut(u64),
) -> io::Result<Digested> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    let mut from = from.take(limit.saturating_add(1));
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
        bytes += count as u64;
        heard(bytes);
    }
    Ok(Digested { bytes, sha256: hex(&hash.finalize()) })
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |text, byte| text + &format!("{byte:02x}"))
}

impl Digested {
    /// Whether this is the right file.
    pub(super) fn check(&self, pinned: Right<'_>) -> Result<(), LocateError> {
        if self.sha256 == pinned.sha256 && self.bytes == pinned.bytes {
            return Ok(());
        }
        Err(LocateError::Mismatch {
            name: pinned.name.to_owned(),
            expected: pinned.sha256.to_owned(),
            found: self.sha256.clone(),
            expected_bytes: pinned.bytes,
            found_bytes: self.bytes,
        })
    }
}

/// Whether the file at `path` is the right one.
pub(super) fn check_file(path: &Path, pinned: Right<'_>) -> Result<(), LocateError> {
    let file = |error| LocateError::file(path)(error);
    let mut opened = File::open(path).map_err(file)?;
    copy(&mut opened, &mut io::sink(), pinned.bytes, &mut |_| {}).map_err(file)?.check(pinned)
}

/// The SHA-256 of a model at a path of the user's own.
pub(super) fn of_model(path: &Path) -> Result<String, LocateError> {
    let file = |error| LocateError::file(path)(error);
    if !fs::metadata(path).map_err(file)?.is_dir() {
        let mut opened = File::open(path).map_err(file)?;
        return Ok(copy(&mut opened, &mut io::sink(), u64::MAX, &mut |_| {}).map_err(file)?.sha256);
    }
    let mut weights = Vec::new();
    for entry in fs::read_dir(path).map_err(file)? {
        let path = entry.map_err(file)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            weights.push(path);
        }
    }
    weights.sort();
    let named = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, of_model(&path)?))
    };
    Ok(of_weights(weights.into_iter().map(named).collect::<Result<Vec<_>, LocateError>>()?))
}

/// The SHA-256 of a model's weights, from the names and hashes of their files in the names' order.
pub(super) fn of_weights(files: impl IntoIterator<Item = (String, String)>) -> String {
    let files: Vec<(String, String)> = files.into_iter().collect();
    if let [(_, single)] = files.as_slice() {
        return single.clone();
    }
    let mut hash = Sha256::new();
    for (name, sha256) in files {
        hash.update(format!("{name} {sha256}\n"));
    }
    hex(&hash.finalize())
}
