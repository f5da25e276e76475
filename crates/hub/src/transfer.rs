//! The requests, on a thread of their own, so that they can be followed, timed and given up.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;

use futures_util::StreamExt;
use hf_hub::{HFClient, HFError, HFRepository, HFResult, RepoType};
use tokio::sync::Notify;

use crate::file::Kind;
use crate::head::head;
use crate::{Error, Pinned, RemoteFile, Settings};

/// What is heard of the hub.
pub(crate) enum Event {
    /// It says what the file is, and of which commit.
    Known(Pinned, String),
    /// The next bytes of the file.
    Bytes(Vec<u8>),
    /// It is over.
    Done(Outcome),
}

/// How an exchange ended.
pub(crate) type Outcome = Result<(), Fault>;

/// Why an exchange failed.
pub(crate) enum Fault {
    /// There is no such file, or no such repository.
    Missing,
    /// It is not for everybody.
    Forbidden,
    /// Anything else, in words.
    Other(String),
}

impl From<HFError> for Fault {
    fn from(error: HFError) -> Self {
        match error {
            HFError::EntryNotFound { .. }
            | HFError::RepoNotFound { .. }
            | HFError::RevisionNotFound { .. } => Self::Missing,
            HFError::AuthRequired { .. } | HFError::Forbidden { .. } => Self::Forbidden,
            HFError::Request { source, .. } => source.into(),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<reqwest::Error> for Fault {
    /// The innermost cause, since the others repeat addresses.
    fn from(error: reqwest::Error) -> Self {
        let mut innermost: &dyn std::error::Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self::Other(innermost.to_string())
    }
}

/// What is asked for.
#[derive(Clone)]
pub(crate) enum Question {
    /// What the file is.
    What(RemoteFile),
    /// The bytes from one place on up to the other, of the file at a commit.
    Bytes(RemoteFile, u64, u64),
}

/// A running exchange; dropped, it ends.
pub(crate) struct Transfer<'a> {
    settings: &'a Settings,
    what: String,
    events: Receiver<Event>,
    heard: bool,
    stop: Arc<Notify>,
}

impl<'a> Transfer<'a> {
    pub(crate) fn start(settings: &'a Settings, question: Question) -> Self {
        // A few pieces ahead of the disk are enough, and take little memory.
        let (sender, events) = mpsc::sync_channel(16);
        let stop = Arc::new(Notify::new());
        let (stopped, asked) = (Arc::clone(&stop), settings.clone());
        let (Question::What(file) | Question::Bytes(file, ..)) = &question;
        let what = format!("`{}` of {}", file.name, file.repository);
        thread::spawn(move || {
            let done = run(&asked, &question, &sender, &stopped);
            // Nobody listens any more where the transfer was given up.
            let _ = sender.send(Event::Done(done));
        });
        Self { settings, what, events, heard: false, stop }
    }

    /// The next that is heard; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Error> {
        let patience = if self.heard { self.settings.stall } else { self.settings.patience };
        let endpoint = self.settings.address().to_owned();
        match self.events.recv_timeout(patience) {
            Ok(Event::Done(Ok(()))) => Ok(None),
            Ok(Event::Done(Err(error))) => Err(self.fault(error)),
            Ok(event) => {
                self.heard = true;
                Ok(Some(event))
            }
            Err(RecvTimeoutError::Timeout) => Err(Error::Silent { endpoint, patience }),
            Err(RecvTimeoutError::Disconnected) => {
                let reason = "its client stopped without a word".to_owned();
                Err(Error::Hub { endpoint, reason })
            }
        }
    }

    fn fault(&self, fault: Fault) -> Error {
        let (endpoint, what) = (self.settings.address().to_owned(), self.what.clone());
        match fault {
            Fault::Missing => Error::Missing { endpoint, what },
            Fault::Forbidden => Error::Forbidden { endpoint, what },
            Fault::Other(reason) => Error::Hub { endpoint, reason },
        }
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

fn run(
    settings: &Settings,
    question: &Question,
    sender: &SyncSender<Event>,
    stop: &Notify,
) -> Outcome {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Fault::Other(error.to_string()))?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = ask(settings, question, sender) => result,
            () = stop.notified() => Ok(()),
        }
    });
    // A look-up of the address may hang; nobody waits for it.
    runtime.shutdown_background();
    result
}

async fn ask(settings: &Settings, question: &Question, sender: &SyncSender<Event>) -> Outcome {
    let (file, range) = match question {
        Question::What(file) => {
            let (known, commit) = head(settings, file).await?;
            let _ = sender.send(Event::Known(known, commit));
            return Ok(());
        }
        Question::Bytes(file, from, to) => (file, (*from, *to)),
    };
    let mut builder =
        HFClient::builder().endpoint(settings.address()).cache_enabled(false).retry_max_attempts(2);
    if let Some(token) = &settings.token {
        builder = builder.token(token.expose());
    }
    let client = builder.build()?;
    let repository = &file.repository;
    match repository.kind {
        Kind::Dataset => {
            let dataset = client.dataset(&repository.owner, &repository.name);
            Ok(bytes(dataset, file, range, sender).await?)
        }
        Kind::Model => {
            let model = client.model(&repository.owner, &repository.name);
            Ok(bytes(model, file, range, sender).await?)
        }
    }
}

async fn bytes<T: RepoType>(
    repository: HFRepository<T>,
    file: &RemoteFile,
    (from, to): (u64, u64),
    sender: &SyncSender<Event>,
) -> HFResult<()> {
    let request = repository.download_file_stream().filename(&file.name).revision(&file.revision);
    // Whole files are asked for without a range, which not every mirror knows.
    let range = (from > 0).then_some(from..to);
    let (_, mut pieces) = request.maybe_range(range).send().await?;
    while let Some(piece) = pieces.next().await {
        if sender.send(Event::Bytes(piece?.to_vec())).is_err() {
            break;
        }
    }
    Ok(())
}
