use std::io;

use serde::{Deserialize, Serialize};
use transport::{Part, Repeat, Route};
use wire::{CompleteUpload, CreateUpload, FileId, PartId, Upload, UploadId, UploadPart};

use crate::client::Client;
use crate::error::Error;
use crate::local_file::LocalFile;
use crate::upload::Uploaded;

/// The largest part that `OpenAI` takes.
pub(crate) const PART_BYTES: u64 = 64 << 20;
/// The largest file that `OpenAI` takes in one request; larger ones go in parts.
///
/// # Examples
///
/// ```
/// let goes_in_parts = |bytes: u64| bytes > ftjob::WHOLE_BYTES;
/// assert!(!goes_in_parts(512 * 1024 * 1024));
/// assert!(goes_in_parts(600_000_000));
/// ```
pub const WHOLE_BYTES: u64 = 512 << 20;

/// How far an upload in parts has come, to be kept between two parts and gone on with.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use ftjob::PartialUpload;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// let client = client.clone().with_part_bytes(file.bytes.div_ceil(3));
/// let mut kept = None;
/// let mut keep = |partial: &PartialUpload| {
///     if partial.parts.len() == 2 {
///         return Err(std::io::Error::other("the disk is full"));
///     }
///     kept = Some(partial.clone());
///     Ok(())
/// };
/// assert!(client.upload_in_parts(file, None, &mut keep).await.is_err());
/// let partial = kept.ok_or("something was kept")?;
/// assert_eq!((&partial.sha256, partial.parts.len()), (&file.sha256, 1));
/// let uploaded = client.upload_in_parts(file, Some(partial), &mut |_| Ok(())).await?;
/// assert!(client.still_has(file, &uploaded.id).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartialUpload {
    /// The SHA-256 of the file.
    pub sha256: String,
    /// The upload at the service.
    pub upload: UploadId,
    /// How long each part but the last is.
    pub part_bytes: u64,
    /// The parts that have arrived, in the order of the file.
    pub parts: Vec<PartId>,
}

impl Client {
    /// Uploads a file of any size in parts, going on from `done`, unless the service has the same content already.
    ///
    /// `keep` is called before the first part and after each, and keeps how far the upload has come. A service forgets
    /// an upload after some time (`OpenAI` after an hour); then it begins anew.
    ///
    /// # Errors
    ///
    /// [`Error::Upload`] where the service does not take it, [`Error::Record`] where `keep` fails.
    pub async fn upload_in_parts(
        &self,
        file: &LocalFile,
        done: Option<PartialUpload>,
        keep: &mut impl FnMut(&PartialUpload) -> io::Result<()>,
    ) -> Result<Uploaded, Error> {
        let fail = |source| Error::Upload { path: file.path.clone(), source };
        if let Some(id) = self.known(file).await.map_err(fail)? {
            return Ok(Uploaded { id, reused: true });
        }
        let done = done.filter(|done| done.sha256 == file.sha256 && done.part_bytes > 0);
        let resumed = done.is_some();
        let sent = match self.send_parts(file, done, keep).await {
            Err(error) if resumed && is_gone(&error) => {
                tracing::warn!("the service no longer knows the upload; beginning anew");
                self.send_parts(file, None, keep).await
            }
            sent => sent,
        };
        Ok(Uploaded { id: sent?, reused: false })
    }

    async fn send_parts(
        &self,
        file: &LocalFile,
        done: Option<PartialUpload>,
        keep: &mut impl FnMut(&PartialUpload) -> io::Result<()>,
    ) -> Result<FileId, Error> {
        let fail = |source| Error::Upload { path: file.path.clone(), source };
        let mut partial = match done {
            Some(done) => done,
            None => self.begin(file).await.map_err(fail)?,
        };
        keep(&partial).map_err(Error::Record)?;
        loop {
            let start = partial.parts.len() as u64 * partial.part_bytes;
            if start >= file.bytes {
                break;
            }
            let part = Part {
                path: file.path.clone(),
                range: start..(start + partial.part_bytes).min(file.bytes),
                byte_order_mark: start == 0 && self.adds_mark(file),
                progress: self.progress.clone(),
            };
            partial.parts.push(self.send_part(&partial.upload, part).await.map_err(fail)?);
            keep(&partial).map_err(Error::Record)?;
        }
        self.complete(file, partial).await.map_err(fail)
    }

    async fn begin(&self, file: &LocalFile) -> Result<PartialUpload, transport::Error> {
        let request = CreateUpload::new(file.upload_name(), self.bytes_there(file));
        // An upload that is begun twice leaves nothing: it ends by itself, and no file comes of it.
        let upload: Upload =
            self.transport.post(&Route::new(["uploads"])?, &request, Repeat::Always).await?;
        let mark = if self.adds_mark(file) { 3 } else { 0 };
        let part_bytes = self.part_bytes - mark;
        let sha256 = file.sha256.clone();
        Ok(PartialUpload { sha256, upload: upload.id, part_bytes, parts: Vec::new() })
    }

    async fn send_part(&self, upload: &UploadId, part: Part) -> Result<PartId, transport::Error> {
        let route = Route::new(["uploads", upload.as_str(), "parts"])?;
        Ok(self.transport.upload_part::<UploadPart>(&route, part).await?.id)
    }

    /// Makes a file of the parts; where the answer is lost and asking again is refused, the file is looked for.
    async fn complete(
        &self,
        file: &LocalFile,
        partial: PartialUpload,
    ) -> Result<FileId, transport::Error> {
        let route = Route::new(["uploads", partial.upload.as_str(), "complete"])?;
        let request = CompleteUpload::new(partial.parts);
        let completed = self.transport.post::<Upload>(&route, &request, Repeat::Always).await;
        let error = match completed {
            Ok(Upload { file: Some(file), .. }) => return Ok(file.id),
            Ok(_) => self.transport.stranger(),
            Err(error) => error,
        };
        self.known(file).await?.ok_or(error)
    }
}

/// Whether the service no longer knows the upload that the parts belong to.
fn is_gone(error: &Error) -> bool {
    let status = error.transport().and_then(transport::Error::status);
    matches!(status, Some(400 | 404 | 409 | 410))
}
