//! When the next question may be sent: as many at once and as fast as the service takes them.
//!
//! Two rules together. The window bounds how many questions are open at once: it grows with every answer and shrinks
//! where the service is overloaded. A gauge for requests and one for tokens follow what the service says is left of its
//! limits: the newest question that was answered tells how much was left when it was taken, what was sent after it is
//! taken off, and what comes back with time is added.

use std::collections::BTreeMap;
use std::time::Duration;

use transport::{Allowance, RateLimits, Refusal};
use wire::{ChatRequest, Usage};

/// How many questions are open at first.
const FIRST_WINDOW: f64 = 16.0;
/// Limits are told a minute; a limit that comes back more slowly says so in its reset.
const PERIOD_S: f64 = 60.0;
/// Answers that take longer than this are credited with what came back meanwhile.
const LONGEST_UNCREDITED_S: f64 = 30.0;
/// Bytes of text a token has, until answers tell.
const BYTES_PER_TOKEN: f64 = 4.0;
/// Tokens that a message costs beside its text.
const TOKENS_PER_MESSAGE: f64 = 4.0;
/// The first wait after a refusal that names none; doubled up to the last.
const FIRST_WAIT_S: f64 = 1.0;
const LONGEST_WAIT_S: f64 = 60.0;

/// The place of a question in the order in which they were sent.
pub(super) type Sequence = u64;

/// When a question may be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Admission {
    Now,
    /// Not before this time.
    At(Duration),
    /// Not before an answer arrives.
    AfterAnswer,
}

#[derive(Debug)]
pub(super) struct Pace {
    window: f64,
    most: usize,
    /// Whether the window has never been cut and still grows by one with each answer.
    growing: bool,
    /// Questions sent before this one do not cut the window again.
    cut_before: Sequence,
    not_before: Duration,
    refusals_in_a_row: i32,
    requests: Gauge,
    tokens: Gauge,
    next: Sequence,
    open: BTreeMap<Sequence, Sent>,
    price: Price,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Duration,
    tokens: f64,
}

