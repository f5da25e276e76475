//! What every request passes: who may ask, from where, and a line in the log without any content.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::fault::Fault;
use crate::pace::paced;
use crate::state::State;
use crate::{id, page};

/// Lets a request pass or answers it with a fault; every answer carries an `x-request-id`.
pub(crate) async fn guard(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let (method, begun) = (request.method().clone(), Instant::now());
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match check(&state, &request) {
        Ok(()) => next.run(request.map(|body| paced(body, &state.limits))).await,
        Err(fault) => fault.into_response(),
    };
    let (pattern, status) =
        (pattern.as_ref().map_or("other", MatchedPath::as_str), response.status().as_u16());
    state.metrics.request(known(&method), pattern, status, begun.elapsed());
    let request_id = id::random("req_");
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    tracing::info!(
        %method,
        pattern,
        status,
        milliseconds = begun.elapsed().as_millis(),
        request_id,
        "answered"
    );
    response
}

/// The method, where it is one of ours: a client can make up any number of others.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::DELETE | Method::HEAD => method.as_str(),
        _ => "other",
    }
}

/// What lets the pages of `origins` ask: their preflights are answered, and their answers may be read.
pub(crate) fn cross_origin(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::HeaderName::from_static("x-request-id"), header::RETRY_AFTER])
}

fn check(state: &State, request: &Request) -> Result<(), Fault> {
    let headers = request.headers();
    check_origin(headers, &state.allowed_origins)?;
    match &state.token {
        // Without a token the server is open to this machine only; a web page that resolves its own name to this
        // address is not this machine.
        None => check_host(headers),
        // A browser asks for a page without a key, and the page then asks the person for it.
        Some(_) if is_open(request.uri().path()) => Ok(()),
        Some(token) if bearer(headers).is_some_and(|key| token.matches(key)) => Ok(()),
        Some(_) => Err(Fault::unauthorized()),
    }
}

/// Whether the answer is the same for everybody, and tells nothing.
fn is_open(path: &str) -> bool {
    path == "/health" || page::is_page(path)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Refuses pages of other sites: a browser names the site in `Origin`, other clients send none.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Fault> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        return Ok(());
    }
    let site = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, at)| at);
    if site.is_some() && site == host {
        return Ok(());
    }
    Err(Fault::forbidden("Requests from other sites' pages are not answered"))
}

fn check_host(headers: &HeaderMap) -> Result<(), Fault> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        return Ok(());
    }
    Err(Fault::forbidden("Without a token this server answers only as localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn pages_of_other_sites_and_other_names_are_refused() {
        let own = [("host", "127.0.0.1:80"), ("origin", "http://127.0.0.1:80")];
        assert!(check_origin(&headers(&own), &[]).is_ok());
        let other = [("host", "127.0.0.1:80"), ("origin", "http://evil.example")];
        assert!(check_origin(&headers(&other), &[]).is_err());
        assert!(check_origin(&headers(&other), &["http://evil.example".to_owned()]).is_ok());
        assert!(check_origin(&headers(&[("origin", "null"), ("host", "null")]), &[]).is_err());
        for host in ["127.0.0.1", "localhost:8080", "[::1]:1"] {
            assert!(check_host(&headers(&[("host", host)])).is_ok(), "{host}");
        }
        for host in ["evil.example", "", "127.0.0.1.evil.example:80"] {
            assert!(check_host(&headers(&[("host", host)])).is_err(), "{host}");
        }
    }

    #[test]
    fn a_key_is_read_from_a_bearer_header_only() {
        let key = |value| bearer(&headers(&[("authorization", value)])).map(str::to_owned);
        assert_eq!(key("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(key("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(key("Basic abc"), None);
        assert_eq!(key("abc"), None);
    }
}
