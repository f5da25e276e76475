use std::time::Duration;

use transport::{Repeat, Route, Upload};
use wire::{FileId, FileObject, FileStatus, Purpose};

use crate::client::{Client, route};
use crate::error::Error;
use crate::local_file::LocalFile;
use crate::pages;

/// How often a file is sent at most when the answers stay unclear.
const SENDS: u32 = 3;

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
        let fail = |source| Error::Upload { path: file.path.clone(), source };
        if let Some(known) = self.known(file).await.map_err(fail)? {
            return Ok(known);
        }
        for attempt in 1..=SENDS {
            let error = match self.send(file).await {
                Ok(sent) => return Ok(sent),
                Err(error) => error,
            };
            if !error.is_ambiguous() || attempt == SENDS {
                return Err(fail(error));
            }
            tracing::warn!(attempt, "an upload had no clear answer; looking for the file");
            self.sleep(self.timing.looks.first().copied().unwrap_or(Duration::from_secs(1))).await;
            if let Some(known) = self.known(file).await.map_err(fail)? {
                return Ok(known);
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn send(&self, file: &LocalFile) -> Result<FileId, transport::Error> {
        let upload = Upload {
            path: file.path.clone(),
            filename: file.upload_name(),
            purpose: Purpose::FineTune,
        };
        let sent: FileObject =
            self.transport.upload(&Route::new(["files"])?, upload, Repeat::Unprocessed).await?;
        Ok(sent.id)
    }

    /// The id under which the service has this content; a service that does not list its files has none.
    async fn known(&self, file: &LocalFile) -> Result<Option<FileId>, transport::Error> {
        let name = file.upload_name();
        let is_it = |known: &FileObject| {
            known.filename == name
                && known.bytes == file.bytes
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
            match object.status {
                None | Some(FileStatus::Processed) => return Ok(()),
                Some(FileStatus::Error | FileStatus::Deleted) => {
                    return Err(Error::FileRefused {
                        file: file.clone(),
                        details: object.status_details,
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
