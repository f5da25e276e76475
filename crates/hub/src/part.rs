//! The part of a file that is here already.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::download::is_right;
use crate::{Error, Pinned};

/// A file that grows beside its place until it is whole, and stays there when the download breaks off.
pub(crate) struct Part {
    target: PathBuf,
    path: PathBuf,
    file: File,
    hashes: Hashes,
    /// The length that the whole has.
    length: u64,
    bytes: u64,
}

/// The two names that the hub has for bytes.
struct Hashes {
    sha256: Sha256,
    git: Sha1,
}

impl Hashes {
    /// Of a file of so many bytes, which git's name begins with.
    fn new(length: u64) -> Self {
        let git = Sha1::new_with_prefix(format!("blob {length}\0"));
        Self { sha256: Sha256::new(), git }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.git.update(bytes);
    }

    fn finish(self, bytes: u64) -> Pinned {
        let [sha256, git_sha1] =
            [&self.sha256.finalize()[..], &self.git.finalize()[..]].map(hexadecimal);
        Pinned { bytes, sha256, git_sha1 }
    }
}

impl Part {
    /// Opens what is here of the file `pinned`, which is meant for `target`; what is here of other versions goes.
    pub(crate) fn open(target: &Path, pinned: &Pinned) -> Result<Self, Error> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!(".{name}.");
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // The hash in the name tells versions apart, so that no file is put together from two.
        let own = format!("{prefix}{:.16}.part", pinned.sha256);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let other = entry.file_name();
            let other = other.to_string_lossy();
            if other.starts_with(&prefix) && other.ends_with(".part") && *other != own {
                // What cannot be removed is in nobody's way.
                let _ = fs::remove_file(entry.path());
            }
        }
        let path = folder.join(own);
        let opened =
            File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = opened.map_err(Error::file(&path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path }),
            // Some file systems have no locks; the check at the end keeps the result right even so.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let (hashes, length) = (Hashes::new(pinned.bytes), pinned.bytes);
        let mut part = Self { target: target.to_owned(), path, file, hashes, length, bytes: 0 };
        part.read_again(pinned)?;
        Ok(part)
    }

    /// How much is here.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_again(&mut self, pinned: &Pinned) -> Result<(), Error> {
        let length = self.file.metadata().map_err(Error::file(&self.path))?.len();
        // Without a hash nothing tells whether the rest would fit.
        if length > pinned.bytes || pinned.sha256.is_empty() {
            return self.clear();
        }
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = self.file.read(&mut buffer).map_err(Error::file(&self.path))?;
            if count == 0 {
                return Ok(());
            }
            self.hashes.update(&buffer[..count]);
            self.bytes += count as u64;
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::file(&self.path))?;
        self.hashes.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Begins again with nothing.
    pub(crate) fn clear(&mut self) -> Result<(), Error> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(Error::file(&self.path))?;
        (self.hashes, self.bytes) = (Hashes::new(self.length), 0);
        Ok(())
    }

    /// Gives the whole file its name, if it is the right one; a wrong one is removed.
    pub(crate) fn finish(self, pinned: &Pinned, name: &str) -> Result<Pinned, Error> {
        let found = self.hashes.finish(self.bytes);
        if !is_right(&found, pinned) {
            fs::remove_file(&self.path).map_err(Error::file(&self.path))?;
            let (hash, expected, found_hash) = if pinned.sha256.is_empty() {
                ("the name in git", &pinned.git_sha1, found.git_sha1)
            } else {
                ("SHA-256", &pinned.sha256, found.sha256)
            };
            return Err(Error::Mismatch {
                name: name.to_owned(),
                hash,
                expected: expected.clone(),
                found: found_hash,
                expected_bytes: pinned.bytes,
                found_bytes: found.bytes,
            });
        }
        // The rename must not come before the bytes, should the machine stop.
        self.file.sync_all().map_err(Error::file(&self.path))?;
        fs::rename(&self.path, &self.target).map_err(Error::file(&self.target))?;
        Ok(found)
    }
}

/// What the file at `path` is.
pub(crate) fn digest(path: &Path) -> io::Result<Pinned> {
    let mut file = File::open(path)?;
    let (mut hashes, mut bytes) = (Hashes::new(file.metadata()?.len()), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hashes.finish(bytes));
        }
        hashes.update(&buffer[..count]);
        bytes += count as u64;
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}
