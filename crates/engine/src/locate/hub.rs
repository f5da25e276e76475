//! Fetching a model's files from the Hugging Face hub.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hf_hub::progress::{DownloadEvent, ProgressEvent, ProgressHandler};
use hf_hub::{HFClient, HFError};
use tokio::sync::Notify;

use super::cache::Cache;
use super::error::LocateError;
use super::{Found, HubSettings, Located, Progress};
use crate::models::HubFiles;

/// The hub's public address.
const PUBLIC: &str = "https://huggingface.co";

/// How long a download that has begun may stand still.
const STALL: Duration = Duration::from_secs(60);

/// Fetches all files of the model, checks them and puts them into the cache.
pub(super) fn fetch(
    cache: &Cache<'_>,
    settings: &HubSettings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Located, LocateError> {
    if settings.offline {
        return Err(LocateError::Offline);
    }
    let endpoint = settings.endpoint.clone().unwrap_or_else(|| PUBLIC.to_owned());
    let hub = cache.entry.hub;
    let folder = cache.unfinished()?;
    progress(Progress::Notice(format!(
        "fetching {} ({} MB) from {endpoint}",
        cache.entry.name,
        hub.bytes().div_ceil(1_000_000)
    )));
    let mut download = Download::start(settings, endpoint, hub, folder.path());
    download.follow(settings.patience, progress)?;
    cache.check_hub(folder.path())?;
    Cache::place(&folder.keep(), &cache.hub_folder())?;
    Ok(cache.hub(Found::Hub))
}

/// A download on a thread of its own, so that it can be followed, timed and given up.
struct Download {
    endpoint: String,
    total: u64,
    events: Receiver<Event>,
    stop: Arc<Notify>,
}

enum Event {
    /// Something was heard of the hub, with the bytes of all files so far.
    Bytes(u64),
    /// It is over.
    Done(Result<(), String>),
}

impl Download {
    fn start(settings: &HubSettings, endpoint: String, hub: HubFiles, folder: &Path) -> Self {
        let (sender, events) = mpsc::channel();
        let stop = Arc::new(Notify::new());
        let task = Task {
            endpoint: endpoint.clone(),
            token: settings.token.clone(),
            hub,
            folder: folder.to_owned(),
        };
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            let done = task.run(&sender, &stopped);
            // Nobody listens any more where the download was given up.
            let _ = sender.send(Event::Done(done));
        });
        Self { endpoint, total: hub.bytes(), events, stop }
    }

    /// Waits for the end, with `patience` until the first sign of the hub.
    fn follow(
        &mut self,
        patience: Duration,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), LocateError> {
        let mut patience = patience;
        loop {
            match self.events.recv_timeout(patience) {
                Ok(Event::Bytes(done)) if done <= self.total => {
                    patience = STALL;
                    progress(Progress::Bytes { done, total: self.total });
                }
                Ok(Event::Bytes(_)) => {
                    return Err(self.fault("it sends more than the files hold".to_owned()));
                }
                Ok(Event::Done(Ok(()))) => return Ok(()),
                Ok(Event::Done(Err(reason))) => return Err(self.fault(reason)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(LocateError::Silent { endpoint: self.endpoint.clone(), patience });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.fault("its client stopped without a word".to_owned()));
                }
            }
        }
    }

    fn fault(&self, reason: String) -> LocateError {
        LocateError::Hub { endpoint: self.endpoint.clone(), reason }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

/// What the thread works on.
struct Task {
    endpoint: String,
    token: Option<super::HubToken>,
    hub: HubFiles,
    folder: PathBuf,
}

impl Task {
    fn run(self, sender: &Sender<Event>, stop: &Notify) -> Result<(), String> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let result = runtime.block_on(async {
            tokio::select! {
                result = self.download(sender) => result.map_err(|error| reason(&error)),
                () = stop.notified() => Err("it was given up".to_owned()),
            }
        });
        // A look-up of the address may hang; nobody waits for it.
        runtime.shutdown_background();
        result
    }

    async fn download(&self, sender: &Sender<Event>) -> hf_hub::HFResult<()> {
        let mut builder =
            HFClient::builder().endpoint(&self.endpoint).cache_enabled(false).retry_max_attempts(2);
        if let Some(super::HubToken(token)) = &self.token {
            builder = builder.token(token);
        }
        let repository = builder.build()?.model(self.hub.owner, self.hub.repository);
        let mut before = 0;
        for file in self.hub.files {
            let request =
                repository.download_file().filename(file.name).revision(self.hub.revision);
            let heard = Heard { before, sender: sender.clone() };
            request.local_dir(&self.folder).progress(heard).send().await?;
            before += file.bytes;
        }
        Ok(())
    }
}

/// The client's error without the addresses that it repeats: of a request that failed, the innermost cause.
fn reason(error: &HFError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    if matches!(error, HFError::Request { .. }) {
        while let Some(source) = innermost.source() {
            innermost = source;
        }
    }
    innermost.to_string()
}

/// Passes the client's progress on.
struct Heard {
    /// The bytes of the files before this one.
    before: u64,
    sender: Sender<Event>,
}

impl ProgressHandler for Heard {
    fn on_progress(&self, event: &ProgressEvent) {
        let ProgressEvent::Download(event) = event else { return };
        let done = match event {
            DownloadEvent::Progress { files } => {
                files.iter().map(|file| file.bytes_completed).sum()
            }
            DownloadEvent::AggregateProgress { bytes_completed, .. } => *bytes_completed,
            DownloadEvent::Start { .. } => 0,
            DownloadEvent::Complete => return,
        };
        // Nobody listens any more where the download was given up.
        let _ = self.sender.send(Event::Bytes(self.before + done));
    }
}
