//! A service that speaks the protocol and trains nothing: files, jobs, events, checkpoints and models, in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::http::{self, Message, answer};

/// How many events a job has.
pub(crate) const EVENTS: usize = 24;

/// In what the service is less than `OpenAI`'s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quirks {
    /// Whether jobs keep the caller's pairs.
    pub(crate) keeps_metadata: bool,
    /// Whether lists of jobs can be asked for by a pair.
    pub(crate) filters: bool,
    /// How many events each look at a job brings.
    pub(crate) pace: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    request: Value,
    told: usize,
    /// A state that it was put into.
    put: String,
}

impl Job {
    pub(crate) fn model(&self) -> &str {
        self.request["model"].as_str().unwrap_or_default()
    }

    pub(crate) fn request(&self) -> &Value {
        &self.request
    }

    /// Falls with the epochs and with a smaller rate, and over the steps.
    fn loss(&self, index: usize) -> f64 {
        let chosen = &self.request["method"]["supervised"]["hyperparameters"];
        let epochs = chosen["n_epochs"].as_f64().unwrap_or(1.0);
        let rate = chosen["learning_rate_multiplier"].as_f64().unwrap_or(1.0);
        3.0 - 0.3 * epochs + 0.1 * rate - 0.01 * index as f64
    }
}

/// What the service holds.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Files by id: their names and contents.
    pub(crate) files: BTreeMap<String, (String, Vec<u8>)>,
    pub(crate) jobs: Vec<Job>,
    /// How many files there were ever.
    taken: usize,
    /// Uploads by id: their names and parts.
    uploads: BTreeMap<String, (String, BTreeMap<String, Vec<u8>>)>,
    /// Words of a patient or a key that it mixes into everything it says.
    pub(crate) echo: String,
}

/// The running service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) address: std::net::SocketAddr,
    held: Arc<Mutex<Held>>,
}

impl Service {
    pub(crate) async fn start(quirks: Quirks) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let service = Self { address: listener.local_addr()?, held: Arc::default() };
        let held = Arc::clone(&service.held);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let held = Arc::clone(&held);
                tokio::spawn(async move { serve(stream, &held, quirks).await });
            }
        });
        Ok(service)
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(stream: TcpStream, held: &Mutex<Held>, quirks: Quirks) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = http::read(&mut stream).await? {
        let answered = {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.answer(&asked, quirks)
        };
        stream.get_mut().write_all(&answered).await?;
    }
    Ok(())
}

impl Held {
    fn answer(&mut self, asked: &Message, quirks: Quirks) -> Vec<u8> {
        let mut words = asked.line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        match (method, parts.as_slice()) {
            ("GET", ["models", id]) => model(id),
            ("GET", ["files"]) => self.list_files(),
            ("POST", ["files"]) => self.take_file(asked),
            ("GET", ["files", id]) => self.file(id),
            ("DELETE", ["files", id]) => {
                let deleted = self.files.remove(*id).is_some();
                json_of(200, &json!({"id": id, "object": "file", "deleted": deleted}))
            }
            ("POST", ["uploads"]) => self.begin_upload(&asked.body),
            ("POST", ["uploads", _, "parts"]) => self.take_part(asked),
            ("POST", ["uploads", id, "complete"]) => self.complete(id, &asked.body),
            ("GET", ["fine_tuning", "jobs"]) => self.list_jobs(query, quirks),
            ("POST", ["fine_tuning", "jobs"]) => self.make_job(&asked.body, quirks),
            ("GET", ["fine_tuning", "jobs", id]) => self.look(id, quirks),
            ("POST", ["fine_tuning", "jobs", id, "pause"]) => self.put(id, "paused", quirks),
            ("POST", ["fine_tuning", "jobs", id, "resume"]) => self.put(id, "", quirks),
            ("POST", ["fine_tuning", "jobs", id, "cancel"]) => self.put(id, "cancelled", quirks),
            ("GET", ["fine_tuning", "jobs", id, "events"]) => self.events(id, query),
            ("GET", ["fine_tuning", "jobs", _, "checkpoints"]) => list(&[], false),
            _ => {
                json_of(404, &json!({"error": {"message": format!("no such thing {}", self.echo)}}))
            }
        }
    }

