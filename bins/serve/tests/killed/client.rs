//! A client that tells an answer from silence.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::ledger::Recipe;

/// A job that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// A client of one server's life.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
}

/// The status of an answer, and its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        ensure!(self.status == 200, "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(serde_json::from_slice(&self.body)?)
    }

    pub(crate) fn id(&self) -> Result<String> {
        id(&self.json()?)
    }
}

pub(crate) fn id(value: &Value) -> Result<String> {
    Ok(value["id"].as_str().context("an answer has no id")?.to_owned())
}

impl Client {
    pub(crate) fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { http, url: url.to_owned() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// The whole answer; `None` where the server went away before it was complete.
    async fn answer(request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some(Answer { status, body: response.bytes().await.ok()?.to_vec() })
    }

    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        Self::answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn try_delete(&self, path: &str) -> Option<Answer> {
        Self::answer(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        Self::answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn try_upload(&self, content: &[u8]) -> Option<Answer> {
        let file = Part::bytes(content.to_vec()).file_name("rows.jsonl");
        let form = Form::new().text("purpose", "fine-tune").part("file", file);
        Self::answer(self.request(Method::POST, "/files").multipart(form)).await
    }

    pub(crate) async fn try_part(&self, upload: &str, content: &[u8]) -> Option<Answer> {
        let form = Form::new().part("data", Part::bytes(content.to_vec()).file_name("part"));
        let path = format!("/uploads/{upload}/parts");
        Self::answer(self.request(Method::POST, &path).multipart(form)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.try_get(path).await.context("no answer")?.json()
    }

    pub(crate) async fn post(&self, path: &str) -> Result<Value> {
        self.try_post(path, &json!({})).await.context("no answer")?.json()
    }

    /// Creates a job, with a file of its own.
    pub(crate) async fn create(&self, recipe: &Recipe) -> Result<String> {
        let file = self.try_upload(recipe.rows().as_bytes()).await.context("no answer")?.id()?;
        let created = self.try_post("/fine_tuning/jobs", &recipe.request(&file)).await;
        created.context("no answer")?.id()
    }

    pub(crate) async fn ended(&self, job: &str) -> Result<Value> {
        let path = format!("/fine_tuning/jobs/{job}");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let job = self.get(&path).await?;
            if ["succeeded", "failed", "cancelled"].iter().any(|end| job["status"] == *end) {
                return Ok(job);
            }
            ensure!(tokio::time::Instant::now() < deadline, "the job stays as {job}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn jobs(&self) -> Result<Vec<Value>> {
        self.pages("/fine_tuning/jobs", 100).await
    }

    /// All events of a job, oldest first.
    pub(crate) async fn events(&self, job: &str) -> Result<Vec<Value>> {
        let mut events = self.pages(&format!("/fine_tuning/jobs/{job}/events"), 1000).await?;
        events.reverse();
        Ok(events)
    }

    async fn pages(&self, path: &str, limit: usize) -> Result<Vec<Value>> {
        let mut items: Vec<Value> = Vec::new();
        loop {
            let after = match items.last() {
                Some(last) => format!("&after={}", id(last)?),
                None => String::new(),
            };
            let page = self.get(&format!("{path}?limit={limit}{after}")).await?;
            items.extend(page["data"].as_array().context("no list")?.iter().cloned());
            if page["has_more"] != json!(true) {
                return Ok(items);
            }
        }
    }
}
