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
    at_once: usize,
    places: usize,
    inside: AtomicUsize,
    waiting: AtomicUsize,
    answering: (Mutex<usize>, Condvar),
}

/// The right to wait for turns, until dropped; one for each request.
#[derive(Debug)]
pub(crate) struct Place(Arc<Queue>);

/// The right to have the answers to one prompt generated, until dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    place: Arc<Place>,
    _permits: OwnedSemaphorePermit,
}

impl Queue {
    /// At most `at_once` answers are generated at the same time, and `waiting` requests may wait.
    pub(crate) fn new(at_once: usize, waiting: usize) -> Self {
        let at_once = at_once.max(1);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            at_once,
            places: at_once.saturating_add(waiting),
            inside: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            answering: (Mutex::new(0), Condvar::new()),
        }
    }

    /// A place in the queue, where there is one.
    pub(crate) fn place(self: &Arc<Self>) -> Result<Arc<Place>, Fault> {
        if self.inside.fetch_add(1, Ordering::AcqRel) >= self.places {
            self.inside.fetch_sub(1, Ordering::AcqRel);
            return Err(Fault::busy(RETRY_AFTER_SECONDS));
        }
        Ok(Arc::new(Place(Arc::clone(self))))
    }

    /// Answers that are being generated.
    pub(crate) fn running(&self) -> usize {
        self.at_once.saturating_sub(self.turns.available_permits())
    }

    /// Prompts that wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
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

impl Place {
    /// Waits for a turn for `answers` answers, first come first served.
    pub(crate) async fn turn(self: &Arc<Self>, answers: usize) -> Result<Turn, Fault> {
        let count = answers.clamp(1, self.0.at_once);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let waiting = Waiting::new(&self.0.waiting);
        let permits = Arc::clone(&self.0.turns).acquire_many_owned(count).await;
        drop(waiting);
        let permits = permits.map_err(|_| Fault::stopping())?;
        self.0.change_answering(|count| count + 1);
        Ok(Turn { place: Arc::clone(self), _permits: permits })
    }
}

/// One who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.place.0.change_answering(|count| count - 1);
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
        let first = queue.place().unwrap().turn(1).await.unwrap();
        let waiting = tokio::spawn({
            let place = queue.place().unwrap();
            async move { place.turn(1).await }
        });
        while queue.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(queue.running(), 1);
        let refused = queue.place().unwrap_err();
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
        let first = queue.place().unwrap().turn(1).await.unwrap();
        let place = queue.place().unwrap();
        let mut waiting = Box::pin(async move { place.turn(1).await });
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(queue.waiting(), 1);
        drop(waiting);
        assert_eq!(queue.waiting(), 0);
        assert_eq!(queue.inside.load(Ordering::Acquire), 1);
        drop(first);
        queue.close();
        assert!(queue.place().unwrap().turn(1).await.is_err());
    }

    #[tokio::test]
    async fn several_answers_take_several_turns_and_never_more_than_there_are() {
        let queue = Arc::new(Queue::new(3, 1));
        let two = queue.place().unwrap().turn(2).await.unwrap();
        let place = queue.place().unwrap();
        let mut all = Box::pin(place.turn(9));
        assert!(futures_util::poll!(&mut all).is_pending());
        drop(two);
        assert!(futures_util::poll!(&mut all).is_ready());
    }
}
