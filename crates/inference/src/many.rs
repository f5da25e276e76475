//! Asking many questions at once, as fast as the service takes them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;
use transport::{RateLimits, Sleeper};
use wire::{ChatCompletion, ChatRequest};

use crate::answer::Answer;
use crate::assistant::Assistant;
use crate::clock::Clock;
use crate::error::Error;
use crate::question::Question;

mod pace;
mod throttle;
#[cfg(test)]
mod tests;

pub use throttle::Throttle;

use pace::{Admission, Pace, Sequence};

/// How often a question is asked that the service fails to answer; to be told to wait does not count.
const ATTEMPTS: u32 = 5;
/// How long the service may tell to wait without answering anything in between.
const LONGEST_DROUGHT: Duration = Duration::from_secs(15 * 60);
/// So many questions that fail one after the other are not the questions' fault.
const FAILURES_IN_A_ROW: u32 = 8;

/// How many questions are asked.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use inference::{Clock, ManyOptions};
///
/// assert_eq!(ManyOptions::default().at_once, 64);
/// let options = ManyOptions { at_once: 4, clock: Clock::new(|| Duration::ZERO) };
/// assert_eq!(options.clock.now(), Duration::ZERO);
/// ```
#[derive(Clone, Debug)]
pub struct ManyOptions {
    /// The most questions that are open at the same time; fewer are where the service is slow or says so.
    pub at_once: usize,
    /// What time it is; waits are those of the assistant's client.
    pub clock: Clock,
}

impl Default for ManyOptions {
    fn default() -> Self {
        Self { at_once: 64, clock: Clock::default() }
    }
}

/// What came of one question of many.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, ManyOptions, Question};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([]).await?;
/// let questions = vec![Question::new("Is a fever common?")];
/// let outcomes = Assistant::new(client, "ft:gone").ask_many(questions, &ManyOptions::default()).whole().await;
/// let [outcome] = outcomes.as_slice() else { panic!("one question has one outcome") };
/// assert_eq!(outcome.index, 0);
/// assert!(outcome.result.as_ref().is_err_and(|error| error.is_unknown_model()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The question's place among those that were asked.
    pub index: usize,
    /// Its answer.
    pub result: Result<Answer, Error>,
}

/// What was done so far.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, ManyOptions, Question, Tally};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes.", "Yes."]).await?;
/// let questions = ["Is a fever common?", "Is a cough?"].map(Question::new).to_vec();
/// let mut many = Assistant::new(client, "ft:tiny").ask_many(questions, &ManyOptions::default());
/// assert_eq!(many.tally(), Tally::default());
/// while let Some(outcome) = many.next().await {
///     outcome.result?;
/// }
/// let tally = many.tally();
/// assert_eq!((tally.answered, tally.failed, tally.completion_tokens), (2, 0, 10));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Questions that were answered.
    pub answered: usize,
    /// Questions that were not.
    pub failed: usize,
    /// How often the service told to wait.
    pub told_to_wait: usize,
    /// Tokens that were read, as far as the service tells.
    pub prompt_tokens: u64,
    /// Tokens that were written, as far as the service tells.
    pub completion_tokens: u64,
}

type Reply = Result<(ChatCompletion, RateLimits), transport::Error>;
type Service = Arc<dyn Fn(ChatRequest) -> BoxFuture<'static, Reply> + Send + Sync>;

