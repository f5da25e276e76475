//! What all requests and the jobs share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::clock::Clock;
use crate::desk::Desks;
use crate::folder::Folder;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::report::Reports;
use crate::shelf::Shelf;
use crate::store::Store;
use crate::{Error, Limits, Options, Token, Training, sweep};

/// The server's parts.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) folder: Folder,
    pub(crate) store: Arc<Store>,
    pub(crate) shelf: Shelf,
    pub(crate) queue: Arc<Queue>,
    pub(crate) desks: Desks,
    pub(crate) token: Option<Token>,
    pub(crate) limits: Limits,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) trainer: Training,
    pub(crate) metrics: Metrics,
    pub(crate) reports: Reports,
    pub(crate) clock: Clock,
    /// When the base models came on offer, as far as their `created` goes.
    pub(crate) started_at: i64,
    stopping: AtomicBool,
    news: (Mutex<()>, Condvar),
}

impl State {
    pub(crate) fn open(options: Options) -> Result<Arc<Self>, Error> {
        let folder = Folder::open(&options.data_dir)?;
        let path = folder.database();
        let store = Store::open(&path).map_err(|source| Error::Database { path, source })?;
        sweep::strays(&folder, &store)?;
        let metrics = Metrics::new();
        let desks =
            Desks::new(metrics.answering.clone()).map_err(|source| Error::Thread { source })?;
        Ok(Arc::new(Self {
            desks,
            folder,
            store: Arc::new(store),
            shelf: Shelf::new(options.base_models),
            queue: Arc::new(Queue::new(
                options.limits.answers_at_once,
                options.limits.answers_waiting,
            )),
            token: options.token,
            limits: options.limits,
            allowed_origins: options.allowed_origins,
            trainer: options.training,
            metrics,
            reports: Reports::default(),
            started_at: options.clock.now(),
            clock: options.clock,
            stopping: AtomicBool::new(false),
            news: (Mutex::new(()), Condvar::new()),
        }))
    }

    /// Whether the server is on its way down; jobs then stop as soon as they can.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Tells jobs to stop, and turns away who waits for an answer.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.queue.close();
        self.tell();
    }

    /// Tells answers under way to stop.
    pub(crate) fn hush(&self) {
        self.desks.hush();
    }

    /// Wakes whoever [waits](Self::wait_for_news): a job came, or the server stops.
    pub(crate) fn tell(&self) {
        // Taking the lock first means that nobody is between looking for work and falling asleep.
        drop(self.news.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.1.notify_all();
    }

    /// Looks for work with `look`, and sleeps until there is some; `None` once the server stops.
    pub(crate) fn wait_for_news<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let mut guard = self.news.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_stopping() {
                return None;
            }
            if let Some(found) = look() {
                return Some(found);
            }
            guard = self.news.1.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
