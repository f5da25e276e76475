//! The inputs: opened, hashed while they are read, with progress.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use cli::{Exit, Failure, Terminal};
use indicatif::ProgressBar;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Source(PathBuf);

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Source {
    /// The path as given; `-` is standard input.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn is_standard_input(&self) -> bool {
        self.0 == Path::new("-")
    }

    /// The bytes and, where it is known, their number.
    fn open(&self) -> io::Result<(Box<dyn Read>, Option<u64>)> {
        if self.is_standard_input() {
            return Ok((Box::new(io::stdin().lock()), None));
        }
        let file = File::open(&self.0)?;
        let kind = file.metadata()?;
        if kind.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let length = kind.is_file().then_some(kind.len());
        Ok((Box::new(file), length))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_standard_input() {
            f.write_str("standard input")
        } else {
            write!(f, "{}", self.0.display())
        }
    }
}

/// A stream whose bytes are hashed and shown as progress while they are read.
pub(crate) struct Input {
    stream: Box<dyn Read>,
    bar: ProgressBar,
    hash: Sha256,
    bytes: u64,
}

/// What was read of an input.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Input {
    pub(crate) fn open(source: &Source, terminal: &Terminal<'_>) -> Result<Self, Failure> {
        match source.open() {
            Ok((stream, length)) => {
                let bar = cli::bytes_progress(terminal, length.unwrap_or(0));
                if length.is_none() {
                    bar.unset_length();
                }
                Ok(Self { stream, bar, hash: Sha256::new(), bytes: 0 })
            }
            Err(error) => {
                let missing = error.kind() == ErrorKind::NotFound;
                let error = anyhow::Error::from(error).context(source.to_string());
                let failure = Failure::new(Exit::BadData, error);
                Err(if missing { failure.hint(WHERE_FROM) } else { failure })
            }
        }
    }

    /// The progress, to say beside it how many records there were.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Ends the progress; the hash is that of the whole stream when all of it was read.
    pub(crate) fn finish(self) -> Seen {
        self.bar.finish_and_clear();
        let digits = |byte: &u8| format!("{byte:02x}");
        Seen { bytes: self.bytes, sha256: self.hash.finalize().iter().map(digits).collect() }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        self.bar.set_position(self.bytes);
        Ok(count)
    }
}

const WHERE_FROM: &str = "--download fetches medical_o1_sft_mix.json of FreedomIntelligence/medical-o1-reasoning-SFT from \
the Hugging Face hub; or try the bundled sample: prepare-data --input examples/data/medical_sample.json";
