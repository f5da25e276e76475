//! Many questions against services on simulated time: limits, refusals, overload.

use std::sync::Mutex;

use tokio::time::{Instant, sleep};
use transport::{Allowance, Client, Endpoint, Provider, Refusal, Settings};
use wire::{ServiceError, Usage};

use super::*;

/// How a service gives back what was used of its limits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Refill {
    /// Bit by bit.
    Bucket,
    /// All at once, every minute.
    Window,
}

/// How a service counts tokens before it knows them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Count {
    /// As the request allows at most.
    Most,
    /// As they were used, once the answer is written.
    Used,
}

/// A service that enforces requests and tokens a minute.
#[derive(Clone, Copy, Debug)]
struct Limits {
    refill: Refill,
    count: Count,
    requests: f64,
    tokens: f64,
    latency_s: f64,
    retry_after: bool,
}

struct Limited {
    limits: Limits,
    begun: Instant,
    seen: Instant,
    window: u64,
    left: [f64; 2],
    refused: usize,
    /// When the last question was taken.
    taken: Instant,
    /// How many were taken in each minute.
    minutes: Vec<f64>,
}

const PROMPT: u64 = 100;
const MOST: u64 = 1500;

impl Limited {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let left = [limits.requests, limits.tokens];
        Self {
            limits,
            begun: now,
            seen: now,
            window: 0,
            left,
            refused: 0,
            taken: now,
            minutes: Vec::new(),
        }
    }

    fn refill(&mut self) {
        let (full, now) = ([self.limits.requests, self.limits.tokens], Instant::now());
        let window = (now - self.begun).as_secs() / 60;
        match self.limits.refill {
            Refill::Window if window > self.window => self.left = full,
            Refill::Window => {}
            Refill::Bucket => {
                let minutes = (now - self.seen).as_secs_f64() / 60.0;
                for (left, full) in self.left.iter_mut().zip(full) {
                    *left = (*left + full * minutes).min(full);
                }
            }
        }
        (self.seen, self.window) = (now, window);
    }

    fn reset(&self, full: f64, left: f64) -> Duration {
        Duration::from_secs_f64(match self.limits.refill {
            Refill::Bucket => (full - left).max(0.0) / full * 60.0,
            Refill::Window => 60.0 - (Instant::now() - self.begun).as_secs_f64() % 60.0,
        })
    }

    fn told(&self) -> RateLimits {
        let allowance = |full: f64, left: f64| Allowance {
            limit: Some(whole(full)),
            remaining: Some(whole(left.max(0.0))),
            reset: Some(self.reset(full, left)),
        };
        RateLimits {
            requests: allowance(self.limits.requests, self.left[0]),
            tokens: allowance(self.limits.tokens, self.left[1]),
        }
    }

    /// Takes a question of these tokens, or says how long to wait.
    fn admit(&mut self, tokens: f64) -> Result<RateLimits, Box<Refusal>> {
        self.refill();
        let missing = [1.0 - self.left[0], tokens - self.left[1]];
        if missing.iter().all(|missing| *missing <= 0.0) {
            self.left = [self.left[0] - 1.0, self.left[1] - tokens];
            self.taken = Instant::now();
            let minute =
                usize::try_from((self.taken - self.begun).as_secs() / 60).unwrap_or_default();
            self.minutes.resize(self.minutes.len().max(minute + 1), 0.0);
            self.minutes[minute] += 1.0;
            return Ok(self.told());
        }
        self.refused += 1;
        let full = [self.limits.requests, self.limits.tokens];
        let wait = match self.limits.refill {
            Refill::Window => self.reset(1.0, 0.0).as_secs_f64(),
            Refill::Bucket => (0..2).map(|i| missing[i] / full[i] * 60.0).fold(0.0, f64::max),
        };
        let retry_after = self.limits.retry_after.then(|| Duration::from_secs_f64(wait.max(0.001)));
        Err(Box::new(refusal(429, retry_after, self.told())))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn whole(number: f64) -> u64 {
    number as u64
}

fn refusal(status: u16, retry_after: Option<Duration>, limits: RateLimits) -> Refusal {
    let error = ServiceError::default();
    Refusal { status, error, request_id: None, attempts: 1, retry_after, limits }
}

/// An answer whose length depends on how many there were before it, around 300 tokens.
fn completion(number: u64) -> ChatCompletion {
    let tokens = 200 + (number * 7919) % 201;
    let body = serde_json::json!({"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": PROMPT, "completion_tokens": tokens}});
    serde_json::from_value(body).unwrap()
}

