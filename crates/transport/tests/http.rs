//! What comes of every kind of answer, against a service with queued answers.

#[expect(dead_code, reason = "to queue later answers is for the tools' tests")]
mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use support::{Double, Reply};
use transport::{
    Client, Endpoint, Error, Key, Part, Provider, RateLimits, Repeat, Retry, Route, Settings,
    Sleeper, Upload,
};

struct Fixture {
    client: Client,
    double: Double,
    slept: Arc<Mutex<Vec<u128>>>,
}

impl Fixture {
    async fn new(replies: impl IntoIterator<Item = Reply>) -> anyhow::Result<Self> {
        let double = Double::start(replies).await?;
        let slept = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&slept);
        let sleeper = Sleeper::new(move |duration: Duration| {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(duration.as_millis());
            std::future::ready(())
        });
        let retry = Retry { attempts: 3, ..Retry::default() };
        let settings = Settings {
            retry,
            sleeper,
            read_timeout: Duration::from_secs(5),
            ..Settings::default()
        };
        let endpoint =
            Endpoint::new(Provider::OpenAi, &double.base_url, Some(Key::new("sk-planted")?))?;
        Ok(Self { client: Client::new(endpoint, settings)?, double, slept })
    }

    async fn get(&self) -> Result<Value, Error> {
        self.client.get(&Route::new(["models"])?).await
    }

    fn slept(&self) -> Vec<u128> {
        self.slept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn a_request_carries_key_agent_and_query_and_its_answer_is_read() -> anyhow::Result<()> {
    let fixture = Fixture::new([Reply::json(200, &json!({"ok": true}))]).await?;
    let route = Route::new(["fine_tuning", "jobs"])?.with("metadata[k]", "a b&c");
    let answer: Value = fixture.client.get(&route).await?;
    assert_eq!(answer["ok"], true);
    let asked = &fixture.double.asked()[0];
    assert_eq!(asked.line, "GET /v1/fine_tuning/jobs?metadata%5Bk%5D=a+b%26c");
    assert_eq!(asked.headers["authorization"], "Bearer sk-planted");
    assert!(asked.headers["user-agent"].starts_with("medtune/"));
    Ok(())
}

#[tokio::test]
async fn final_refusals_are_asked_once_and_keep_status_code_and_request_id() -> anyhow::Result<()> {
    for (status, code) in [
        (401, "invalid_api_key"),
        (403, "training_not_available"),
        (404, "model_not_found"),
        (429, "insufficient_quota"),
    ] {
        let body = json!({"error": {"message": "your key sk-planted is no good", "type": "error", "param": "model", "code": code}});
        let reply = Reply::with_headers(status, &[("x-request-id", "req_1")], &body.to_string());
        let fixture = Fixture::new([reply]).await?;
        let error =
            fixture.get().await.err().ok_or_else(|| anyhow::anyhow!("{status} was accepted"))?;
        let expected = format!(
            "the service answered {status}: your key [key] is no good ({code}) [request req_1]"
        );
        assert_eq!(chain(&error), expected);
        let refusal = error.refusal().ok_or_else(|| anyhow::anyhow!("no refusal"))?;
        assert_eq!((refusal.status, refusal.code(), refusal.attempts), (status, Some(code), 1));
        assert!(!error.is_transient() && !error.is_ambiguous());
        assert_eq!(fixture.double.lines().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_any_shape_keeps_its_status_and_shows_no_page() -> anyhow::Result<()> {
    let bodies = [
        "",
        "<html>patient Jane</html>",
        "{",
        r#"{"detail":"Not Found"}"#,
        r#"{"error":{}}"#,
        r#"{"error":{"code":400,"message":"no"}}"#,
    ];
    for body in bodies {
        let fixture = Fixture::new([Reply::with_headers(400, &[], body)]).await?;
        let error = fixture.get().await.err().ok_or_else(|| anyhow::anyhow!("accepted"))?;
        assert_eq!(error.status(), Some(400), "{body}");
        assert!(!format!("{error:?} {}", chain(&error)).contains("Jane"));
    }
    Ok(())
}

#[tokio::test]
async fn passing_troubles_are_tried_again_after_the_wait_that_was_asked_for() -> anyhow::Result<()>
{
    let ok = || Reply::json(200, &json!({"ok": true}));
    let with = Fixture::new([Reply::with_headers(429, &[("retry-after", "7")], "slow down"), ok()])
        .await?;
    with.get().await?;
    assert_eq!(with.slept(), [7000]);
    let without = Fixture::new([Reply::refusal(429, "rate_limit_exceeded"), ok()]).await?;
    without.get().await?;
    assert!((375..=500).contains(&without.slept()[0]));
    let server =
        Fixture::new([Reply::with_headers(502, &[], "<html>"), Reply::nothing(), ok()]).await?;
    server.get().await?;
    assert_eq!(server.double.lines().len(), 3);
    Ok(())
}

#[tokio::test]
async fn cut_and_garbled_answers_are_tried_again_and_then_told_without_their_words()
-> anyhow::Result<()> {
    let whole = Reply::json(200, &json!({"message": "patient Jane"}));
    let fixture = Fixture::new([whole.clone().cut(4), whole.clone().cut(4), whole.cut(4)]).await?;
    let error = fixture.get().await.err().ok_or_else(|| anyhow::anyhow!("accepted"))?;
    assert!(matches!(error, Error::Broken { attempts: 3, .. }), "{error:?}");
    assert!(error.is_ambiguous() && std::error::Error::source(&error).is_some());
    let garbled = Reply::with_headers(200, &[], r#"{"message": "patient Jane"#);
    let fixture = Fixture::new([garbled.clone(), garbled.clone(), garbled]).await?;
    let error = fixture.get().await.err().ok_or_else(|| anyhow::anyhow!("accepted"))?;
    assert_eq!(chain(&error), "the answer of 127.0.0.1 cannot be read: it ends in the middle");
    let shape = Fixture::new([Reply::json(200, &json!("patient Jane"))]).await?;
    let error = shape
        .client
        .get::<u8>(&Route::new(["models"])?)
        .await
        .err()
        .ok_or_else(|| anyhow::anyhow!("accepted"))?;
    assert!(
        matches!(error, Error::Answer { .. })
            && !format!("{error:?} {}", chain(&error)).contains("Jane")
    );
    Ok(())
}

#[tokio::test]
async fn attempts_end_and_say_how_many_there_were() -> anyhow::Result<()> {
    let fixture =
        Fixture::new([500, 503, 500].map(|status| Reply::refusal(status, "server_error"))).await?;
    let error = fixture.get().await.err().ok_or_else(|| anyhow::anyhow!("accepted"))?;
    assert_eq!(error.refusal().map(|refusal| refusal.attempts), Some(3));
    assert_eq!(fixture.double.lines().len(), 3);
    Ok(())
}

#[tokio::test]
async fn what_costs_money_is_not_sent_twice_after_an_unclear_answer() -> anyhow::Result<()> {
    for reply in [
        Reply::refusal(500, "server_error"),
        Reply::nothing(),
        Reply::json(200, &json!({"id": 1})).cut(2),
    ] {
        let fixture = Fixture::new([reply]).await?;
        let route = Route::new(["fine_tuning", "jobs"])?;
        let sent =
            fixture.client.post::<Value>(&route, &json!({"model": "m"}), Repeat::Unprocessed).await;
        let error = sent.err().ok_or_else(|| anyhow::anyhow!("accepted"))?;
        assert!(error.is_ambiguous(), "{error:?}");
        assert_eq!(fixture.double.lines(), ["POST /v1/fine_tuning/jobs"]);
    }
    Ok(())
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_not_ambiguous() -> anyhow::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    drop(listener);
    let endpoint = Endpoint::new(Provider::OpenAi, &format!("http://{address}/v1"), None)?;
    let client = Client::new(endpoint, Settings { retry: Retry::never(), ..Settings::default() })?;
    let error = client
        .get::<Value>(&Route::new(["models"])?)
        .await
        .err()
        .ok_or_else(|| anyhow::anyhow!("accepted"))?;
    assert!(
        matches!(error, Error::Unreachable { attempts: 1, .. }) && !error.is_ambiguous(),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_silent_service_is_given_up() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let endpoint =
        Endpoint::new(Provider::OpenAi, &format!("http://{}/v1", listener.local_addr()?), None)?;
    let settings = Settings {
        retry: Retry::never(),
        read_timeout: Duration::from_millis(50),
        ..Settings::default()
    };
    let client = Client::new(endpoint, settings)?;
    let error = client
        .get::<Value>(&Route::new(["models"])?)
        .await
        .err()
        .ok_or_else(|| anyhow::anyhow!("accepted"))?;
    let Error::Broken { source, .. } = &error else { anyhow::bail!("{error:?}") };
    assert!(source.is_timeout());
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed() -> anyhow::Result<()> {
    let fixture =
        Fixture::new([Reply::with_headers(307, &[("location", "http://127.0.0.1:1/")], "")])
            .await?;
    assert_eq!(fixture.get().await.err().and_then(|error| error.status()), Some(307));
    Ok(())
}

#[tokio::test]
async fn an_upload_tells_its_length_and_names_its_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "{\"messages\":[]}\n")?;
    let fixture =
        Fixture::new([Reply::refusal(503, "busy"), Reply::json(200, &json!({"id": "file-1"}))])
            .await?;
    let upload = Upload {
        path: path.clone(),
        filename: "train.jsonl".to_owned(),
        purpose: wire::Purpose::FineTune,
        byte_order_mark: true,
        progress: None,
    };
    let route = Route::new(["files"])?;
    let answer = fixture.client.upload(&route, upload.clone(), Repeat::Always).await?;
    assert_eq!(answer.outline(), r#"{"id":"file-1"}"#);
    let file: wire::FileObject = answer.read()?;
    assert_eq!(file.id.as_str(), "file-1");
    let asked = &fixture.double.asked()[1];
    assert_eq!(asked.headers["content-length"].parse(), Ok(asked.body.len()));
    assert!(!asked.headers.contains_key("transfer-encoding"));
    for part in [
        "name=\"purpose\"\r\n\r\nfine-tune",
        "filename=\"train.jsonl\"",
        "\u{feff}{\"messages\":[]}\n",
    ] {
        assert!(asked.body.contains(part), "{part}");
    }
    std::fs::remove_file(&path)?;
    let missing = fixture.client.upload(&route, upload, Repeat::Always).await;
    assert!(matches!(missing, Err(Error::File { .. })));
    Ok(())
}

#[tokio::test]
async fn a_part_is_its_range_of_the_file_and_a_file_that_shrank_is_no_part() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, "0123456789")?;
    let fixture = Fixture::new([Reply::json(200, &json!({"id": "part_1"}))]).await?;
    let route = Route::new(["uploads", "upload_1", "parts"])?;
    let part = |range| Part { path: path.clone(), range, byte_order_mark: false, progress: None };
    let sent: Value = fixture.client.upload_part(&route, part(3..7)).await?;
    assert_eq!(sent["id"], "part_1");
    let asked = &fixture.double.asked()[0];
    assert!(asked.body.contains("name=\"data\"") && asked.body.contains("\r\n\r\n3456\r\n"));
    let shrank = fixture.client.upload_part::<Value>(&route, part(8..20)).await;
    assert!(shrank.is_err());
    Ok(())
}

#[tokio::test]
async fn a_companys_certificates_are_read_or_named_as_none() -> anyhow::Result<()> {
    let endpoint = || Endpoint::new(Provider::OpenAi, "https://service.invalid/v1", None);
    let bad = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let settings = Settings { certificates: Some(bad.into()), ..Settings::default() };
    let error = Client::new(endpoint()?, settings).err().context("accepted")?;
    assert!(error.to_string().contains("certificate"), "{error}");
    Ok(())
}

#[tokio::test]
async fn posting_nothing_sends_no_body() -> anyhow::Result<()> {
    let fixture = Fixture::new([Reply::json(200, &json!({}))]).await?;
    let _: Value = fixture
        .client
        .post_empty(&Route::new(["fine_tuning", "jobs", "j", "cancel"])?, Repeat::Always)
        .await?;
    let asked = &fixture.double.asked()[0];
    assert_eq!((asked.body.as_str(), asked.headers.get("content-type")), ("", None));
    Ok(())
}

#[tokio::test]
async fn bytes_come_as_they_are_and_deletions_are_deletions() -> anyhow::Result<()> {
    let replies = [
        Reply::with_headers(200, &[], "step,loss"),
        Reply::json(200, &json!({"id": "file-1", "deleted": true})),
    ];
    let fixture = Fixture::new(replies).await?;
    let bytes =
        fixture.client.get_bytes(&Route::new(["files", "file-1", "content"])?, 1 << 20).await?;
    assert_eq!(&bytes[..], b"step,loss");
    let deleted: wire::Deleted = fixture.client.delete(&Route::new(["files", "file-1"])?).await?;
    assert!(deleted.deleted);
    assert_eq!(fixture.double.lines(), ["GET /v1/files/file-1/content", "DELETE /v1/files/file-1"]);
    Ok(())
}

fn request() -> wire::ChatRequest {
    wire::ChatRequest::new("m", vec![wire::ChatMessage::new(wire::Role::User, "hi")])
}

#[tokio::test]
async fn completions_and_tokens_are_asked_for_below_the_base_url() -> anyhow::Result<()> {
    let replies = [
        Reply::json(
            200,
            &json!({"choices": [{"text": "b", "logprobs": {"token_logprobs": [-0.5]}}]}),
        ),
        Reply::json(200, &json!({"tokens": [5, 6]})),
        Reply::json(200, &json!({"eos_token": {"content": "<end>"}})),
        Reply::events(
            "data: {\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
        Reply::events("data: {\"choices\":[{\"text\":\"b\"}]}\n\ndata: [DONE]\n\n"),
    ];
    let fixture = Fixture::new(replies).await?;
    let client = &fixture.client;
    let request = wire::CompletionRequest {
        max_tokens: Some(1),
        echo: Some(true),
        ..wire::CompletionRequest::new("m", wire::Prompt::Tokens(vec![1, 2]))
    };
    let whole = client.complete(&request).await?;
    let logprobs = whole.choices[0].logprobs.as_ref().expect("the service told them");
    assert_eq!(logprobs.token_logprobs, [Some(-0.5)]);
    let text = wire::TokenizeRequest { prompt: Some("a".to_owned()), ..Default::default() };
    assert_eq!(client.tokenize(&text).await?.tokens, [5, 6]);
    assert_eq!(client.tokenizer_info("a b").await?.eos_token.as_deref(), Some("<end>"));
    let mut stream = client.complete_stream(&request).await?;
    assert_eq!(
        stream.next().await?.map(|chunk| chunk.choices[0].text.clone()).as_deref(),
        Some("b")
    );
    assert!(stream.next().await?.is_none());
    let mut cut = client.complete_stream(&request).await?;
    assert!(cut.next().await?.is_some());
    assert!(matches!(cut.next().await, Err(Error::Cut)));
    let asked = fixture.double.lines();
    assert_eq!(
        asked[..3],
        ["POST /v1/completions", "POST /v1/tokenize", "GET /v1/tokenizer_info?model=a+b"]
    );
    let body: Value = serde_json::from_str(&fixture.double.asked()[0].body)?;
    assert_eq!(body["prompt"], json!([1, 2]));
    assert_eq!(body["stream"], false);
    Ok(())
}

async fn streamed(events: &str) -> anyhow::Result<(String, Option<Error>)> {
    let fixture = Fixture::new([Reply::events(events)]).await?;
    let mut stream = fixture.client.chat_stream(&request()).await?;
    let body: Value = serde_json::from_str(&fixture.double.asked()[0].body)?;
    assert_eq!(body["stream"], true);
    let mut text = String::new();
    loop {
        match stream.next().await {
            Ok(Some(chunk)) => {
                text.extend(chunk.choices.iter().filter_map(|choice| choice.delta.content.clone()));
            }
            Ok(None) => return Ok((text, None)),
            Err(error) => {
                assert!(stream.next().await.is_err(), "a broken stream does not end well later");
                return Ok((text, Some(error)));
            }
        }
    }
}

const A: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
const STOP: &str = ": ping\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[tokio::test]
async fn a_streamed_answer_is_whole_only_with_a_reason_and_done() -> anyhow::Result<()> {
    let (text, error) = streamed(&format!("{A}{STOP}data: [DONE]\n\n")).await?;
    assert!(text == "a" && error.is_none(), "{error:?}");
    for cut in [A.to_owned(), format!("{A}{STOP}"), format!("{A}data: [DONE]\n\n"), String::new()] {
        let (_, error) = streamed(&cut).await?;
        assert!(matches!(error, Some(Error::Cut)), "{cut}: {error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_in_a_stream_is_an_error_with_its_code() -> anyhow::Result<()> {
    let refusal = "data: {\"error\":{\"message\":\"overloaded\",\"code\":\"server_error\"}}\n\n";
    let (text, error) = streamed(&format!("{A}{refusal}{A}")).await?;
    assert_eq!(text, "a");
    let error = error.ok_or_else(|| anyhow::anyhow!("the error was taken for a piece"))?;
    assert_eq!(chain(&error), "the service broke the answer off: overloaded (server_error)");
    let (_, error) = streamed(&format!("{A}data: {{\"patient Jane\n\n")).await?;
    let error = error.ok_or_else(|| anyhow::anyhow!("garbage was accepted"))?;
    assert!(matches!(error, Error::Answer { .. }) && !format!("{error:?}").contains("Jane"));
    Ok(())
}

#[tokio::test]
async fn a_refused_or_ignored_stream_is_told_at_once() -> anyhow::Result<()> {
    let fixture = Fixture::new([Reply::refusal(404, "model_not_found")]).await?;
    assert_eq!(
        fixture.client.chat_stream(&request()).await.err().and_then(|error| error.status()),
        Some(404)
    );
    let fixture = Fixture::new([Reply::json(200, &json!({"choices": []}))]).await?;
    let error = fixture
        .client
        .chat_stream(&request())
        .await
        .err()
        .ok_or_else(|| anyhow::anyhow!("accepted"))?;
    assert!(matches!(error, Error::Answer { source: transport::Misread::NoStream, .. }));
    assert_eq!(fixture.double.lines().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_whole_chat_answer_is_read() -> anyhow::Result<()> {
    let body = json!({"choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]});
    let fixture = Fixture::new([Reply::json(200, &body)]).await?;
    let answer = fixture.client.chat(&request()).await?;
    assert_eq!(answer.choices[0].message.text(), "hello");
    assert_eq!(fixture.double.lines(), ["POST /v1/chat/completions"]);
    Ok(())
}

#[tokio::test]
async fn what_a_service_says_of_its_limits_comes_with_answers_and_refusals() -> anyhow::Result<()> {
    let body = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
    let headers = |remaining| {
        [
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", remaining),
            ("x-ratelimit-reset-tokens", "1m0s"),
        ]
    };
    let fixture = Fixture::new([
        Reply::with_headers(200, &headers("29000"), &body.to_string()),
        Reply::with_headers(429, &headers("0"), "{}"),
        Reply::refusal(503, "overloaded"),
    ])
    .await?;
    let (answer, limits) = fixture.client.chat_once(&request()).await?;
    assert_eq!((answer.choices.len(), limits.tokens.remaining), (1, Some(29_000)));
    assert_eq!(limits.tokens.reset, Some(Duration::from_secs(60)));
    let error = fixture.client.chat_once(&request()).await.unwrap_err();
    let refusal = error.refusal().map(|refusal| (refusal.status, refusal.limits.tokens.remaining));
    assert_eq!(refusal, Some((429, Some(0))));
    let error = fixture.client.chat_once(&request()).await.unwrap_err();
    assert_eq!(error.refusal().map(|refusal| refusal.limits), Some(RateLimits::default()));
    assert_eq!((fixture.double.lines().len(), fixture.slept().len()), (3, 0), "each asked once");
    Ok(())
}
