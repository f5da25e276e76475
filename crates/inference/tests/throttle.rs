//! Many askers of one service: together they are as slow as it wants them to be.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use inference::{Clock, ManyOptions, Throttle};
use serde_json::json;
use transport::{Client, Endpoint, Provider, Settings, Sleeper};
use wire::{ChatMessage, ChatRequest, Role};

/// A service that refuses the first requests as it is told, and counts.
#[derive(Debug, Default)]
struct Service {
    /// Refusals that come first: the status, and what `Retry-After` says.
    refusals: Mutex<Vec<(u16, Option<&'static str>)>>,
    /// What it says is left of its requests, with every answer.
    left: Option<&'static str>,
    asked: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

async fn answer(State(service): State<Arc<Service>>) -> Response {
    service.asked.fetch_add(1, Ordering::SeqCst);
    let open = service.open.fetch_add(1, Ordering::SeqCst) + 1;
    service.most_open.fetch_max(open, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(5)).await;
    service.open.fetch_sub(1, Ordering::SeqCst);
    let refusal = service.refusals.lock().unwrap().pop();
    let mut headers = HeaderMap::new();
    if let Some((status, after)) = refusal {
        if let Some(after) = after {
            headers.insert("retry-after", after.parse().unwrap());
        }
        return (StatusCode::from_u16(status).unwrap(), headers, "{}").into_response();
    }
    if let Some(left) = service.left {
        headers.insert("x-ratelimit-limit-requests", "60".parse().unwrap());
        headers.insert("x-ratelimit-remaining-requests", left.parse().unwrap());
        headers.insert("x-ratelimit-reset-requests", "60s".parse().unwrap());
    }
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"});
    (headers, axum::Json(json!({"model": "m", "choices": [choice]}))).into_response()
}

/// Asks on a clock that only waiting moves, and tells how long it waited.
struct Bench {
    service: Arc<Service>,
    throttle: Throttle,
    waited: Arc<Mutex<Duration>>,
}

impl Bench {
    async fn new(service: Service, at_once: usize) -> anyhow::Result<Self> {
        let service = Arc::new(service);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let routes = axum::Router::new().fallback(answer).with_state(Arc::clone(&service));
        tokio::spawn(axum::serve(listener, routes).into_future());
        let waited = Arc::new(Mutex::new(Duration::ZERO));
        let (clock, sleeper) = (Arc::clone(&waited), Arc::clone(&waited));
        let sleeper = Sleeper::new(move |wait| {
            *sleeper.lock().unwrap() += wait;
            tokio::task::yield_now()
        });
        let clock = Clock::new(move || *clock.lock().unwrap());
        let endpoint = Endpoint::new(Provider::OpenAi, &base_url, None)?;
        let client = Client::new(endpoint, Settings { sleeper, ..Settings::default() })?;
        let throttle = Throttle::new(client, &ManyOptions { at_once, clock });
        Ok(Self { service, throttle, waited })
    }

    /// Asks `count` questions at the same time, and tells the status of each that failed.
    async fn ask(&self, count: usize) -> Vec<Option<u16>> {
        let request = ChatRequest::new("m", vec![ChatMessage::new(Role::User, "Why?")]);
        let asked = (0..count).map(|_| self.throttle.chat(&request));
        let answers = futures_util::future::join_all(asked).await;
        answers.into_iter().filter_map(Result::err).map(|error| error.status()).collect()
    }

    fn asked(&self) -> usize {
        self.service.asked.load(Ordering::SeqCst)
    }

    fn waited_s(&self) -> f64 {
        self.waited.lock().unwrap().as_secs_f64()
    }
}

fn refusing(refusals: &[(u16, Option<&'static str>)]) -> Service {
    Service { refusals: Mutex::new(refusals.to_vec()), ..Service::default() }
}

#[tokio::test]
async fn a_refusal_for_now_is_waited_for_as_long_as_it_says() -> anyhow::Result<()> {
    let bench = Bench::new(refusing(&[(429, Some("7")), (429, Some("2"))]), 4).await?;
    assert_eq!((bench.ask(1).await, bench.asked()), (Vec::new(), 3));
    assert!((bench.waited_s() - 9.0).abs() < 1e-9, "{}", bench.waited_s());
    Ok(())
}

#[tokio::test]
async fn no_more_are_open_than_may_be() -> anyhow::Result<()> {
    let bench = Bench::new(Service::default(), 3).await?;
    assert_eq!((bench.ask(20).await, bench.asked()), (Vec::new(), 20));
    assert_eq!(bench.service.most_open.load(Ordering::SeqCst), 3);
    Ok(())
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_waited_for_before_anything_is_refused() -> anyhow::Result<()> {
    let bench = Bench::new(Service { left: Some("0"), ..Service::default() }, 4).await?;
    assert_eq!(bench.ask(1).await, []);
    assert!(bench.waited_s() < 1e-9);
    assert_eq!((bench.ask(1).await, bench.asked()), (Vec::new(), 2));
    assert!((bench.waited_s() - 1.0).abs() < 0.1, "one a second comes back: {}", bench.waited_s());
    Ok(())
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_asked_again_and_failures_end() -> anyhow::Result<()> {
    let bench = Bench::new(refusing(&[(400, None)]), 4).await?;
    assert_eq!((bench.ask(1).await, bench.asked()), (vec![Some(400)], 1));
    let bench = Bench::new(refusing(&[(503, None); 5]), 4).await?;
    assert_eq!((bench.ask(1).await, bench.asked()), (vec![Some(503)], 5));
    // One that failed takes no place from those after it.
    assert_eq!(bench.ask(4).await, []);
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_given_up_makes_place_for_another() -> anyhow::Result<()> {
    let bench = Bench::new(Service::default(), 1).await?;
    let request = ChatRequest::new("m", vec![ChatMessage::new(Role::User, "Why?")]);
    let given_up = tokio::time::timeout(Duration::from_millis(1), bench.throttle.chat(&request));
    assert!(given_up.await.is_err());
    assert_eq!(bench.ask(2).await, []);
    Ok(())
}