/// Many questions that are being asked; see [`Assistant::ask_many`].
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, ManyOptions, Question};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes.", "Yes.", "Rarely."]).await?;
/// let questions = ["Is a fever common?", "Is a cough?", "Is a rash?"].map(Question::new).to_vec();
/// let one_by_one = ManyOptions { at_once: 1, ..ManyOptions::default() };
/// let assistant = Assistant::new(client, "ft:tiny");
/// let mut many = assistant.ask_many(questions.clone(), &one_by_one);
/// let first = many.next().await.ok_or("three were asked")?;
/// assert_eq!((first.index, first.result?.response.as_str()), (0, "Yes."));
/// many.stop(); // as on Ctrl-C: nothing more is sent
/// assert_eq!((many.open(), many.tally().answered), (0, 1));
/// assert!(many.next().await.is_none());
///
/// let rest = assistant.ask_many(questions[1..].to_vec(), &ManyOptions::default()).whole().await;
/// assert_eq!(rest.iter().map(|outcome| outcome.index).collect::<Vec<_>>(), [0, 1], "in order");
/// # Ok(())
/// # }
/// ```
pub struct AskMany {
    assistant: Assistant,
    service: Service,
    clock: Clock,
    sleeper: Sleeper,
    pace: Pace,
    waiting: VecDeque<Waiting>,
    open: FuturesUnordered<BoxFuture<'static, Arrived>>,
    tally: Tally,
    begun: Duration,
    answered_at: Duration,
    failures_in_a_row: u32,
}

#[derive(Debug)]
struct Waiting {
    index: usize,
    question: Question,
    attempts: u32,
}

struct Arrived {
    waiting: Waiting,
    sequence: Sequence,
    request: ChatRequest,
    reply: Reply,
}

impl fmt::Debug for AskMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskMany")
            .field("waiting", &self.waiting.len())
            .field("open", &self.open.len())
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

impl Assistant {
    /// Asks many questions, several at once, and hands the answers out as they arrive.
    ///
    /// How many are open at once and how fast they are sent follows the service: what its headers say is left of its
    /// limits, its refusals for now (429) and its overload. A question is asked again where the service fails; one that
    /// it refuses for good is that question's failure, and one that would fail every other question too, such as a wrong
    /// key, ends the asking.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::{Assistant, ManyOptions, Question};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["Yes.", "Yes."]).await?;
    /// let questions = ["Is a fever common?", "Is a cough?"].map(Question::new).to_vec();
    /// let mut many = Assistant::new(client, "ft:tiny").ask_many(questions, &ManyOptions::default());
    /// while let Some(outcome) = many.next().await {
    ///     println!("{}: {}", outcome.index, outcome.result?.response);
    /// }
    /// assert_eq!(many.tally().answered, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ask_many(&self, questions: Vec<Question>, options: &ManyOptions) -> AskMany {
        let client = self.client.clone();
        let service: Service = Arc::new(move |request| {
            let client = client.clone();
            Box::pin(async move { client.chat_once(&request).await })
        });
        AskMany::new(self, questions, options, service)
    }
}

impl AskMany {
    fn new(
        assistant: &Assistant,
        questions: Vec<Question>,
        options: &ManyOptions,
        service: Service,
    ) -> Self {
        let begun = options.clock.now();
        let waiting = questions
            .into_iter()
            .enumerate()
            .map(|(index, question)| Waiting { index, question, attempts: 0 })
            .collect();
        Self {
            assistant: assistant.clone(),
            service,
            clock: options.clock.clone(),
            sleeper: assistant.client.settings().sleeper.clone(),
            pace: Pace::new(options.at_once.max(1)),
            waiting,
            open: FuturesUnordered::new(),
            tally: Tally::default(),
            begun,
            answered_at: begun,
            failures_in_a_row: 0,
        }
    }

    /// What came of the next question that is done with, in no order; none after the last.
    ///
    /// To drop the call loses no answer: the next call goes on.
    pub async fn next(&mut self) -> Option<Outcome> {
        loop {
            let pause = self.send();
            let arrived = match (pause, self.open.is_empty()) {
                (None, true) => return None,
                (None, false) => self.open.next().await,
                (Some(pause), true) => {
                    self.sleeper.sleep(pause).await;
                    None
                }
                (Some(pause), false) => {
                    let sleep = std::pin::pin!(self.sleeper.sleep(pause));
                    match select(self.open.next(), sleep).await {
                        Either::Left((arrived, _)) => arrived,
                        Either::Right(_) => None,
                    }
                }
            };
            if let Some(outcome) = arrived.and_then(|arrived| self.take(arrived)) {
                return Some(outcome);
            }
        }
    }