fn limited(limited: &Arc<Mutex<Limited>>) -> Service {
    let number = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let limited = Arc::clone(limited);
    Arc::new(move |_| {
        let (limited, number) = (Arc::clone(&limited), Arc::clone(&number));
        Box::pin(async move {
            sleep(Duration::from_millis(40)).await;
            let completion = completion(number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let used = completion.usage.as_ref().map_or(0, |usage| usage.completion_tokens);
            let Limits { count, latency_s, .. } = limited.lock().unwrap().limits;
            let before = if count == Count::Most { PROMPT + MOST } else { PROMPT };
            let mut told =
                limited.lock().unwrap().admit(before as f64).map_err(transport::Error::Refused)?;
            sleep(Duration::from_secs_f64(latency_s * used as f64 / 300.0)).await;
            if count == Count::Used {
                let mut limited = limited.lock().unwrap();
                limited.refill();
                limited.left[1] -= used as f64;
                told = limited.told();
            }
            Ok((completion, told))
        })
    })
}

fn assistant() -> Assistant {
    let endpoint = Endpoint::new(Provider::OpenAi, "http://127.0.0.1:9/v1", None).unwrap();
    let mut assistant =
        Assistant::new(Client::new(endpoint, Settings::default()).unwrap(), "ft:tiny");
    assistant.system_prompt = None;
    assistant.sampling.max_tokens = Some(MOST);
    assistant
}

fn many(count: usize, service: Service) -> AskMany {
    let questions = vec![Question::new("x".repeat(400)); count];
    AskMany::new(&assistant(), questions, &ManyOptions::default(), service)
}

/// Asks for these minutes' worth and one more, and says which part of the limit was used, what failed, what was refused.
async fn share_of(limits: Limits, minutes: f64) -> (f64, usize, f64) {
    let a_question = match limits.count {
        Count::Most => (PROMPT + MOST) as f64,
        Count::Used => PROMPT as f64 + 300.0,
    };
    let a_minute = limits.requests.min(limits.tokens / a_question);
    let service = Arc::new(Mutex::new(Limited::new(limits)));
    let begun = Instant::now();
    let many = many(usize::try_from(whole(a_minute * (minutes + 1.0))).unwrap(), limited(&service));
    let outcomes = many.whole().await;
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    let service = service.lock().unwrap();
    let share = match limits.refill {
        // A full bucket gives a minute's worth at once.
        Refill::Bucket => {
            let minutes = (service.taken - begun).as_secs_f64() / 60.0;
            outcomes.len() as f64 / (a_minute * (1.0 + minutes))
        }
        // The last minute need not be full.
        Refill::Window => {
            let whole = &service.minutes[..service.minutes.len() - 1];
            whole.iter().sum::<f64>() / (a_minute.floor() * whole.len() as f64)
        }
    };
    (share, failed, service.refused as f64 / outcomes.len() as f64)
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_used_to_95_percent_without_a_failed_question() {
    for refill in [Refill::Bucket, Refill::Window] {
        for count in [Count::Most, Count::Used] {
            for [requests, tokens, latency_s] in
                [[300.0, 1e7, 6.0], [3000.0, 120_000.0, 6.0], [500.0, 2e5, 2.0], [60.0, 1e6, 20.0]]
            {
                for retry_after in [true, false] {
                    let limits = Limits { refill, count, requests, tokens, latency_s, retry_after };
                    let (share, failed, refused) = share_of(limits, 10.0).await;
                    assert_eq!(failed, 0, "{limits:?}");
                    assert!(share >= 0.95, "{share} of {limits:?}");
                    assert!(refused <= 0.02, "{refused} refused of {limits:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_run_does_not_wait_for_a_full_bucket() {
    let limits = Limits {
        refill: Refill::Bucket,
        count: Count::Most,
        requests: 600.0,
        tokens: 200_000.0,
        latency_s: 4.0,
        retry_after: true,
    };
    let (share, failed, _) = share_of(limits, 3.0).await;
    assert!(failed == 0 && share >= 0.95, "{share} of {limits:?}");
}

/// A service that answers the question of each number as `reply` says.
fn service(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Service {
    let number = std::sync::atomic::AtomicUsize::new(0);
    Arc::new(move |_| {
        let reply = reply(number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        Box::pin(async move {
            sleep(Duration::from_secs(1)).await;
            reply
        })
    })
}

fn refused(status: u16) -> Reply {
    Err(transport::Error::Refused(Box::new(refusal(status, None, RateLimits::default()))))
}

fn answered() -> (ChatCompletion, RateLimits) {
    (completion(0), RateLimits::default())
}

#[tokio::test(start_paused = true)]
async fn what_the_service_fails_at_is_asked_again_and_a_bad_question_fails_alone() {
    let service = service(|number| match number % 10 {
        3 => refused(503),
        5 => Err(transport::Error::Cut),
        7 => refused(429),
        _ if number == 8 => refused(400),
        _ => Ok(answered()),
    });
    let mut many = many(50, service);
    let mut failed = Vec::new();
    while let Some(outcome) = many.next().await {
        failed.extend(outcome.result.err().map(|error| error.to_string()));
    }
    assert_eq!(failed, ["model `ft:tiny` did not answer"]);
    assert_eq!((many.tally().answered, many.tally().failed), (49, 1));
    assert!(many.tally().told_to_wait > 0);
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_every_question_ends_the_asking() {
    for status in [401, 403, 404] {
        let outcomes = many(100, service(move |_| refused(status))).whole().await;
        assert!(outcomes.len() <= 16, "{}", outcomes.len());
        let concerns_all =
            |outcome: &Outcome| outcome.result.as_ref().is_err_and(Error::concerns_all);
        assert!(outcomes.iter().all(concerns_all));
    }
    let begun = Instant::now();
    let outcomes = many(100, service(|_| refused(500))).whole().await;
    assert!(outcomes.len() < 20, "a service that is down is given up");
    assert!(begun.elapsed() < Duration::from_secs(60 * 60), "{:?}", begun.elapsed());
    let outcomes = many(100, service(|_| refused(429))).whole().await;
    assert!(outcomes.len() < 20, "so is one that only tells to wait");
}

#[tokio::test(start_paused = true)]
async fn a_new_model_is_waited_for_and_a_stop_leaves_the_open_ones() {
    let service = service(|number| if number < 8 { refused(404) } else { Ok(answered()) });
    let mut patient = assistant();
    patient.patience = crate::Patience::up_to(Duration::from_secs(60));
    let questions = vec![Question::new("Why?"); 20];
    let mut many = AskMany::new(&patient, questions, &ManyOptions::default(), service);
    assert!(many.next().await.is_some_and(|outcome| outcome.result.is_ok()));
    many.stop();
    let open = many.open();
    let mut rest = 0;
    while let Some(outcome) = many.next().await {
        rest += usize::from(outcome.result.is_ok());
    }
    assert_eq!((rest, many.tally().answered), (open, open + 1));
    assert!(open > 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_loses_no_answer() {
    let mut many = many(30, service(|_| Ok(answered())));
    let mut seen = std::collections::BTreeSet::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(300), many.next()).await {
            Ok(Some(outcome)) => assert!(seen.insert(outcome.index), "{outcome:?}"),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert_eq!(seen.len(), 30);
    let usage = Usage::new(PROMPT * 30, 200 * 30);
    assert_eq!(many.tally().prompt_tokens, usage.prompt_tokens);
    assert_eq!(many.tally().completion_tokens, usage.completion_tokens);
}
