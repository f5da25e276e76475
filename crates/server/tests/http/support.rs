//! A server over the tiny model, and a client that knows no types: what it reads is what was sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use server::{BaseModel, Embedded, Options, Token};

/// The name of the model in `tests/golden/tiny-llama`.
pub(crate) const MODEL: &str = "tiny-llama";
/// A test that waits for longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn tiny_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama")
}

pub(crate) fn options(data_dir: &Path) -> Options {
    let model = BaseModel { id: MODEL.to_owned(), path: tiny_model(), sha256: "5eed".repeat(16) };
    Options::new(data_dir, vec![model])
}

/// A running server and its data folder.
pub(crate) struct Service {
    pub(crate) embedded: Embedded,
    pub(crate) http: reqwest::Client,
    pub(crate) data: tempfile::TempDir,
}

impl Service {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Result<Self> {
        Self::over(tempfile::tempdir()?, change).await
    }

    pub(crate) async fn over(
        data: tempfile::TempDir,
        change: impl FnOnce(&mut Options),
    ) -> Result<Self> {
        let mut options = options(data.path());
        options.token = Token::new("key-of-the-test");
        change(&mut options);
        let embedded = Embedded::start(options).await?;
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { embedded, http, data })
    }

    /// Stops the server and starts another one over the same folder.
    pub(crate) async fn restart(self, change: impl FnOnce(&mut Options)) -> Result<Self> {
        self.embedded.shutdown().await?;
        Self::over(self.data, change).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.embedded.base_url())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let key = self.embedded.token().expose();
        self.http.request(method, self.url(path)).bearer_auth(key)
    }

    /// The answer to a request that should succeed.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        good(self.request(Method::GET, path).send().await?).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        good(self.request(Method::DELETE, path).send().await?).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        good(self.request(Method::POST, path).json(body).send().await?).await
    }

    /// The refusal of a request that should be refused.
    pub(crate) async fn refusal(&self, method: Method, path: &str, body: Value) -> Result<String> {
        refusal(self.request(method, path).json(&body).send().await?).await
    }

    /// Uploads `content` as a training file and returns its id.
    pub(crate) async fn upload(&self, content: impl Into<Vec<u8>>) -> Result<String> {
        let form = Form::new()
            .text("purpose", "fine-tune")
            .part("file", Part::bytes(content.into()).file_name("train.jsonl"));
        let file = good(self.request(Method::POST, "/files").multipart(form).send().await?).await?;
        text(&file, "id")
    }

    /// Waits until the job has come to its end.
    pub(crate) async fn ended(&self, job: &str) -> Result<Value> {
        self.until(job, |job| {
            ["succeeded", "failed", "cancelled"].iter().any(|end| job["status"] == *end)
        })
        .await
    }

    /// Waits until the job is as wanted.
    pub(crate) async fn until(&self, job: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let state = self.get(&format!("/fine_tuning/jobs/{job}")).await?;
            if wanted(&state) {
                return Ok(state);
            }
            ensure!(tokio::time::Instant::now() < deadline, "the job stays as {state}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All events of a job, oldest first, fetched page by page.
    pub(crate) async fn events(&self, job: &str) -> Result<Vec<Value>> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let after = match events.last() {
                Some(last) => format!("&after={}", text(last, "id")?),
                None => String::new(),
            };
            let page = self.get(&format!("/fine_tuning/jobs/{job}/events?limit=7{after}")).await?;
            events.extend(page["data"].as_array().context("no list")?.iter().cloned());
            if page["has_more"] == json!(false) {
                events.reverse();
                return Ok(events);
            }
        }
    }
}

pub(crate) async fn good(response: Response) -> Result<Value> {
    let status = response.status();
    let body = response.text().await?;
    ensure!(status == StatusCode::OK, "{status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

/// `status type param code: message` of a refusal, whose shape is checked.
pub(crate) async fn refusal(response: Response) -> Result<String> {
    let status = response.status();
    ensure!(response.headers().contains_key("x-request-id"), "no request id");
    let body = response.text().await?;
    let answer: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
    let Value::Object(error) = &answer["error"] else { bail!("{status}: {body}") };
    let names: Vec<&str> = error.keys().map(String::as_str).collect();
    ensure!(names == ["message", "type", "param", "code"], "{body}");
    let part = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
    let (kind, param, code) = (part("type"), part("param"), part("code"));
    Ok(format!("{} {kind} {param} {code}: {}", status.as_u16(), part("message")))
}

pub(crate) fn text(value: &Value, name: &str) -> Result<String> {
    Ok(value[name].as_str().with_context(|| format!("no text `{name}` in {value}"))?.to_owned())
}

/// `count` training rows, each a little different.
pub(crate) fn rows(count: usize) -> String {
    (0..count).map(|index| row(&format!("number {index}?"), &format!("yes, {index}"))).collect()
}

pub(crate) fn row(question: &str, answer: &str) -> String {
    let row = json!({"messages": [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]});
    format!("{row}\n")
}
