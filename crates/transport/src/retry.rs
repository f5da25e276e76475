use std::time::Duration;

/// When to send a request again, and after how long.
///
/// The rule is a pure function, [`Retry::wait`]; the defaults are near those of the official SDKs.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use transport::{Repeat, Retry, Trouble};
///
/// let (rule, overloaded) = (Retry::default(), Trouble { status: Some(503), sent: true, ..Trouble::default() });
/// let wait = |attempt, repeat| rule.wait((attempt, Duration::ZERO), &overloaded, repeat, 0.0);
/// assert_eq!(wait(1, Repeat::Always), Some(Duration::from_millis(500)));
/// assert_eq!(wait(2, Repeat::Always), Some(Duration::from_secs(1)));
/// assert_eq!(wait(6, Repeat::Always), None, "six are enough");
/// assert_eq!(wait(1, Repeat::Unprocessed), None, "the service may have acted");
/// assert_eq!(Retry::never().wait((1, Duration::ZERO), &overloaded, Repeat::Always, 0.0), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// How often a request is sent at most, the first time included.
    pub attempts: u32,
    /// How long to wait after the first failure; doubled after each further one.
    pub first_delay: Duration,
    /// The longest such wait.
    pub longest_delay: Duration,
    /// The longest wait that a service may ask for; one that asks for more is not asked again.
    pub longest_hint: Duration,
    /// How long all waits for one request may be together.
    pub budget: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(8),
            longest_hint: Duration::from_secs(120),
            budget: Duration::from_secs(300),
        }
    }
}

/// Which failures a request may be sent again after.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use serde_json::{Value, json};
/// use transport::{Repeat, Route};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([
/// #     (503, r#""#),
/// #     (503, r#""#),
/// #     (200, r#"{"status": "cancelled"}"#),
/// # ]).await?;
/// let jobs = Route::new(["fine_tuning", "jobs"])?;
/// let once = client.post::<Value>(&jobs, &json!({}), Repeat::Unprocessed).await;
/// assert_eq!(once.unwrap_err().status(), Some(503));
/// let cancel = Route::new(["fine_tuning", "jobs", "ftjob-1", "cancel"])?;
/// let cancelled: Value = client.post_empty(&cancel, Repeat::Always).await?; // the second attempt is answered
/// assert_eq!(cancelled["status"], "cancelled");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// All that may pass: doing it twice is doing it once.
    Always,
    /// Only those after which the service has certainly not acted: no connection, or 429.
    Unprocessed,
}

/// What the rule needs to know of a failure.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use transport::{Repeat, Retry, Trouble};
///
/// let told = |seconds| Trouble { status: Some(429), hint: Some(Duration::from_secs(seconds)), ..Trouble::default() };
/// let wait = |trouble| Retry::default().wait((1, Duration::ZERO), &trouble, Repeat::Unprocessed, 0.0);
/// assert_eq!(wait(told(20)), Some(Duration::from_secs(20)), "as long as the service asks");
/// assert_eq!(wait(told(3600)), None, "nobody waits for an hour");
/// assert_eq!(wait(Trouble { quota: true, ..told(20) }), None, "waiting brings no money");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trouble {
    /// The HTTP status; `None` where no whole answer came.
    pub status: Option<u16>,
    /// Whether the request may have reached the service.
    pub sent: bool,
    /// Whether the service says that money or allowance is used up.
    pub quota: bool,
    /// What the service's `x-should-retry` says.
    pub should_retry: Option<bool>,
    /// How long the service asks to wait.
    pub hint: Option<Duration>,
}

impl Retry {
    /// Never sends a request twice.
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// How long to wait before the next attempt, or `None` to give up.
    ///
    /// `attempt` counts from 1, `waited` is what was waited for this request already, `jitter` in 0 to 1 takes up to a
    /// quarter off the wait, so that many clients do not come back at once.
    pub fn wait(
        &self,
        (attempt, waited): (u32, Duration),
        trouble: &Trouble,
        repeat: Repeat,
        jitter: f64,
    ) -> Option<Duration> {
        if attempt >= self.attempts || !may_pass(trouble) {
            return None;
        }
        if repeat == Repeat::Unprocessed && trouble.sent && trouble.status != Some(429) {
            return None;
        }
        let delay = match trouble.hint {
            Some(hint) if hint > self.longest_hint => return None,
            Some(hint) => hint,
            None => self.backoff(attempt).mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0)),
        };
        (waited.saturating_add(delay) <= self.budget).then_some(delay)
    }

    fn backoff(&self, attempt: u32) -> Duration {
        let factor = 2_u32.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_delay.saturating_mul(factor).min(self.longest_delay)
    }
}

