//! Compressed input, told by its first bytes.

use std::fmt;
use std::io::{self, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use serde::Serialize;

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// How an input is compressed.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use dataset::{Compression, Entry, Limits, Reader};
/// use flate2::write::GzEncoder;
///
/// let mut file = GzEncoder::new(Vec::new(), flate2::Compression::fast());
/// file.write_all(br#"[{"Question": "Why?", "Complex_CoT": "Because.", "Response": "So."}]"#)?;
/// let bytes = file.finish()?;
/// let mut reader = Reader::new(&bytes[..], Limits::default());
/// assert!(matches!(reader.next(), Some(Ok(Entry::Record(_)))));
/// assert_eq!(reader.format().map(|format| format.compression), Some(Compression::Gzip));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one member or several.
    Gzip,
    /// Zstandard, one frame or several.
    Zstd,
}

/// The bytes of a stream whose first ones were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A stream that is decompressed where its first bytes say that it is compressed.
pub(crate) struct Decoded<R>(State<R>);

enum State<R> {
    Unread(Option<R>),
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    Zstd(Box<Zstd<Whole<R>>>),
}

impl<R: Read> Decoded<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self(State::Unread(Some(reader)))
    }

    /// What the first bytes said; [`Compression::None`] before anything was read.
    pub(crate) fn compression(&self) -> Compression {
        match self.0 {
            State::Unread(_) | State::Plain(_) => Compression::None,
            State::Gzip(_) => Compression::Gzip,
            State::Zstd(_) => Compression::Zstd,
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let State::Unread(reader) = &mut self.0
            && let Some(reader) = reader.take()
        {
            self.0 = open(reader)?;
        }
        match &mut self.0 {
            State::Unread(_) => Ok(0),
            State::Plain(reader) => reader.read(buffer),
            State::Gzip(decoder) => decoder.read(buffer),
            State::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl<R> fmt::Debug for Decoded<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

fn open<R: Read>(mut reader: R) -> io::Result<State<R>> {
    let mut head = Vec::with_capacity(ZSTD.len());
    reader.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let gzip = head.starts_with(&GZIP);
    let zstd = head.starts_with(&ZSTD);
    let whole = Cursor::new(head).chain(reader);
    Ok(if gzip {
        State::Gzip(Box::new(MultiGzDecoder::new(whole)))
    } else if zstd {
        State::Zstd(Box::new(Zstd { reader: whole, frame: FrameDecoder::new(), started: false }))
    } else {
        State::Plain(whole)
    })
}

/// Zstandard frames, one after another.
struct Zstd<R> {
    reader: R,
    frame: FrameDecoder,
    started: bool,
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
        while self.frame.can_collect() == 0 {
            if self.started && self.frame.is_finished() {
                self.check_sum()?;
                self.started = false;
            }
            if !self.started && !self.start_frame()? {
                return Ok(0);
            }
            if self.started && !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.reader, UptoBytes(buffer.len()))
                    .map_err(io::Error::other)?;
            }
        }
        self.frame.read(buffer)
    }
}

impl<R: Read> Zstd<R> {
    /// Compares the finished frame's content with the check sum that it may carry.
    fn check_sum(&self) -> io::Result<()> {
        match (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum()) {
            (Some(written), Some(calculated)) if written != calculated => {
                Err(io::Error::other("the check sum of a Zstandard frame is wrong"))
            }
            _ => Ok(()),
        }
    }

    /// Reads the next frame's header; `false` where the stream ends between two frames.
    fn start_frame(&mut self) -> io::Result<bool> {
        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        let mut first = Vec::with_capacity(1);
        if self.reader.by_ref().take(1).read_to_end(&mut first)? == 0 {
            return Ok(false);
        }
        match self.frame.reset(Cursor::new(first).chain(&mut self.reader)) {
            Ok(()) => {
                self.started = true;
                Ok(true)
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let skipped =
                    io::copy(&mut self.reader.by_ref().take(length.into()), &mut io::sink())?;
                if skipped < u64::from(length) {
                    Err(io::ErrorKind::UnexpectedEof.into())
                } else {
                    Ok(true)
                }
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