    fn list_files(&self) -> Vec<u8> {
        let files: Vec<Value> =
            self.files.iter().map(|(id, (name, content))| of_file(id, name, content)).collect();
        list(&files, false)
    }

    fn file(&self, id: &str) -> Vec<u8> {
        match self.files.get(id) {
            Some((name, content)) => json_of(200, &of_file(id, name, content)),
            None => json_of(404, &json!({"error": {"message": "no such file"}})),
        }
    }

    fn take_file(&mut self, asked: &Message) -> Vec<u8> {
        let (name, content) = form(&asked.body);
        let id = self.keep(name, content);
        self.file(&id)
    }

    fn keep(&mut self, name: String, content: Vec<u8>) -> String {
        self.taken += 1;
        let id = format!("file-{}", self.taken);
        self.files.insert(id.clone(), (name, content));
        id
    }

    fn begin_upload(&mut self, body: &[u8]) -> Vec<u8> {
        let request: Value = serde_json::from_slice(body).expect("a request is JSON");
        let id = format!("upload_{}", self.uploads.len() + 1);
        let name = request["filename"].as_str().expect("an upload has a name").to_owned();
        self.uploads.insert(id.clone(), (name, BTreeMap::new()));
        json_of(200, &json!({"id": id, "object": "upload", "status": "pending"}))
    }

    fn take_part(&mut self, asked: &Message) -> Vec<u8> {
        let upload = asked.line.split('/').nth(3).unwrap_or_default();
        let Some((_, parts)) = self.uploads.get_mut(upload) else {
            return json_of(404, &json!({"error": {"message": "no such upload"}}));
        };
        let id = format!("part_{}", parts.len() + 1);
        parts.insert(id.clone(), form(&asked.body).1);
        json_of(200, &json!({"id": id, "object": "upload.part", "upload_id": upload}))
    }

    fn complete(&mut self, id: &str, body: &[u8]) -> Vec<u8> {
        let request: Value = serde_json::from_slice(body).expect("a request is JSON");
        let Some((name, parts)) = self.uploads.remove(id) else {
            return json_of(400, &json!({"error": {"message": "no such upload"}}));
        };
        let ids = request["part_ids"].as_array().expect("parts are listed");
        let content =
            ids.iter().flat_map(|id| parts[id.as_str().unwrap_or_default()].clone()).collect();
        let file = self.keep(name, content);
        let (name, content) = &self.files[&file];
        json_of(
            200,
            &json!({"id": id, "object": "upload", "status": "completed", "file": of_file(&file, name, content)}),
        )
    }

