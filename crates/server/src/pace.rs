//! The pace of a request's body: one that comes in too slowly is broken off.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use crate::Limits;

/// A body came in too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body comes in too slowly")]
pub(crate) struct TooSlow;

/// `body`, which fails with [`TooSlow`] once it is behind the pace that `limits` demand.
pub(crate) fn paced(body: Body, limits: &Limits) -> Body {
    let start = Instant::now() + Duration::from_secs(limits.body_seconds);
    let pace = limits.slowest_bytes_per_second.max(1);
    let begin = Reading { body: body.into_data_stream(), bytes: 0 };
    Body::from_stream(stream::try_unfold(begin, move |mut reading| async move {
        let due = start + Duration::from_secs(reading.bytes / pace);
        let Ok(next) = timeout_at(due, reading.body.next()).await else {
            return Err(axum::Error::new(TooSlow));
        };
        let Some(chunk) = next.transpose()? else { return Ok(None) };
        reading.bytes += chunk.len() as u64;
        Ok::<Option<(Bytes, Reading)>, axum::Error>(Some((chunk, reading)))
    }))
}

struct Reading {
    body: BodyDataStream,
    bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_as_long_as_it_keeps_the_pace() {
        let limits = Limits { body_seconds: 10, slowest_bytes_per_second: 2, ..Limits::default() };
        let drops = |pause: u64| {
            let chunks = stream::iter(0..20).then(move |_| async move {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                std::io::Result::Ok(Bytes::from_static(b"abcd"))
            });
            paced(Body::from_stream(chunks), &limits)
        };
        assert_eq!(to_bytes(drops(2), 1000).await.unwrap().len(), 80);
        let error = to_bytes(drops(3), 1000).await.unwrap_err();
        assert!(crate::extract::is_too_slow(&error), "{error:?}");
    }
}
