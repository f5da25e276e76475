use std::fmt;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_openai::error::OpenAIError;
use async_openai::traits::AsyncTryFrom;
use bytes::Bytes;
use futures_util::stream;
use reqwest::Body;
use reqwest::multipart::Form;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use wire::Purpose;

use crate::error::Error;

/// How much of a file is in memory at a time.
const PIECE: u64 = 256 << 10;
/// UTF-8's byte-order mark, which some services want in front of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Told where in a file the sending has come to; after a failure it begins again at the beginning of the request.
///
/// # Examples
///
/// ```
/// use transport::Progress;
///
/// let progress = Progress::new(|bytes| eprintln!("{bytes} bytes are sent"));
/// assert_eq!(format!("{progress:?}"), "Progress(..)"); // what an `Upload` or a `Part` takes
/// ```
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(u64) + Send + Sync>);

impl Progress {
    /// Calls `tell` with the place in the file, in bytes, after each piece.
    pub fn new(tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress(..)")
    }
}

/// A file to send: read from disk while it is sent, with its length told beforehand.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use transport::{Progress, Repeat, Route, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([(200, r#"{"id": "file-1"}"#)]).await?;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("train.jsonl");
/// std::fs::write(&path, "{}\n")?;
/// let sent = Arc::new(AtomicU64::new(0));
/// let told = Arc::clone(&sent);
/// let upload = Upload {
///     path,
///     filename: "train.jsonl".to_owned(),
///     purpose: wire::Purpose::FineTune,
///     byte_order_mark: false,
///     progress: Some(Progress::new(move |bytes| told.store(bytes, Relaxed))),
/// };
/// client.upload(&Route::new(["files"])?, upload, Repeat::Always).await?;
/// assert_eq!(sent.load(Relaxed), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Upload {
    /// Where it lies.
    pub path: PathBuf,
    /// The name to send it under.
    pub filename: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether to send a byte-order mark in front of it.
    pub byte_order_mark: bool,
    /// Who is told how far it is sent.
    pub progress: Option<Progress>,
}

/// A part of a file to send, for a file that is too large for one request.
///
/// # Examples
///
/// ```
/// use transport::Part;
///
/// let (size, part_bytes) = (150_u64 << 20, 64 << 20);
/// let parts: Vec<Part> = (0..size).step_by(64 << 20).map(|start| Part {
///     path: "train.jsonl".into(),
///     range: start..size.min(start + part_bytes),
///     byte_order_mark: false,
///     progress: None,
/// }).collect();
/// assert_eq!((parts.len(), parts[2].range.end), (3, size));
/// ```
#[derive(Debug, Clone)]
pub struct Part {
    /// Where the file lies.
    pub path: PathBuf,
    /// Its bytes to send.
    pub range: Range<u64>,
    /// Whether to send a byte-order mark in front of them.
    pub byte_order_mark: bool,
    /// Who is told how far it is sent.
    pub progress: Option<Progress>,
}

impl AsyncTryFrom<Upload> for Form {
    type Error = OpenAIError;

    async fn try_from(upload: Upload) -> Result<Self, OpenAIError> {
        let part = upload.part().await.map_err(|source| unread(&upload.path, source))?;
        Ok(Form::new().text("purpose", upload.purpose.as_str().to_owned()).part("file", part))
    }
}

impl AsyncTryFrom<Part> for Form {
    type Error = OpenAIError;

    async fn try_from(part: Part) -> Result<Self, OpenAIError> {
        let data = part.data().await.map_err(|source| unread(&part.path, source))?;
        Ok(Form::new().part("data", data))
    }
}

impl Upload {
    async fn part(&self) -> std::io::Result<reqwest::multipart::Part> {
        let file = File::open(&self.path).await?;
        let length = file.metadata().await?.len();
        let (body, length) = body(file, 0..length, self.byte_order_mark, self.progress.as_ref());
        let part = reqwest::multipart::Part::stream_with_length(body, length);
        part.file_name(self.filename.clone())
            .mime_str("application/jsonl")
            .map_err(std::io::Error::other)
    }
}

impl Part {
    async fn data(&self) -> std::io::Result<reqwest::multipart::Part> {
        let mut file = File::open(&self.path).await?;
        file.seek(SeekFrom::Start(self.range.start)).await?;
        let (body, length) =
            body(file, self.range.clone(), self.byte_order_mark, self.progress.as_ref());
        let part = reqwest::multipart::Part::stream_with_length(body, length).file_name("part");
        part.mime_str("application/octet-stream").map_err(std::io::Error::other)
    }
}

/// The bytes of `file` in `range`, where it stands at the beginning of it, as a body with its length.
fn body(
    file: File,
    range: Range<u64>,
    byte_order_mark: bool,
    progress: Option<&Progress>,
) -> (Body, u64) {
    let mark = if byte_order_mark { BYTE_ORDER_MARK } else { &[] };
    let length = range.end.saturating_sub(range.start) + mark.len() as u64;
    let source = Source { mark, file, range, progress: progress.cloned() };
    (Body::wrap_stream(stream::try_unfold(source, Source::piece)), length)
}

/// A file that is being sent.
struct Source {
    /// What comes first.
    mark: &'static [u8],
    file: File,
    /// What is still to come.
    range: Range<u64>,
    progress: Option<Progress>,
}

impl Source {
    /// The next piece and the rest; a file that has become shorter meanwhile is an error.
    async fn piece(mut self) -> std::io::Result<Option<(Bytes, Self)>> {
        if !self.mark.is_empty() {
            return Ok(Some((Bytes::from_static(std::mem::take(&mut self.mark)), self)));
        }
        let left = self.range.end.saturating_sub(self.range.start);
        if left == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(left.min(PIECE)).unwrap_or(usize::MAX)];
        let read = self.file.read(&mut piece).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(read);
        self.range.start += read as u64;
        if let Some(Progress(tell)) = &self.progress {
            tell(self.range.start);
        }
        Ok(Some((Bytes::from(piece), self)))
    }
}

fn unread(path: &Path, source: std::io::Error) -> OpenAIError {
    OpenAIError::Boxed(Box::new(Error::File { path: path.to_owned(), source }))
}
