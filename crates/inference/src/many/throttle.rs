//! One service's pace, shared by everybody who asks it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use transport::Client;
use wire::{ChatCompletion, ChatRequest};

use super::pace::{Admission, Pace, Sequence};
use super::{ATTEMPTS, LONGEST_DROUGHT, ManyOptions};
use crate::clock::Clock;

/// A service that is asked from many places at once, together no faster than it takes.
///
/// It follows the same rules as [`AskMany`](super::AskMany): what the service's headers say is left of its limits, its
/// refusals for now (429, with or without `Retry-After`) and its overload. It is for whoever builds requests and reads
/// answers itself; clones share the pace.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{ManyOptions, Throttle};
/// use wire::{ChatMessage, ChatRequest, Role};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes."]).await?;
/// let throttle = Throttle::new(client, &ManyOptions::default());
/// let request = ChatRequest::new("ft:tiny", vec![ChatMessage::new(Role::User, "Is a fever common?")]);
/// assert_eq!(throttle.chat(&request).await?.choices.len(), 1);
/// assert!(throttle.client().endpoint().is_loopback());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    clock: Clock,
    state: Mutex<State>,
    /// Wakes who waits for an answer of somebody else.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    answered_at: Duration,
}

/// How often and since when one request was tried.
struct Tried {
    attempts: u32,
    begun: Duration,
}

/// A request that was sent; if it is given up, it is open no more.
struct Open<'a> {
    throttle: &'a Throttle,
    sequence: Sequence,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.throttle.state().pace.forget(self.sequence);
        self.throttle.shared.changed.notify_waiters();
    }
}

impl Throttle {
    /// Asks through `client`, as many at once as `options` allow.
    pub fn new(client: Client, options: &ManyOptions) -> Self {
        let clock = options.clock.clone();
        let state = State { pace: Pace::new(options.at_once.max(1)), answered_at: clock.now() };
        let (state, changed) = (Mutex::new(state), Notify::new());
        Self { shared: Arc::new(Shared { client, clock, state, changed }) }
    }

    /// The client that it asks through; what is asked of it directly is not counted.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The answer to `request`, sent when the service may take it and again where that may help.
    ///
    /// To drop the call gives the request up.
    ///
    /// # Errors
    ///
    /// See [`transport::Error`]: where the service refuses for good, has told to wait for a quarter of an hour without
    /// answering anything, or has failed five times.
    pub async fn chat(&self, request: &ChatRequest) -> Result<ChatCompletion, transport::Error> {
        let mut tried = Tried { attempts: 0, begun: self.shared.clock.now() };
        loop {
            let open = Open { throttle: self, sequence: self.admitted(request).await };
            let error = match self.shared.client.chat_once(request).await {
                Ok((completion, limits)) => {
                    let now = self.shared.clock.now();
                    let mut state = self.state();
                    let seen = (completion.usage.as_ref(), &limits);
                    state.pace.answered(open.sequence, request, seen, now);
                    state.answered_at = now;
                    drop(state);
                    return Ok(completion);
                }
                Err(error) => error,
            };
            if !self.may_ask_again(&open, &error, &mut tried) {
                return Err(error);
            }
        }
    }

    /// Waits until `request` may be sent, and notes that it is.
    async fn admitted(&self, request: &ChatRequest) -> Sequence {
        loop {
            let changed = self.shared.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on no wake-up is missed.
            changed.as_mut().enable();
            let pause = {
                let (mut state, now) = (self.state(), self.shared.clock.now());
                match state.pace.admits(request, now) {
                    Admission::Now => return state.pace.sent(request, now),
                    Admission::At(time) => Some(time.saturating_sub(now)),
                    Admission::AfterAnswer => None,
                }
            };
            match pause {
                None => changed.await,
                Some(pause) => tokio::select! {
                    () = changed => {}
                    () = self.shared.client.settings().sleeper.sleep(pause) => {}
                },
            }
        }
    }

    /// Notes a failure, and says whether the same request may be answered later.
    fn may_ask_again(&self, open: &Open<'_>, error: &transport::Error, tried: &mut Tried) -> bool {
        let (mut state, now) = (self.state(), self.shared.clock.now());
        match error.refusal() {
            Some(refusal) if error.is_transient() => {
                state.pace.refused(open.sequence, refusal, now);
            }
            Some(refusal) => state.pace.rejected(open.sequence, &refusal.limits, now),
            None => state.pace.failed(open.sequence, now),
        }
        if error.status() == Some(429) && error.is_transient() {
            // A service that was not asked for long has not been silent for long.
            return now.saturating_sub(state.answered_at.max(tried.begun)) < LONGEST_DROUGHT;
        }
        tried.attempts += 1;
        error.is_transient() && tried.attempts < ATTEMPTS
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
