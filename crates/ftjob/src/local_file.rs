use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::error::Error;

/// A file on this machine that was read once to its end.
///
/// # Examples
///
/// ```
/// use ftjob::LocalFile;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("medical train.jsonl");
/// std::fs::write(&path, "{}\n")?;
/// let file = LocalFile::read(&path).await?;
/// assert_eq!((file.bytes, file.has_byte_order_mark), (3, false));
/// assert_eq!(file.upload_name(), "medical_train-ca3d163bab055381.jsonl");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it lies.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// Whether it begins with UTF-8's byte-order mark.
    pub has_byte_order_mark: bool,
}

impl LocalFile {
    /// Reads the file at `path` in pieces, however long it is.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] where it cannot be read.
    pub async fn read(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Read { path: path.to_owned(), source };
        let mut file = tokio::fs::File::open(path).await.map_err(fail)?;
        let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
        let mut start: Vec<u8> = Vec::new();
        loop {
            match file.read(&mut piece).await.map_err(fail)? {
                0 => break,
                length => {
                    start.extend(piece[..length].iter().take(3 - start.len()));
                    hash.update(&piece[..length]);
                    bytes += length as u64;
                }
            }
        }
        let sha256 = hexadecimal(&hash.finalize());
        let has_byte_order_mark = start == b"\xEF\xBB\xBF";
        Ok(Self { path: path.to_owned(), bytes, sha256, has_byte_order_mark })
    }

    /// The name to upload it under: its own, with the beginning of its hash, by which it is known again.
    pub fn upload_name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let stem: String = stem.chars().take(64).map(plain).collect();
        format!("{stem}-{}.jsonl", &self.sha256[..16])
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| {
        char::from_digit(u32::from(value), 16).expect("four bits are one hexadecimal digit")
    };
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_hashed_and_named_by_its_content() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("my \"train\".jsonl");
        std::fs::write(&path, "abc")?;
        let file = LocalFile::read(&path).await?;
        assert_eq!(file.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            (file.bytes, file.upload_name().as_str()),
            (3, "my__train_-ba7816bf8f01cfea.jsonl")
        );
        std::fs::write(&path, "\u{feff}abc")?;
        assert!(LocalFile::read(&path).await?.has_byte_order_mark && !file.has_byte_order_mark);
        assert!(matches!(
            LocalFile::read(folder.path().join("none").as_path()).await,
            Err(Error::Read { .. })
        ));
        Ok(())
    }
}
