//! The input file: opened, hashed while it is read, with progress.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use cli::{Exit, Failure, Terminal};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

/// A file whose bytes are hashed and shown as progress while they are read.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
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
    pub(crate) fn open(path: &Path, terminal: &Terminal<'_>) -> Result<Self, Failure> {
        let opened = File::open(path).and_then(|file| {
            let kind = file.metadata()?;
            if kind.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok((file, kind.len())) }
        });
        match opened {
            Ok((file, length)) => {
                let bar = cli::bytes_progress(terminal, length);
                bar.set_message("reading");
                Ok(Self { file, bar, hash: Sha256::new(), bytes: 0 })
            }
            Err(error) => {
                let missing = error.kind() == ErrorKind::NotFound;
                let error = anyhow::Error::from(error).context(path.display().to_string());
                let failure = Failure::new(Exit::BadData, error);
                Err(if missing { failure.hint(WHERE_FROM) } else { failure })
            }
        }
    }

    /// The progress, to say beside it how many records there were.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Ends the progress; the hash is that of the whole file when all of it was read.
    pub(crate) fn finish(self) -> Seen {
        self.bar.finish_and_clear();
        let digits = |byte: &u8| format!("{byte:02x}");
        Seen { bytes: self.bytes, sha256: self.hash.finalize().iter().map(digits).collect() }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        self.bar.set_position(self.bytes);
        Ok(count)
    }
}

const WHERE_FROM: &str = "get medical_o1_sft_mix.json from the dataset FreedomIntelligence/medical-o1-reasoning-SFT on \
the Hugging Face hub, or try the bundled sample: prepare-data --input examples/data/medical_sample.json";