fn may_pass(trouble: &Trouble) -> bool {
    if trouble.quota {
        return false;
    }
    if let (Some(_), Some(should_retry)) = (trouble.status, trouble.should_retry) {
        return should_retry;
    }
    match trouble.status {
        None => true,
        Some(status) => matches!(status, 408 | 409 | 429) || status >= 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOTHING: Duration = Duration::ZERO;

    fn status(status: u16) -> Trouble {
        Trouble { status: Some(status), sent: true, ..Trouble::default() }
    }

    fn milliseconds(attempt: u32, trouble: &Trouble, repeat: Repeat) -> Option<u128> {
        Retry::default()
            .wait((attempt, NOTHING), trouble, repeat, 0.0)
            .map(|delay| delay.as_millis())
    }

    #[test]
    fn passing_troubles_are_tried_again_and_final_ones_are_not() {
        for passing in [408, 409, 429, 500, 502, 503, 529] {
            assert_eq!(milliseconds(1, &status(passing), Repeat::Always), Some(500), "{passing}");
        }
        for last in [301, 400, 401, 403, 404, 422] {
            assert_eq!(milliseconds(1, &status(last), Repeat::Always), None, "{last}");
        }
        let quota = Trouble { quota: true, ..status(429) };
        assert_eq!(milliseconds(1, &quota, Repeat::Always), None);
        let broken = Trouble { sent: true, ..Trouble::default() };
        assert_eq!(milliseconds(1, &broken, Repeat::Always), Some(500));
    }

    #[test]
    fn what_costs_money_is_sent_again_only_when_it_was_not_acted_on() {
        let repeat = Repeat::Unprocessed;
        assert_eq!(milliseconds(1, &Trouble::default(), repeat), Some(500));
        assert_eq!(milliseconds(1, &status(429), repeat), Some(500));
        for ambiguous in [408, 409, 500, 502, 503] {
            assert_eq!(milliseconds(1, &status(ambiguous), repeat), None, "{ambiguous}");
        }
        let broken = Trouble { sent: true, ..Trouble::default() };
        assert_eq!(milliseconds(1, &broken, repeat), None);
        let told = Trouble { should_retry: Some(true), ..status(500) };
        assert_eq!(milliseconds(1, &told, repeat), None);
    }

    #[test]
    fn the_service_may_say_whether_and_when() {
        let hint = |seconds| Trouble { hint: Some(Duration::from_secs(seconds)), ..status(429) };
        assert_eq!(milliseconds(1, &hint(20), Repeat::Always), Some(20_000));
        assert_eq!(milliseconds(1, &hint(121), Repeat::Always), None);
        assert_eq!(
            milliseconds(1, &Trouble { should_retry: Some(false), ..status(500) }, Repeat::Always),
            None
        );
        assert_eq!(
            milliseconds(1, &Trouble { should_retry: Some(true), ..status(400) }, Repeat::Always),
            Some(500)
        );
    }

    #[test]
    fn waits_double_up_to_a_limit_and_attempts_and_budget_end_them() {
        let waits: Vec<_> =
            (1..=6).map(|attempt| milliseconds(attempt, &status(500), Repeat::Always)).collect();
        assert_eq!(waits, [Some(500), Some(1000), Some(2000), Some(4000), Some(8000), None]);
        let retry = Retry { budget: Duration::from_secs(1), ..Retry::default() };
        assert_eq!(
            retry.wait((1, Duration::from_millis(600)), &status(500), Repeat::Always, 0.0),
            None
        );
        assert_eq!(Retry::never().wait((1, NOTHING), &status(500), Repeat::Always, 0.0), None);
    }

    proptest! {
        #[test]
        fn jitter_takes_at_most_a_quarter_and_no_wait_exceeds_the_budget(
            attempt in 0_u32..100, waited in 0_u64..400_000, jitter in 0.0_f64..=1.0, hint in proptest::option::of(0_u64..1_000_000),
        ) {
            let retry = Retry { attempts: 200, ..Retry::default() };
            let trouble = Trouble { hint: hint.map(Duration::from_millis), ..status(503) };
            let waited = Duration::from_millis(waited);
            if let Some(delay) = retry.wait((attempt, waited), &trouble, Repeat::Always, jitter) {
                prop_assert!(waited + delay <= retry.budget);
                prop_assert!(delay <= retry.longest_hint);
                if hint.is_none() {
                    let full = retry.wait((attempt, Duration::ZERO), &trouble, Repeat::Always, 0.0).unwrap();
                    prop_assert!(delay <= full && delay >= full.mul_f64(0.749));
                }
            }
        }
    }
}