    /// Waits for all answers, in the order of the questions; those that were not asked after the end are left out.
    pub async fn whole(mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(outcome) = self.next().await {
            outcomes.push(outcome);
        }
        outcomes.sort_unstable_by_key(|outcome| outcome.index);
        outcomes
    }

    /// Asks no more; what is open is still answered.
    pub fn stop(&mut self) {
        self.waiting.clear();
    }

    /// How many questions are asked and not yet answered.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Sends what may be sent, and says how long to wait before more may be.
    fn send(&mut self) -> Option<Duration> {
        while let Some(next) = self.waiting.front() {
            let now = self.clock.now();
            let request = self.assistant.request(next.question.messages.clone());
            match self.pace.admits(&request, now) {
                Admission::AfterAnswer => return None,
                Admission::At(time) => return Some(time.saturating_sub(now)),
                Admission::Now => {}
            }
            let Some(waiting) = self.waiting.pop_front() else { break };
            let (sequence, service) = (self.pace.sent(&request, now), Arc::clone(&self.service));
            self.open.push(Box::pin(async move {
                let reply = service(request.clone()).await;
                Arrived { waiting, sequence, request, reply }
            }));
        }
        None
    }

    fn take(&mut self, arrived: Arrived) -> Option<Outcome> {
        let Arrived { waiting, sequence, request, reply } = arrived;
        let now = self.clock.now();
        match reply {
            Ok((completion, limits)) => {
                let seen = (completion.usage.as_ref(), &limits);
                self.pace.answered(sequence, &request, seen, now);
                self.answered_at = now;
                Some(self.answered(waiting.index, completion))
            }
            Err(error) => self.unanswered(waiting, sequence, error, now),
        }
    }

    fn answered(&mut self, index: usize, completion: ChatCompletion) -> Outcome {
        if let Some(usage) = &completion.usage {
            self.tally.prompt_tokens += usage.prompt_tokens;
            self.tally.completion_tokens += usage.completion_tokens;
        }
        let Assistant { model, template, .. } = &self.assistant;
        match Answer::of(completion, model, template) {
            Some(answer) => {
                self.tally.answered += 1;
                self.failures_in_a_row = 0;
                Outcome { index, result: Ok(answer) }
            }
            None => self.failed(index, Error::NoChoice { model: model.clone() }),
        }
    }

    /// Asks again where that may help, else the question has failed.
    fn unanswered(
        &mut self,
        mut waiting: Waiting,
        sequence: Sequence,
        source: transport::Error,
        now: Duration,
    ) -> Option<Outcome> {
        match source.refusal() {
            Some(refusal) if source.is_transient() => self.pace.refused(sequence, refusal, now),
            Some(refusal) => self.pace.rejected(sequence, &refusal.limits, now),
            None => self.pace.failed(sequence, now),
        }
        let index = waiting.index;
        let again = if source.status() == Some(429) && source.is_transient() {
            self.tally.told_to_wait += 1;
            now.saturating_sub(self.answered_at) < LONGEST_DROUGHT
        } else if crate::error::is_unknown_model(&source) && self.tally.answered == 0 {
            self.pace.hold(now);
            now.saturating_sub(self.begun) < self.assistant.patience.bound
        } else {
            waiting.attempts += 1;
            source.is_transient() && waiting.attempts < ATTEMPTS
        };
        if again {
            self.waiting.push_front(waiting);
            return None;
        }
        let model = self.assistant.model.clone();
        Some(self.failed(index, Error::Service { model, source }))
    }

    fn failed(&mut self, index: usize, error: Error) -> Outcome {
        self.tally.failed += 1;
        let is_transient = matches!(&error, Error::Service { source, .. } if source.is_transient());
        self.failures_in_a_row = if is_transient { self.failures_in_a_row + 1 } else { 0 };
        if error.concerns_all() || self.failures_in_a_row >= FAILURES_IN_A_ROW {
            self.stop();
        }
        Outcome { index, result: Err(error) }
    }
}