    fn put(&mut self, id: &str, state: &str, quirks: Quirks) -> Vec<u8> {
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return json_of(404, &json!({"error": {"message": "no such job"}}));
        };
        state.clone_into(&mut job.put);
        let job = job.clone();
        json_of(200, &self.of_job(&job, quirks))
    }

    fn list_jobs(&self, query: &str, quirks: Quirks) -> Vec<u8> {
        let wanted =
            query.split('&').find_map(|pair| pair.strip_prefix("metadata%5Bmedtune_key%5D="));
        let is_wanted = |job: &&Job| match wanted.filter(|_| quirks.filters) {
            Some(wanted) => job.request["metadata"]["medtune_key"] == wanted,
            None => true,
        };
        let jobs: Vec<Value> =
            self.jobs.iter().rev().filter(is_wanted).map(|job| self.of_job(job, quirks)).collect();
        list(&jobs, false)
    }

    fn make_job(&mut self, body: &[u8], quirks: Quirks) -> Vec<u8> {
        let request: Value = serde_json::from_slice(body).expect("a request is JSON");
        let id = format!("ftjob-{}", self.jobs.len() + 1);
        self.jobs.push(Job { id, request, told: 0, put: String::new() });
        let job = self.jobs.last().expect("one was pushed");
        json_of(200, &self.of_job(job, quirks))
    }

    fn look(&mut self, id: &str, quirks: Quirks) -> Vec<u8> {
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return json_of(404, &json!({"error": {"message": "no such job"}}));
        };
        job.told = (job.told + quirks.pace).min(EVENTS);
        let job = job.clone();
        json_of(200, &self.of_job(&job, quirks))
    }

    fn of_job(&self, job: &Job, quirks: Quirks) -> Value {
        let status = match job.told {
            0 if job.put.is_empty() => "queued",
            _ if !job.put.is_empty() => job.put.as_str(),
            EVENTS => "succeeded",
            _ => "running",
        };
        let model = (status == "succeeded").then(|| format!("ft:base:org:med-cot-v1:{}", job.id));
        let metadata =
            if quirks.keeps_metadata { job.request["metadata"].clone() } else { Value::Null };
        json!({"id": job.id, "object": "fine_tuning.job", "model": job.request["model"], "status": status, "created_at": 10,
            "finished_at": model.as_ref().map(|_| 40), "training_file": job.request["training_file"], "validation_file": job.request["validation_file"],
            "fine_tuned_model": model, "trained_tokens": 600, "error": {}, "metadata": metadata, "note": self.echo, "seed": job.request["seed"]})
    }

    fn events(&self, id: &str, query: &str) -> Vec<u8> {
        let Some(job) = self.jobs.iter().find(|job| job.id == id) else { return list(&[], false) };
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        // Small pages, so that what is new takes several.
        let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20_usize).min(5);
        let before = value("after")
            .and_then(|id| id.trim_start_matches('e').parse().ok())
            .unwrap_or(job.told);
        let newest_first: Vec<usize> = (0..before.min(job.told)).rev().collect();
        let page: Vec<Value> = newest_first
            .iter()
            .take(limit)
            .map(|index| self.event(*index, job.loss(*index)))
            .collect();
        list(&page, newest_first.len() > limit)
    }

    fn event(&self, index: usize, loss: f64) -> Value {
        json!({"id": format!("e{index}"), "object": "fine_tuning.job.event", "created_at": 10 + index / 4, "level": "info",
            "type": if index.is_multiple_of(2) { "metrics" } else { "message" }, "message": format!("Step {index} {}", self.echo),
            "data": {"step": index, "total_steps": EVENTS, "train_loss": 3.0, "valid_loss": loss, "note": self.echo}})
    }
}

/// The name and the content of the file in a form.
fn form(body: &[u8]) -> (String, Vec<u8>) {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("filename=\"").expect("a part names its file");
    let (name, rest) = rest.split_once('"').expect("a name ends");
    let (_, rest) = rest.split_once("\r\n\r\n").expect("a part has a head");
    let content = rest.rsplit_once("\r\n--").expect("a form ends").0;
    (name.to_owned(), content.as_bytes().to_vec())
}

/// A model, which may be unknown or shut down by its name.
fn model(id: &str) -> Vec<u8> {
    if id == "unknown" {
        return json_of(
            404,
            &json!({"error": {"message": "no such model", "code": "model_not_found"}}),
        );
    }
    let shutdown = id.strip_prefix("gone-");
    json_of(200, &json!({"id": id, "object": "model", "shutdown_date": shutdown}))
}

fn of_file(id: &str, name: &str, content: &[u8]) -> Value {
    json!({"id": id, "object": "file", "filename": name, "bytes": content.len(), "purpose": "fine-tune", "status": "processed"})
}

fn list(items: &[Value], has_more: bool) -> Vec<u8> {
    json_of(200, &json!({"object": "list", "data": items, "has_more": has_more}))
}

fn json_of(status: u16, body: &Value) -> Vec<u8> {
    answer(status, "application/json", "", body.to_string().as_bytes())
}
