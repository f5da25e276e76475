use std::time::Duration;

use reqwest::header::HeaderMap;

/// What a service says of its limits beside an answer, in the headers `x-ratelimit-*`.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use transport::{Allowance, RateLimits};
/// use wire::{ChatMessage, ChatRequest, Role};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let answer = concat!(
/// #     r#"{"choices": [{"index": 0, "message": {"role": "assistant", "#,
/// #     r#""content": "Yes."}, "finish_reason": "stop"}]}"#
/// # );
/// # let client = canned([(200, answer)]).await?;
/// let question = ChatRequest::new("tiny", vec![ChatMessage::new(Role::User, "Is a fever common?")]);
/// let (_answer, RateLimits { requests, tokens }) = client.chat_once(&question).await?;
/// assert_eq!(requests, Allowance { limit: Some(100), remaining: Some(99), reset: None });
/// assert_eq!(tokens, Allowance::default(), "the service says nothing of them");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// How many requests it takes.
    pub requests: Allowance,
    /// How many tokens it takes.
    pub tokens: Allowance,
}

/// One limit, as far as the service tells it.
///
/// # Examples
///
/// ```
/// use transport::Allowance;
///
/// let told = Allowance { limit: Some(500), remaining: Some(25), reset: None };
/// let left = told.remaining.zip(told.limit).map(|(left, all)| left as f64 / all as f64);
/// assert_eq!(left, Some(0.05));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// How much there is at most.
    pub limit: Option<u64>,
    /// How much of it is left.
    pub remaining: Option<u64>,
    /// How long until all of it is there again.
    pub reset: Option<Duration>,
}

impl RateLimits {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let allowance = |what: &str| {
            let text = |kind: &str| {
                headers.get(format!("x-ratelimit-{kind}-{what}"))?.to_str().ok().map(str::trim)
            };
            Allowance {
                limit: text("limit").and_then(|text| text.parse().ok()),
                remaining: text("remaining").and_then(|text| text.parse().ok()),
                reset: text("reset").and_then(duration),
            }
        };
        Self { requests: allowance("requests"), tokens: allowance("tokens") }
    }
}

/// Reads `6m0s`, `1.5s`, `120ms` or a bare number of seconds.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 5] =
        [("ms", 0.001), ("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let (mut seconds, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    #[test]
    fn every_way_to_say_how_long_is_read_and_nothing_else() {
        let milliseconds = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("1s", 1000),
            ("6m0s", 360_000),
            ("120ms", 120),
            ("1m0.5s", 60_500),
            ("1h2m3s", 3_723_000),
            ("12.5", 12_500),
            ("0", 0),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
        for text in ["", "s", "1x", "m1", "1m2", "-3", "-3s", "NaN", "1e400s", "..s"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }

    #[test]
    fn headers_that_are_missing_or_strange_say_nothing() {
        let headers = |pairs: &[(&'static str, &str)]| {
            let pair = |&(name, value): &(&'static str, &str)| {
                (HeaderName::from_static(name), value.parse().unwrap())
            };
            RateLimits::of(&pairs.iter().map(pair).collect())
        };
        let told = headers(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "30000.5"),
            ("x-ratelimit-remaining-tokens", "-1"),
        ]);
        let requests = Allowance {
            limit: Some(500),
            remaining: Some(499),
            reset: Some(Duration::from_millis(120)),
        };
        assert_eq!(told, RateLimits { requests, tokens: Allowance::default() });
        assert_eq!(headers(&[]), RateLimits::default());
    }
}
