//! Work on several threads whose results come back in order.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, scope};

/// How many items travel together, so that the threads seldom wait for each other.
const BATCH: usize = 32;
/// How many batches each thread may be ahead of the results that were taken.
const AHEAD: usize = 3;

/// One thread's batches, and what became of them, in the same order.
type Lane<I, O> = (SyncSender<Vec<I>>, Receiver<Vec<O>>);

/// Calls `work` with each of `items` on `threads` threads, and `take` with each result on this one, in the items' order.
///
/// At most a few batches for each thread are held. Results do not depend on the number of threads.
///
/// # Errors
///
/// The first error of `take`, which ends it.
pub(crate) fn ordered<I: Send, O: Send, E>(
    threads: NonZero<usize>,
    mut items: impl Iterator<Item = I>,
    work: impl Fn(I) -> O + Sync,
    mut take: impl FnMut(O) -> Result<(), E>,
) -> Result<(), E> {
    scope(|scope| {
        let lanes: Vec<Lane<I, O>> = (0..threads.get()).map(|_| lane(scope, &work)).collect();
        let mut take_batch = |number: usize| {
            // Nothing comes from a thread that panicked, and the scope passes its panic on.
            let results = lanes[number % lanes.len()].1.recv().unwrap_or_default();
            results.into_iter().try_for_each(&mut take)
        };
        let mut sent = 0;
        let mut taken = 0;
        loop {
            let batch: Vec<I> = items.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            if sent - taken == lanes.len() * AHEAD {
                take_batch(taken)?;
                taken += 1;
            }
            if lanes[sent % lanes.len()].0.send(batch).is_err() {
                break;
            }
            sent += 1;
        }
        (taken..sent).try_for_each(&mut take_batch)
    })
}

fn lane<'scope, I: Send + 'scope, O: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: &'scope (impl Fn(I) -> O + Sync),
) -> Lane<I, O> {
    let (items, inbox) = sync_channel::<Vec<I>>(AHEAD);
    let (outbox, results) = sync_channel(AHEAD);
    scope.spawn(move || {
        for batch in inbox {
            if outbox.send(batch.into_iter().map(work).collect()).is_err() {
                break;
            }
        }
    });
    (items, results)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(threads: usize, items: u64, until: u64) -> (Vec<u64>, Result<(), u64>) {
        let mut taken = Vec::new();
        // Later items take less work, so that they would overtake earlier ones.
        let work =
            |item: u64| (0..(items - item) * 50).fold(item * 2, |sum, _| std::hint::black_box(sum));
        let ended = ordered(NonZero::new(threads).unwrap(), 0..items, work, |result| {
            taken.push(result);
            if result == until { Err(result) } else { Ok(()) }
        });
        (taken, ended)
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for threads in [1, 2, 7] {
            for items in [0, 1, 31, 32, 33, 1000] {
                let doubled: Vec<u64> = (0..items).map(|item| item * 2).collect();
                assert_eq!(
                    check(threads, items, u64::MAX),
                    (doubled, Ok(())),
                    "{threads}, {items}"
                );
            }
        }
    }

    #[test]
    fn an_error_ends_it_after_the_results_before() {
        for threads in [1, 3] {
            let (taken, ended) = check(threads, 1000, 600);
            assert_eq!((taken.len(), ended), (301, Err(600)));
        }
    }
}
