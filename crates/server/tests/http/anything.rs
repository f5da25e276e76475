//! Requests that nobody thought of: each is answered, and none with a fault of the server's own.

use std::sync::LazyLock;

use crate::support::{MODEL, options};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use server::Server;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const PLACES: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/fine_tuning/jobs",
    "/v1/uploads",
    "/v1/uploads/upload_x/complete",
    "/v1/fine_tuning/jobs/ftjob-x/cancel",
    "/v1/files",
    "/v1/tokenize",
];
/// Names and words that mean something at one of the places.
const FIELDS: [&str; 24] = [
    "model",
    "messages",
    "role",
    "content",
    "training_file",
    "validation_file",
    "hyperparameters",
    "method",
    "type",
    "supervised",
    "n_epochs",
    "batch_size",
    "metadata",
    "suffix",
    "seed",
    "stream",
    "stop",
    "prompt",
    "bytes",
    "filename",
    "purpose",
    "mime_type",
    "part_ids",
    "expires_after",
];
const WORDS: [&str; 7] =
    [MODEL, "user", "auto", "fine-tune", "supervised", "file-x", "\u{202e}\u{0}"];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_i64..60).prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let field = prop_oneof![
            8 => prop::sample::select(&FIELDS[..]).prop_map(str::to_owned),
            1 => ".{0,8}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field, inner), 0..10)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

struct Api {
    runtime: Runtime,
    router: Router,
    _data: tempfile::TempDir,
}

static API: LazyLock<Api> = LazyLock::new(|| {
    let data = tempfile::tempdir().expect("a folder for the state");
    let server = Server::open(options(data.path())).expect("the server opens");
    Api { runtime: Runtime::new().expect("a runtime"), router: server.router(), _data: data }
});

/// The status and the body of the answer to `body`, sent to `place` as `kind`.
fn ask(place: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = Request::post(place).header("host", "localhost").header("content-type", kind);
    let request = request.body(Body::from(body)).expect("a request");
    API.runtime.block_on(async {
        let answer = API.router.clone().oneshot(request).await.expect("the router answers");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("the answer ends");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    })
}

fn is_proper((status, body): &(u16, Value)) -> bool {
    match status {
        200 => true,
        400..500 => body["error"]["message"].is_string() && body["error"]["type"].is_string(),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_answered_or_refused(place in prop::sample::select(&PLACES[..]), body in json_value()) {
        let body = match body {
            // Nothing random is asked to be long.
            Value::Object(mut fields) => {
                fields.entry("max_tokens").or_insert(json!(2));
                Value::Object(fields)
            }
            body => body,
        };
        let answer = ask(place, "application/json", body.to_string().into_bytes());
        prop_assert!(is_proper(&answer), "{place} {body}: {answer:?}");
    }

    #[test]
    fn any_bytes_are_refused(place in prop::sample::select(&PLACES[..]), body in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in ["application/json", "multipart/form-data; boundary=x", "text/plain"] {
            let answer = ask(place, kind, body.clone());
            prop_assert!(is_proper(&answer), "{place} {kind}: {answer:?}");
        }
    }
}
