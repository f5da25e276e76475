use std::time::Duration;

use transport::{Repeat, Route, Upload};
use wire::{FileId, FileObject, FileStatus, Purpose};

use crate::client::{Client, route};
use crate::error::Error;
use crate::journal::{Journal, Step, Unrecorded, note, refused};
use crate::local_file::LocalFile;
use crate::pages;

/// How often a file is sent at most when the answers stay unclear.
const SENDS: u32 = 3;

/// A file that the service has.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use ftjob::Unrecorded;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// let first = client.upload_noted(file, &mut Unrecorded).await?;
/// let again = client.upload_noted(file, &mut Unrecorded).await?;
/// assert!(!first.reused && again.reused);
/// assert_eq!(again.id, first.id, "the service has it once");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its id there.
    pub id: FileId,
    /// Whether it was there before.
    pub reused: bool,
}

impl Client {
    /// Uploads a file for fine-tuning, unless the service has the same content already.
    ///
    /// The file is streamed with its length told beforehand. It is known again by its name, which holds its hash, and its
    /// size, so that neither a rerun nor an unclear answer leaves it at the service twice.
    ///
    /// # Errors
    ///
    /// [`Error::Upload`] where the service does not take it.
    pub async fn upload(&self, file: &LocalFile) -> Result<FileId, Error> {
        Ok(self.upload_noted(file, &mut Unrecorded).await?.id)
    }

    /// [`upload`](Self::upload), with what is about to be sent and what was answered noted in `journal` first.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
    /// use ftjob::Unrecorded;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tiny = tiny().await?;
    /// # let (client, file) = (&tiny.client, &tiny.file);
    /// let uploaded = client.upload_noted(file, &mut Unrecorded).await?;
    /// client.wait_for_file(&uploaded.id).await?;
    /// assert_eq!(client.file(&uploaded.id).await?.map(|known| known.bytes), Some(file.bytes));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`upload`](Self::upload), and [`Error::Record`] where it cannot be noted; then nothing was sent.
    pub async fn upload_noted(
        &self,
        file: &LocalFile,
        journal: &mut impl Journal,
    ) -> Result<Uploaded, Error> {
        let fail = |source| Error::Upload { path: file.path.clone(), source };
        if let Some(id) = self.known(file).await.map_err(fail)? {
            return Ok(Uploaded { id, reused: true });
        }
        if journal.is_open(Step::Upload(&file.sha256)) {
            for wait in &self.timing.looks {
                self.sleep(*wait).await;
                if let Some(id) = self.known(file).await.map_err(fail)? {
                    return Ok(Uploaded { id, reused: false });
                }
            }
        }
        for attempt in 1..=SENDS {
            journal.intend(Step::Upload(&file.sha256)).map_err(Error::Record)?;
            let error = match self.send(file, journal).await {
                Ok(id) => return Ok(Uploaded { id, reused: false }),
                Err(error) => error,
            };
            if !error.is_ambiguous() {
                refused(journal, Step::Upload(&file.sha256));
                return Err(fail(error));
            }
            if attempt == SENDS {
                return Err(fail(error));
            }
            tracing::warn!(attempt, "an upload had no clear answer; looking for the file");
            self.sleep(self.timing.looks.first().copied().unwrap_or(Duration::from_secs(1))).await;
            if let Some(id) = self.known(file).await.map_err(fail)? {
                return Ok(Uploaded { id, reused: false });
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn send(
        &self,
        file: &LocalFile,
        journal: &mut impl Journal,
    ) -> Result<FileId, transport::Error> {
        let upload = Upload {
            path: file.path.clone(),
            filename: file.upload_name(),
            purpose: Purpose::FineTune,
            byte_order_mark: self.adds_mark(file),
            progress: self.progress.clone(),
        };
        let answer =
            self.transport.upload(&Route::new(["files"])?, upload, Repeat::Unprocessed).await?;
        note(journal, Step::Upload(&file.sha256), &answer);
        Ok(answer.read::<FileObject>()?.id)
    }

    /// Whether the service wants a byte-order mark in front of `file`, which has none.
    pub(crate) fn adds_mark(&self, file: &LocalFile) -> bool {
        self.dialect.byte_order_mark && !file.has_byte_order_mark
    }

    /// How long `file` is at the service.
    pub(crate) fn bytes_there(&self, file: &LocalFile) -> u64 {
        file.bytes + if self.adds_mark(file) { 3 } else { 0 }
    }

    /// Whether the service still has `file` under the id that it once gave it.
    ///
    /// # Errors
    ///
    /// [`Error::Service`].
    pub async fn still_has(&self, file: &LocalFile, id: &FileId) -> Result<bool, Error> {
        let known = self.file(id).await?;
        Ok(known.is_some_and(|known| {
            // Some services tell no size.
            (known.bytes == 0 || known.bytes == self.bytes_there(file))
                && !matches!(known.status, Some(FileStatus::Error | FileStatus::Deleted))
        }))
    }

    /// The id under which the service has this content; a service that does not list its files has none.
    pub(crate) async fn known(&self, file: &LocalFile) -> Result<Option<FileId>, transport::Error> {
        let name = file.upload_name();
        let is_it = |known: &FileObject| {
            known.filename == name
                && known.bytes == self.bytes_there(file)
                && known.purpose.as_ref().is_none_or(|purpose| *purpose == Purpose::FineTune)
                && !matches!(known.status, Some(FileStatus::Error | FileStatus::Deleted))
        };
        let route = Route::new(["files"])?.with("purpose", Purpose::FineTune.as_str());
        let id = |known: &FileObject| known.id.to_string();
        match pages::until(&self.transport, &route, 1000, id, |page| page.iter().any(is_it)).await {
            Ok(files) => Ok(files.into_iter().find(is_it).map(|known| known.id)),
            Err(error) if matches!(error.status(), Some(400 | 404 | 405 | 501)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until the service has looked at a file.
    ///
    /// # Errors
    ///
    /// [`Error::FileRefused`] where it cannot use it, [`Error::FileSlow`] where it takes longer than
    /// [`Timing::file_deadline`](crate::Timing), [`Error::Service`] where it does not answer.
    pub async fn wait_for_file(&self, file: &FileId) -> Result<(), Error> {
        let route = route(["files", file.as_str()])?;
        let mut waited = Duration::ZERO;
        loop {
            let object: FileObject = self.transport.get(&route).await.map_err(Error::Service)?;
            if object.id != *file {
                return Err(Error::Service(self.transport.stranger()));
            }
            match object.status {
                None | Some(FileStatus::Processed) => return Ok(()),
                Some(FileStatus::Error | FileStatus::Deleted) => {
                    return Err(Error::FileRefused {
                        file: file.clone(),
                        details: object.status_details.as_deref().map(|text| self.redacted(text)),
                    });
                }
                Some(_) if waited >= self.timing.file_deadline => {
                    return Err(Error::FileSlow { file: file.clone(), seconds: waited.as_secs() });
                }
                Some(_) => {}
            }
            self.sleep(self.timing.file_poll).await;
            waited += self.timing.file_poll;
        }
    }
}
