//! File contents on disk, named by their hash: written aside, then moved into place whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::folder::{Folder, sync_folder};

/// A content on its way in; dropped before [`finish`](Incoming::finish) it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: NamedTempFile,
    hash: Sha256,
    bytes: u64,
}

/// A content that is complete and synced, and not yet in its place.
#[derive(Debug)]
pub(crate) struct Finished {
    file: NamedTempFile,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

impl Incoming {
    pub(crate) fn new(folder: &Folder) -> io::Result<Self> {
        let file = NamedTempFile::new_in(folder.temporary())?;
        Ok(Self { file, hash: Sha256::new(), bytes: 0 })
    }

    pub(crate) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk)?;
        self.hash.update(chunk);
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// How much has come in so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn finish(self) -> io::Result<Finished> {
        self.file.as_file().sync_all()?;
        Ok(Finished {
            file: self.file,
            sha256: hexadecimal(&self.hash.finalize()),
            bytes: self.bytes,
        })
    }
}

impl Finished {
    /// Moves the content to its place, or drops it where the same content is there already.
    pub(crate) fn keep(self, folder: &Folder) -> io::Result<()> {
        let path = path(folder, &self.sha256);
        if path.exists() {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        self.file.persist(&path)?;
        sync_folder(parent)
    }
}

/// Opens the content `sha256`.
pub(crate) fn open(folder: &Folder, sha256: &str) -> io::Result<File> {
    File::open(path(folder, sha256))
}

/// Removes the content `sha256`, which nothing names any more; one that is gone already is no fault.
pub(crate) fn remove(folder: &Folder, sha256: &str) -> io::Result<()> {
    match fs::remove_file(path(folder, sha256)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn path(folder: &Folder, sha256: &str) -> PathBuf {
    let shelf = sha256.get(..2).unwrap_or("xx");
    folder.blobs().join(shelf).join(sha256)
}

/// The bytes in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_content_is_whole_or_absent() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        let mut incoming = Incoming::new(&folder).unwrap();
        incoming.write(b"ab").unwrap();
        incoming.write(b"c").unwrap();
        let finished = incoming.finish().unwrap();
        let sha256 = finished.sha256.clone();
        assert_eq!(
            (finished.bytes, sha256.as_str()),
            (3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        assert!(open(&folder, &sha256).is_err());
        finished.keep(&folder).unwrap();
        let mut text = String::new();
        open(&folder, &sha256).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        drop(Incoming::new(&folder).unwrap());
        assert_eq!(fs::read_dir(folder.temporary()).unwrap().count(), 0);
    }
}