impl Pace {
    /// A pace of at most `most` questions at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            window: FIRST_WINDOW.min(most as f64),
            most,
            growing: true,
            cut_before: 0,
            not_before: Duration::ZERO,
            refusals_in_a_row: 0,
            requests: Gauge::default(),
            tokens: Gauge::default(),
            next: 0,
            open: BTreeMap::new(),
            price: Price::default(),
        }
    }

    /// Whether `request` may be sent at `now`, or when to ask again.
    pub(super) fn admits(&self, request: &ChatRequest, now: Duration) -> Admission {
        if self.open.len() as f64 + 1.0 > self.window.max(1.0) {
            return Admission::AfterAnswer;
        }
        let tokens = self.price.of(request);
        let at = [
            self.not_before,
            self.requests.ready(1.0, self.open_after(&self.requests, |_| 1.0), now),
            self.tokens.ready(tokens, self.open_after(&self.tokens, |sent| sent.tokens), now),
        ]
        .into_iter()
        .max()
        .unwrap_or(now);
        if at <= now { Admission::Now } else { Admission::At(at) }
    }

    /// Notes that `request` is sent at `now`.
    pub(super) fn sent(&mut self, request: &ChatRequest, now: Duration) -> Sequence {
        let sequence = self.next;
        self.next += 1;
        self.open.insert(sequence, Sent { at: now, tokens: self.price.of(request) });
        sequence
    }

    /// Notes that a question was answered.
    pub(super) fn answered(
        &mut self,
        sequence: Sequence,
        request: &ChatRequest,
        (usage, limits): (Option<&Usage>, &RateLimits),
        now: Duration,
    ) {
        self.look(sequence, limits, now);
        self.refusals_in_a_row = 0;
        let step = if self.growing { 1.0 } else { 1.0 / self.window };
        self.window = (self.window + step).min(self.most as f64);
        if let Some(usage) = usage {
            self.price.learn(request, usage);
        }
    }

    /// Notes that the service refused for now, with 429 or because it is overloaded.
    pub(super) fn refused(&mut self, sequence: Sequence, refusal: &Refusal, now: Duration) {
        let tokens = self.open.get(&sequence).map_or(1.0, |sent| sent.tokens);
        let limits = &refusal.limits;
        let is_told = [limits.requests, limits.tokens].iter().any(|told| told.remaining.is_some());
        let is_alone = |gauge: &Gauge| self.open_after(gauge, |_| 1.0) <= 1.0;
        let alone = [is_alone(&self.requests), is_alone(&self.tokens)];
        if alone[0] {
            self.requests.doubt(1.0, &limits.requests, now);
        }
        if alone[1] {
            self.tokens.doubt(tokens, &limits.tokens, now);
        }
        self.look(sequence, limits, now);
        if refusal.status == 429 && is_told {
            // The gauges hold the pace; what was thought of the tokens was too little.
            self.price.raise();
            if let Some(told) = refusal.retry_after {
                self.wait(Some(told), now);
            }
        } else {
            self.wait(refusal.retry_after, now);
            self.cut(sequence);
        }
    }

    /// Notes that no answer came.
    pub(super) fn failed(&mut self, sequence: Sequence, now: Duration) {
        self.open.remove(&sequence);
        self.wait(None, now);
        self.cut(sequence);
    }

    /// Notes that the service cannot answer yet.
    pub(super) fn hold(&mut self, now: Duration) {
        self.wait(None, now);
    }

    /// Notes that the service refused this one question for good, which says nothing of its load.
    pub(super) fn rejected(&mut self, sequence: Sequence, limits: &RateLimits, now: Duration) {
        self.look(sequence, limits, now);
    }

    /// Notes that a question was given up; one that was answered or refused stays as it is.
    pub(super) fn forget(&mut self, sequence: Sequence) {
        self.open.remove(&sequence);
    }

    fn look(&mut self, sequence: Sequence, limits: &RateLimits, now: Duration) {
        let Some(sent) = self.open.remove(&sequence) else { return };
        // A quick answer is credited from its arrival: that keeps a little in reserve and costs nothing.
        let from = now.min(sent.at + Duration::from_secs_f64(LONGEST_UNCREDITED_S));
        self.requests.look(sequence, &limits.requests, from);
        self.tokens.look(sequence, &limits.tokens, from);
    }

    fn wait(&mut self, told: Option<Duration>, now: Duration) {
        let doubled = FIRST_WAIT_S * 2_f64.powi(self.refusals_in_a_row.min(16));
        // Silent refusals of one moment are one: those that come while waiting do not make it longer.
        let wait = match told {
            Some(told) => told,
            None if now < self.not_before => Duration::ZERO,
            None => Duration::from_secs_f64(doubled.min(LONGEST_WAIT_S)),
        };
        if now >= self.not_before {
            self.refusals_in_a_row += 1;
        }
        self.not_before = self.not_before.max(now + wait);
    }

    fn cut(&mut self, sequence: Sequence) {
        if sequence < self.cut_before {
            return;
        }
        self.cut_before = self.next;
        self.growing = false;
        self.window = (self.window / 2.0).max(1.0);
    }

    /// What was sent after the question that `gauge` was read from, as far as it is not answered.
    fn open_after(&self, gauge: &Gauge, of: impl Fn(&Sent) -> f64) -> f64 {
        let Some(seen) = &gauge.seen else { return 0.0 };
        self.open.range(seen.sequence + 1..).map(|(_, sent)| of(sent)).sum()
    }
}

/// What is left of one limit.
#[derive(Debug, Default)]
struct Gauge {
    seen: Option<Seen>,
    /// Whether the service was seen to give nothing back before the reset, and then all at once.
    by_window: bool,
}

#[derive(Debug)]
struct Seen {
    sequence: Sequence,
    at: Duration,
    limit: f64,
    remaining: f64,
    per_second: f64,
    full_at: Option<Duration>,
}

impl Gauge {
    /// Notes a refusal of a lone question where, had it come back bit by bit, there would have been enough.
    fn doubt(&mut self, cost: f64, told: &Allowance, now: Duration) {
        let (Some(seen), Some(remaining), Some(_)) = (&self.seen, told.remaining, told.reset)
        else {
            return;
        };
        let is_short = (remaining as f64) < cost;
        let was_enough = seen.remaining < cost && self.left(seen, now) >= cost;
        self.by_window |= is_short && was_enough;
    }

