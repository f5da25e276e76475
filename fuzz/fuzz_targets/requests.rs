//! Any bytes as any request: the server answers each of them, and never with a fault of its own.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use server::{BaseModel, Options, Server};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const PLACES: [(&str, &str, &str); 14] = [
    ("POST", "/v1/chat/completions", "application/json"),
    ("POST", "/v1/completions", "application/json"),
    ("POST", "/v1/fine_tuning/jobs", "application/json"),
    ("POST", "/v1/fine_tuning/jobs/", "application/json"),
    ("POST", "/v1/uploads", "application/json"),
    ("POST", "/v1/uploads/", "application/json"),
    ("POST", "/v1/files", "multipart/form-data; boundary=x"),
    ("POST", "/tokenize", "application/json"),
    ("GET", "/v1/files?", ""),
    ("GET", "/v1/files/", ""),
    ("GET", "/v1/fine_tuning/jobs?", ""),
    ("GET", "/v1/models/", ""),
    ("DELETE", "/v1/files/", ""),
    ("DELETE", "/v1/models/", ""),
];

struct Api {
    runtime: Runtime,
    router: Router,
    // Goes with the process.
    _data: tempfile::TempDir,
}

static API: LazyLock<Api> = LazyLock::new(|| {
    let data = tempfile::tempdir().expect("a folder for the state");
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/tiny-llama");
    let model = BaseModel { id: "m".to_owned(), path: tiny, sha256: "tiny".to_owned() };
    let runtime = Runtime::new().expect("a runtime");
    let server = Server::open(Options::new(data.path(), vec![model])).expect("a server");
    Api { runtime, router: server.router(), _data: data }
});

/// The first byte chooses the place; where a path or query ends open, a line of its own goes on with it.
fn request(data: &[u8]) -> Option<Request<Body>> {
    let (first, rest) = data.split_first()?;
    let (method, path, kind) = PLACES[usize::from(*first) % PLACES.len()];
    let (tail, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) if path.ends_with(['/', '?']) => (&rest[..end], &rest[end + 1..]),
        _ if path.ends_with(['/', '?']) => (rest, &[][..]),
        _ => (&[][..], rest),
    };
    let uri = format!("{path}{}", std::str::from_utf8(tail).ok()?);
    let request = Request::builder().method(method).uri(uri).header("host", "localhost");
    request.header("content-type", kind).body(Body::from(body.to_vec())).ok()
}

fuzz_target!(|data: &[u8]| {
    let Some(request) = request(data) else { return };
    let api = &*API;
    api.runtime.block_on(async {
        let answer = api.router.clone().oneshot(request).await.expect("the router always answers");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("an answer has an end");
        assert!(status < 500, "{status}: {}", String::from_utf8_lossy(&body));
    });
});
