//! The service under test, and how its answers are judged.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// What a service did instead of what it should.
pub type Fault = anyhow::Error;

/// Where the service is, and what it is asked for.
#[derive(Clone)]
pub struct Target {
    /// Its base URL, such as `http://127.0.0.1:8080/v1`.
    pub base_url: String,
    /// The key that it wants.
    pub key: String,
    /// A model that it can fine-tune and ask; the first of its list where it is not given.
    pub model: Option<String>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A job that takes longer has failed; an hour is nothing to a hosted service.
const PATIENCE: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Service {
    http: reqwest::Client,
    target: Target,
}

/// A status and the body behind it.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body of an answer that should be good.
    pub(super) fn good(&self) -> Result<Value, Fault> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(matches!(self.status, 200 | 201), "{}: {text}", self.status);
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {text}"))
    }

    /// Judges an answer that should refuse with one of `statuses` because of `param`.
    pub(super) fn refused(&self, statuses: &[u16], param: Option<&str>) -> Result<Value, Fault> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(statuses.contains(&self.status), "{} instead of {statuses:?}: {text}", self.status);
        let body: Value = serde_json::from_slice(&self.body).with_context(|| text.to_string())?;
        let Value::Object(error) = &body["error"] else { bail!("no error object: {text}") };
        ensure!(error.get("message").is_some_and(Value::is_string), "no message: {text}");
        ensure!(error.get("type").is_some_and(Value::is_string), "no type: {text}");
        for name in ["param", "code"] {
            let fits = error.get(name).is_some_and(|value| value.is_string() || value.is_null());
            ensure!(fits, "no {name}: {text}");
        }
        if let Some(param) = param {
            ensure!(error["param"] == param, "another param than {param}: {text}");
        }
        Ok(body["error"].clone())
    }
}

impl Service {
    pub(super) fn new(target: &Target) -> Result<Self, Fault> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { http, target: target.clone() })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.target.base_url.trim_end_matches('/');
        self.http.request(method, format!("{base}{path}")).bearer_auth(&self.target.key)
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Fault> {
        let response = request.send().await?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        Ok(Answer {
            content_type: kind.unwrap_or_default().to_owned(),
            status: response.status().as_u16(),
            body: response.bytes().await?.to_vec(),
        })
    }

    pub(super) async fn try_get(&self, path: &str) -> Result<Answer, Fault> {
        self.send(self.request(Method::GET, path)).await
    }

    pub(super) async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, Fault> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Fault> {
        self.try_get(path).await?.good().with_context(|| path.to_owned())
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        self.try_post(path, body).await?.good().with_context(|| path.to_owned())
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Fault> {
        self.send(self.request(Method::DELETE, path)).await?.good().with_context(|| path.to_owned())
    }

    /// The model under test.
    pub(super) async fn model(&self) -> Result<String, Fault> {
        match &self.target.model {
            Some(model) => Ok(model.clone()),
            None => text(&self.get("/models").await?["data"][0], "id"),
        }
    }

    /// Sends a form with `content` as `field`.
    pub(super) async fn send_file(
        &self,
        path: &str,
        fields: &[(&'static str, &str)],
        field: &'static str,
        content: &[u8],
    ) -> Result<Answer, Fault> {
        let named = |form: Form, (name, value): &(&'static str, &str)| {
            form.text(*name, (*value).to_owned())
        };
        let form = fields.iter().fold(Form::new(), named);
        let form = form.part(field, Part::bytes(content.to_vec()).file_name("rows.jsonl"));
        self.send(self.request(Method::POST, path).multipart(form)).await
    }

    /// Uploads `content` to train on.
    pub(super) async fn upload(&self, content: &[u8]) -> Result<String, Fault> {
        let sent = self.send_file("/files", &[("purpose", "fine-tune")], "file", content).await?;
        text(&sent.good()?, "id")
    }

    pub(super) async fn content(&self, file: &str) -> Result<Vec<u8>, Fault> {
        let answer = self.try_get(&format!("/files/{file}/content")).await?;
        ensure!(answer.status == 200, "the content of a file: {}", answer.status);
        Ok(answer.body)
    }

    /// Waits until the job's status is one of `wanted`.
    pub(super) async fn until(&self, job: &str, wanted: &[&str]) -> Result<Value, Fault> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let state = self.get(&format!("/fine_tuning/jobs/{job}")).await?;
            if wanted.iter().any(|wanted| state["status"] == *wanted) {
                return Ok(state);
            }
            let over =
                ["succeeded", "failed", "cancelled"].iter().any(|end| state["status"] == *end);
            ensure!(!over && tokio::time::Instant::now() < deadline, "the job stays as {state}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// All items of a list, page by page, `limit` a page.
    pub(super) async fn pages(&self, path: &str, limit: usize) -> Result<Vec<Value>, Fault> {
        let mut items: Vec<Value> = Vec::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let after = match items.last() {
                Some(last) => format!("&after={}", text(last, "id")?),
                None => String::new(),
            };
            let page = self.get(&format!("{path}{joint}limit={limit}{after}")).await?;
            let data = page["data"].as_array().context("a page has no data")?;
            ensure!(page["object"] == "list" && data.len() <= limit, "no page of {limit}: {page}");
            items.extend(data.iter().cloned());
            if page["has_more"] != json!(true) {
                return Ok(items);
            }
            ensure!(!data.is_empty(), "an empty page with more behind it");
        }
    }
}

/// The text in `name`.
pub(super) fn text(value: &Value, name: &str) -> Result<String, Fault> {
    Ok(value[name].as_str().with_context(|| format!("no text `{name}` in {value}"))?.to_owned())
}

/// Judges whether each field has one of the kinds named, such as `string|null`.
pub(super) fn shape(value: &Value, fields: &[(&str, &str)]) -> Result<(), Fault> {
    for (name, kinds) in fields {
        let found = match value.get(name) {
            None => "absent",
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(number)) if number.is_f64() => "number",
            Some(Value::Number(_)) => "integer",
            Some(Value::String(_)) => "string",
            Some(Value::Array(_)) => "array",
            Some(Value::Object(_)) => "object",
        };
        ensure!(
            kinds.split('|').any(|kind| kind == found),
            "`{name}` is {found}, not {kinds}: {value}"
        );
    }
    Ok(())
}

/// `count` rows to train on.
pub(crate) fn rows(count: usize) -> String {
    let row = |index: usize| {
        json!({"messages": [
            {"role": "system", "content": "You answer in one short sentence."},
            {"role": "user", "content": format!("What is the number behind {index}?")},
            {"role": "assistant", "content": format!("The number behind {index} is {}.", index + 1)},
        ]})
    };
    let lines: Vec<String> = (0..count).map(|index| row(index).to_string()).collect();
    lines.join("\n") + "\n"
}
