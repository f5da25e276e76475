//! The queue for answers: a few at once, a bounded number waiting, everyone else told to come back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::Fault;

/// How long a client is told to wait; an answer of some hundred tokens takes about that.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Turns for answers.
#[derive(Debug)]
pub(crate) struct Queue {
    turns: Arc<Semaphore>,
    places: usize,
    inside: AtomicUsize,
    answering: (Mutex<usize>, Condvar),
}

/// The right to use the model, until dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Arc<Queue>,
    _place: Place,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Place(Arc<Queue>);

impl Queue {
    pub(crate) fn new(at_once: usize, waiting: usize) -> Self {
        let at_once = at_once.max(1);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            places: at_once.saturating_add(waiting),
            inside: AtomicUsize::new(0),
            answering: (Mutex::new(0), Condvar::new()),
        }
    }

    /// Waits for a turn, first come first served.
    pub(crate) async fn turn(self: &Arc<Self>) -> Result<Turn, Fault> {
        if self.inside.fetch_add(1, Ordering::AcqRel) >= self.places {
            self.inside.fetch_sub(1, Ordering::AcqRel);
            return Err(Fault::busy(RETRY_AFTER_SECONDS));
        }
        let place = Place(Arc::clone(self));
        let permit = Arc::clone(&self.turns).acquire_owned().await;
        let permit = permit.map_err(|_| Fault::stopping())?;
        self.change_answering(|count| count + 1);
        Ok(Turn { queue: Arc::clone(self), _place: place, _permit: permit })
    }

    /// Turns away everyone who waits, and all who come later.
    pub(crate) fn close(&self) {
        self.turns.close();
    }

    /// Waits until nobody is being answered, but no longer than `at_most`.
    pub(crate) fn wait_until_idle(&self, at_most: Duration) {
        let count = self.answering.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it ended by time or by silence makes no difference to the one who waits.
        drop(self.answering.1.wait_timeout_while(count, at_most, |count| *count > 0));
    }

    fn change_answering(&self, change: impl FnOnce(usize) -> usize) {
        let mut count = self.answering.0.lock().unwrap_or_else(PoisonError::into_inner);
        *count = change(*count);
        self.answering.1.notify_all();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.change_answering(|count| count - 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_a_dropped_turn_frees_its_place() {
        let queue = Arc::new(Queue::new(1, 1));
        let first = queue.turn().await.unwrap();
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.turn().await }
        });
        while queue.inside.load(Ordering::Acquire) < 2 {
            tokio::task::yield_now().await;
        }
        let refused = queue.turn().await.unwrap_err();
        assert_eq!(refused.body()["error"]["code"], "rate_limit_exceeded");
        drop(first);
        let second = waiting.await.unwrap().unwrap();
        drop(second);
        assert_eq!(queue.inside.load(Ordering::Acquire), 0);
        queue.wait_until_idle(Duration::from_secs(60));
    }

    #[tokio::test]
    async fn one_who_gives_up_waiting_leaves_no_trace() {
        let queue = Arc::new(Queue::new(1, 1));
        let first = queue.turn().await.unwrap();
        let mut waiting = Box::pin(queue.turn());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(waiting);
        assert_eq!(queue.inside.load(Ordering::Acquire), 1);
        drop(first);
        queue.close();
        assert!(queue.turn().await.is_err());
    }
}