    fn look(&mut self, sequence: Sequence, told: &Allowance, at: Duration) {
        let Some(remaining) = told.remaining else { return };
        if self.seen.as_ref().is_some_and(|seen| seen.sequence > sequence) {
            return;
        }
        let (limit, remaining) =
            (told.limit.unwrap_or(remaining).max(remaining) as f64, remaining as f64);
        // All that is gone comes back within the reset; in a window that begins anew it does not come back bit by bit,
        // so no faster than a minute's limit in a minute.
        let a_minute = limit.max(1.0) / PERIOD_S;
        let back = told.reset.map(|reset| (limit - remaining) / reset.as_secs_f64());
        let per_second = back
            .filter(|rate| rate.is_finite() && *rate > 0.0)
            .map_or(a_minute, |rate| rate.min(a_minute));
        let is_back = |seen: &Seen| {
            seen.full_at.is_some_and(|full_at| at < full_at) && remaining > seen.remaining
        };
        self.by_window &= !self.seen.as_ref().is_some_and(is_back);
        let full_at = told.reset.map(|reset| at + reset);
        self.seen = Some(Seen { sequence, at, limit, remaining, per_second, full_at });
    }

    /// What should be left by now of what was seen.
    fn left(&self, seen: &Seen, now: Duration) -> f64 {
        match seen.full_at {
            Some(full_at) if self.by_window && now >= full_at => seen.limit,
            Some(_) if self.by_window => seen.remaining,
            _ => {
                let back = now.saturating_sub(seen.at).as_secs_f64() * seen.per_second;
                (seen.remaining + back).min(seen.limit)
            }
        }
    }

    /// When there is enough for `cost` beside what is `open` already.
    fn ready(&self, cost: f64, open: f64, now: Duration) -> Duration {
        let Some(seen) = &self.seen else { return now };
        let left = self.left(seen, now) - open;
        // A question larger than the limit is the service's to refuse.
        let missing = cost.min(seen.limit) - left;
        if missing <= 0.0 {
            return now;
        }
        let bit_by_bit =
            now + Duration::from_secs_f64((missing / seen.per_second).clamp(0.001, PERIOD_S));
        match seen.full_at {
            Some(full_at) if self.by_window && now < full_at => full_at,
            _ => bit_by_bit,
        }
    }
}

/// What a question is thought to cost in tokens.
#[derive(Debug)]
struct Price {
    bytes_per_token: f64,
    /// Tokens of an answer, once one has come.
    answer: Option<f64>,
    /// By how much more services were seen to count.
    surcharge: f64,
}

impl Default for Price {
    fn default() -> Self {
        Self { bytes_per_token: BYTES_PER_TOKEN, answer: None, surcharge: 1.0 }
    }
}

impl Price {
    /// How much a new observation counts.
    const WEIGHT: f64 = 0.1;

    fn of(&self, request: &ChatRequest) -> f64 {
        let most = request.max_tokens.or(request.max_completion_tokens).map(|most| most as f64);
        let answer = match (self.answer, most) {
            (Some(answer), Some(most)) => (answer * self.surcharge).min(most),
            (Some(answer), None) => answer * self.surcharge,
            (None, most) => most.unwrap_or(0.0),
        };
        prompt_bytes(request) / self.bytes_per_token
            + TOKENS_PER_MESSAGE * request.messages.len() as f64
            + answer
    }

    fn learn(&mut self, request: &ChatRequest, usage: &Usage) {
        let mix = |old: f64, new: f64| old + Self::WEIGHT * (new - old);
        let bytes = prompt_bytes(request);
        if usage.prompt_tokens > 0 && bytes > 0.0 {
            let seen = bytes / usage.prompt_tokens as f64;
            self.bytes_per_token = mix(self.bytes_per_token, seen.clamp(0.5, 16.0));
        }
        let completion = usage.completion_tokens as f64;
        self.answer = Some(self.answer.map_or(completion, |answer| mix(answer, completion)));
        self.surcharge = (self.surcharge * 0.999).max(1.0);
    }

    fn raise(&mut self) {
        self.surcharge = (self.surcharge * 1.5).min(16.0);
    }
}

