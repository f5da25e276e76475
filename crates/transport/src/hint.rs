use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long a service asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
///
/// A date is measured against the answer's own `Date`, so that a wrong clock on either side does no harm.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let milliseconds =
        number(headers, &HeaderName::from_static("retry-after-ms")).map(|value| value / 1000.0);
    let seconds = milliseconds.or_else(|| number(headers, &RETRY_AFTER)).or_else(|| until(headers));
    seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// What `x-should-retry` says.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.to_str().ok()? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<f64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn until(headers: &HeaderMap) -> Option<f64> {
    let date =
        |name| DateTimeParser::new().parse_timestamp(headers.get(name)?.to_str().ok()?.trim()).ok();
    Some(date(RETRY_AFTER)?.duration_since(date(DATE)?).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &'static str)]) -> Option<u128> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect::<HeaderMap>();
        retry_after(&headers).map(|duration| duration.as_millis())
    }

    #[test]
    fn every_way_to_say_how_long_is_read() {
        assert_eq!(check(&[("retry-after-ms", "1500")]), Some(1500));
        assert_eq!(check(&[("retry-after", "2")]), Some(2000));
        assert_eq!(check(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(check(&[("retry-after-ms", "10"), ("retry-after", "2")]), Some(10));
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(check(&[("retry-after", later), ("date", date)]), Some(30_000));
    }

    #[test]
    fn what_says_nothing_is_no_hint() {
        for value in ["", "soon", "-3", "0", "NaN", "inf", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(check(&[("retry-after", value)]), None, "{value}");
        }
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(check(&[("retry-after", date), ("date", date)]), None);
        assert_eq!(check(&[]), None);
    }
}