fn prompt_bytes(request: &ChatRequest) -> f64 {
    request.messages.iter().map(|message| message.text().len()).sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ChatRequest {
        ChatRequest::new("m", vec![wire::ChatMessage::new(wire::Role::User, "x".repeat(400))])
    }

    fn limits(limit: u64, remaining: u64, reset_ms: u64) -> RateLimits {
        let reset = Some(Duration::from_millis(reset_ms));
        let requests = Allowance { limit: Some(limit), remaining: Some(remaining), reset };
        RateLimits { requests, tokens: Allowance::default() }
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A pace after one answer at 1 s that told `limits`, with the window wide open.
    fn after(limits: RateLimits) -> Pace {
        let mut pace = Pace::new(100);
        pace.window = 100.0;
        let first = pace.sent(&request(), Duration::ZERO);
        pace.answered(first, &request(), (None, &limits), seconds(1.0));
        pace
    }

    fn refusal(status: u16, retry_after: Option<Duration>) -> Refusal {
        Refusal {
            status,
            error: wire::ServiceError::default(),
            request_id: None,
            attempts: 1,
            retry_after,
            limits: RateLimits::default(),
        }
    }

    #[test]
    fn what_is_left_may_be_sent_and_the_next_waits_until_it_is_back() {
        let mut pace = after(limits(60, 2, 58_000));
        for _ in 0..2 {
            assert_eq!(pace.admits(&request(), seconds(1.0)), Admission::Now);
            pace.sent(&request(), seconds(1.0));
        }
        assert_eq!(pace.admits(&request(), seconds(1.0)), Admission::At(seconds(2.0)));
        assert_eq!(pace.admits(&request(), seconds(2.0)), Admission::Now);
    }

    #[test]
    fn a_limit_of_a_day_comes_back_as_slowly_as_its_reset_says() {
        let pace = after(limits(200, 0, 86_400_000));
        assert_eq!(pace.admits(&request(), seconds(1.0)), Admission::At(seconds(61.0)));
        assert!(matches!(pace.admits(&request(), seconds(300.0)), Admission::At(_)));
        assert_eq!(pace.admits(&request(), seconds(440.0)), Admission::Now);
    }

    #[test]
    fn an_older_answer_that_comes_late_does_not_bring_back_what_was_used_since() {
        let mut pace = Pace::new(100);
        let [old, new] = [(); 2].map(|()| pace.sent(&request(), Duration::ZERO));
        pace.answered(new, &request(), (None, &limits(60, 0, 60_000)), seconds(1.0));
        pace.answered(old, &request(), (None, &limits(60, 59, 1000)), seconds(1.0));
        assert_eq!(pace.admits(&request(), seconds(1.0)), Admission::At(seconds(2.0)));
    }

    #[test]
    fn the_window_grows_with_answers_and_is_halved_once_for_one_overload() {
        let mut pace = Pace::new(64);
        let open: Vec<_> = (0..16).map(|_| pace.sent(&request(), Duration::ZERO)).collect();
        assert_eq!(pace.admits(&request(), Duration::ZERO), Admission::AfterAnswer);
        for sequence in open {
            pace.answered(sequence, &request(), (None, &RateLimits::default()), seconds(1.0));
        }
        assert!((pace.window - 32.0).abs() < 1e-9);
        let open: Vec<_> = (0..32).map(|_| pace.sent(&request(), seconds(1.0))).collect();
        for sequence in open {
            pace.refused(sequence, &refusal(503, None), seconds(2.0));
        }
        assert!((pace.window - 16.0).abs() < 1e-9);
        assert_eq!(pace.admits(&request(), seconds(2.0)), Admission::At(seconds(3.0)));
    }

    #[test]
    fn a_refusal_that_says_how_long_is_obeyed_and_silent_ones_wait_longer_each_time() {
        let mut pace = Pace::new(8);
        let first = pace.sent(&request(), Duration::ZERO);
        pace.refused(first, &refusal(429, Some(seconds(7.5))), seconds(1.0));
        assert_eq!(pace.admits(&request(), seconds(1.0)), Admission::At(seconds(8.5)));
        let mut now = seconds(8.5);
        for wait in [2.0, 4.0, 8.0] {
            let next = pace.sent(&request(), now);
            pace.refused(next, &refusal(429, None), now);
            assert_eq!(pace.admits(&request(), now), Admission::At(now + seconds(wait)));
            now += seconds(wait);
        }
    }

    #[test]
    fn what_questions_cost_is_learned_from_their_answers() {
        let mut price = Price::default();
        let mut request = request();
        request.max_tokens = Some(1500);
        assert!((price.of(&request) - 1604.0).abs() < 1e-9, "the most before anything is known");
        for _ in 0..100 {
            price.learn(&request, &Usage::new(80, 300));
        }
        assert!((price.of(&request) - 384.0).abs() < 1.0, "{}", price.of(&request));
        (0..20).for_each(|_| price.raise());
        assert!(price.of(&request) < 1584.0 + 1.0, "never more than the most");
    }
}
