//! What the server acknowledged, and whether it is still true.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use serde_json::{Value, json};

use crate::client::{Answer, Client, id};

/// Jobs short enough to end between some kills: an epoch, and so a training state, every 10 or 6 steps.
pub(crate) const RECIPES: [Recipe; 4] = [
    Recipe { rows: 10, epochs: 12, batch: 1, seed: 1, method: "supervised" },
    Recipe { rows: 12, epochs: 20, batch: 2, seed: 2, method: "supervised" },
    Recipe { rows: 40, epochs: 2, batch: 1, seed: 3, method: "supervised" },
    Recipe { rows: 10, epochs: 8, batch: 2, seed: 4, method: "dpo" },
];
/// More jobs at a time would only wait for each other.
const UNFINISHED_JOBS: usize = 3;

/// What a job trains on and how; its seed says which it is.
#[derive(Debug)]
pub(crate) struct Recipe {
    rows: usize,
    epochs: usize,
    batch: usize,
    seed: usize,
    method: &'static str,
}

impl Recipe {
    pub(crate) fn rows(&self) -> String {
        match self.method {
            "dpo" => preferences(self.rows),
            _ => rows(self.rows, self.seed as u64),
        }
    }

    pub(crate) fn request(&self, file: &str) -> Value {
        let hyperparameters = json!({"n_epochs": self.epochs, "batch_size": self.batch});
        let method =
            json!({"type": self.method, self.method: {"hyperparameters": hyperparameters}});
        json!({"model": "tiny-llama", "training_file": file, "seed": self.seed, "method": method})
    }

    /// The place of the recipe that `job` follows.
    pub(crate) fn of(job: &Value) -> Option<usize> {
        RECIPES.iter().position(|recipe| job["seed"] == recipe.seed)
    }
}

fn rows(count: usize, salt: u64) -> String {
    let row = |index| {
        json!({"messages": [
            {"role": "user", "content": format!("number {index} of {salt}?")},
            {"role": "assistant", "content": format!("yes, {}", index * 7)},
        ]})
    };
    let lines: Vec<String> = (0..count).map(|index| row(index).to_string()).collect();
    lines.join("\n") + "\n"
}

fn preferences(count: usize) -> String {
    let answer = |text: String| json!([{"role": "assistant", "content": text}]);
    let row = |index| {
        json!({
            "input": {"messages": [{"role": "user", "content": format!("number {index}?")}]},
            "preferred_output": answer(format!("yes, {index}")),
            "non_preferred_output": answer("no".repeat(1 + index % 3)),
        })
    };
    let lines: Vec<String> = (0..count).map(|index| row(index).to_string()).collect();
    lines.join("\n") + "\n"
}

/// An upload under way.
struct Pending {
    content: Vec<u8>,
    /// The parts that were acknowledged, in the order of the content.
    parts: Vec<String>,
    sent: usize,
}

/// A job that was acknowledged.
#[derive(Default)]
struct Known {
    events: Vec<Value>,
    end: Option<Value>,
}

/// Everything that was acknowledged so far.
#[derive(Default)]
pub(crate) struct Ledger {
    files: BTreeMap<String, Vec<u8>>,
    /// Those whose deletion was asked for and not acknowledged.
    doubtful: BTreeSet<String>,
    gone: BTreeSet<String>,
    uploads: BTreeMap<String, Pending>,
    jobs: BTreeMap<String, Known>,
    joined: usize,
}

impl Ledger {
    pub(crate) fn summary(&self) -> String {
        let events = || self.jobs.values().flat_map(|job| &job.events);
        let taken_up = |event: &&Value| {
            event["message"].as_str().is_some_and(|text| text.contains("server was restarted"))
        };
        format!(
            "{} files, {} joined uploads, {} deletions, {} jobs with {} events, training taken up {} times",
            self.files.len(),
            self.joined,
            self.gone.len(),
            self.jobs.len(),
            events().count(),
            events().filter(taken_up).count()
        )
    }

    /// Does one thing; false when the server gave no answer.
    pub(crate) async fn act(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<bool> {
        let done = match random.next_u64() % 8 {
            0 => self.upload(client, random).await?,
            1 | 2 => self.send_part(client, random).await?,
            3 | 4 => self.start_job(client, random).await?,
            5 => self.steer(client, random).await?,
            6 => self.delete(client, random).await?,
            _ => self.read(client, random).await?,
        };
        Ok(done.is_some())
    }

    async fn upload(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<Option<()>> {
        let content = rows(1 + pick(random, 200), random.next_u64()).into_bytes();
        let Some(answer) = client.try_upload(&content).await else { return Ok(None) };
        self.files.insert(answer.id()?, content);
        Ok(Some(()))
    }

    /// Sends the next part of an upload, or begins one.
    async fn send_part(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<Option<()>> {
        let Some((upload, pending)) = self.uploads.iter_mut().next() else {
            let content = rows(1 + pick(random, 400), random.next_u64()).into_bytes();
            let request = json!({"filename": "rows.jsonl", "purpose": "fine-tune", "bytes": content.len(), "mime_type": "text/jsonl"});
            let Some(answer) = client.try_post("/uploads", &request).await else { return Ok(None) };
            self.uploads.insert(answer.id()?, Pending { content, parts: Vec::new(), sent: 0 });
            return Ok(Some(()));
        };
        if pending.sent == pending.content.len() {
            let upload = upload.clone();
            return self.join(client, &upload).await;
        }
        let end = (pending.sent + 1 + pick(random, 20_000)).min(pending.content.len());
        let part = &pending.content[pending.sent..end];
        let Some(answer) = client.try_part(upload, part).await else { return Ok(None) };
        pending.parts.push(answer.id()?);
        pending.sent = end;
        Ok(Some(()))
    }

    async fn join(&mut self, client: &Client, upload: &str) -> Result<Option<()>> {
        let pending = self.uploads.get(upload).context("an upload of nobody's")?;
        let path = format!("/uploads/{upload}/complete");
        let request = json!({"part_ids": pending.parts});
        let Some(answer) = client.try_post(&path, &request).await else { return Ok(None) };
        let file = id(&answer.json()?["file"])?;
        if let Some(pending) = self.uploads.remove(upload) {
            self.files.insert(file, pending.content);
            self.joined += 1;
        }
        Ok(Some(()))
    }

    async fn start_job(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<Option<()>> {
        if self.jobs.values().filter(|job| job.end.is_none()).count() >= UNFINISHED_JOBS {
            return self.read(client, random).await;
        }
        let recipe = &RECIPES[pick(random, RECIPES.len())];
        let content = recipe.rows().into_bytes();
        let Some(answer) = client.try_upload(&content).await else { return Ok(None) };
        let file = answer.id()?;
        self.files.insert(file.clone(), content);
        let request = recipe.request(&file);
        let Some(answer) = client.try_post("/fine_tuning/jobs", &request).await else {
            return Ok(None);
        };
        self.jobs.insert(answer.id()?, Known::default());
        Ok(Some(()))
    }

    /// Pauses, resumes or (seldom) cancels a job.
    async fn steer(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<Option<()>> {
        let Some(job) = self.unfinished(random) else { return Ok(Some(())) };
        let verb = ["pause", "resume", "resume", "cancel"][pick(random, 4)];
        let verb = if verb == "cancel" && pick(random, 3) > 0 { "resume" } else { verb };
        let path = format!("/fine_tuning/jobs/{job}/{verb}");
        let Some(answer) = client.try_post(&path, &json!({})).await else { return Ok(None) };
        // 400: the job has come to its end meanwhile.
        if answer.status != 400 && verb == "cancel" {
            self.note_end(&job, &answer.json()?);
        }
        Ok(Some(()))
    }

    async fn delete(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<Option<()>> {
        let ids: Vec<&String> = self.files.keys().collect();
        let Some(file) = ids.get(pick(random, ids.len().max(1))).map(|id| (*id).clone()) else {
            return Ok(Some(()));
        };
        self.doubtful.insert(file.clone());
        let Some(answer) = client.try_delete(&format!("/files/{file}")).await else {
            return Ok(None);
        };
        self.doubtful.remove(&file);
        // 409: an unfinished job needs it.
        if answer.status != 409 {
            ensure!(answer.json()?["deleted"] == true, "a file was not deleted");
            self.files.remove(&file);
            self.gone.insert(file);
        }
        Ok(Some(()))
    }

    /// Reads a job and its newest events, which are acknowledged by that.
    async fn read(&mut self, client: &Client, random: &mut ChaCha8Rng) -> Result<Option<()>> {
        let Some(id) = self.unfinished(random) else { return Ok(Some(())) };
        let path = format!("/fine_tuning/jobs/{id}");
        let Some(job) = client.try_get(&path).await else { return Ok(None) };
        let Some(events) = client.try_get(&format!("{path}/events?limit=1000")).await else {
            return Ok(None);
        };
        self.note_end(&id, &job.json()?);
        let mut events = events.json()?["data"].as_array().cloned().unwrap_or_default();
        events.reverse();
        self.note_events(&id, events)?;
        Ok(Some(()))
    }

    fn unfinished(&self, random: &mut ChaCha8Rng) -> Option<String> {
        let jobs: Vec<&String> =
            self.jobs.iter().filter(|(_, job)| job.end.is_none()).map(|(id, _)| id).collect();
        jobs.get(pick(random, jobs.len().max(1))).map(|id| (*id).clone())
    }

    fn note_end(&mut self, id: &str, job: &Value) {
        if job["finished_at"].is_i64()
            && let Some(known) = self.jobs.get_mut(id)
        {
            known.end = Some(job.clone());
        }
    }

    /// Takes up the newer events; the older ones must be as they were.
    fn note_events(&mut self, id: &str, events: Vec<Value>) -> Result<()> {
        let known = self.jobs.get_mut(id).context("a job of nobody's")?;
        ensure!(events.starts_with(&known.events), "events of {id} are lost or changed");
        known.events = events;
        Ok(())
    }

    /// Looks whether everything acknowledged is there.
    pub(crate) async fn check(&mut self, client: &Client) -> Result<()> {
        for upload in self.uploads.keys().cloned().collect::<Vec<_>>() {
            if self.uploads[&upload].sent == self.uploads[&upload].content.len() {
                self.join(client, &upload).await?.context("no answer")?;
            }
        }
        for (id, content) in &self.files {
            let answer = content_of(client, id).await?;
            let whole = answer.status == 200 && answer.body == *content;
            let deleted = answer.status == 404 && self.doubtful.contains(id);
            ensure!(whole || deleted, "the file {id} is lost: {}", answer.status);
        }
        for id in std::mem::take(&mut self.doubtful) {
            if content_of(client, &id).await?.status == 404 {
                self.files.remove(&id);
                self.gone.insert(id);
            }
        }
        for id in &self.gone {
            ensure!(content_of(client, id).await?.status == 404, "the file {id} is back");
        }
        for id in self.jobs.keys().cloned().collect::<Vec<_>>() {
            let job = client.get(&format!("/fine_tuning/jobs/{id}")).await?;
            if let Some(end) = &self.jobs[&id].end {
                ensure!(job == *end, "the job {id} went on behind its end");
            }
            self.note_end(&id, &job);
            let events = client.events(&id).await?;
            self.note_events(&id, events)?;
            self.check_story(client, &id).await?;
        }
        Ok(())
    }

    /// Looks whether the job's events tell of each step once and in order, and of one start and one end.
    pub(crate) async fn check_story(&self, client: &Client, id: &str) -> Result<()> {
        let events = client.events(id).await?;
        let messages = || events.iter().filter_map(|event| event["message"].as_str());
        let steps: Vec<u64> =
            events.iter().filter_map(|event| event["data"]["step"].as_u64()).collect();
        ensure!(steps.iter().copied().eq(1..=steps.len() as u64), "steps of {id}: {steps:?}");
        for once in ["Created", "Fine-tuning job started", "New fine-tuned model", "The job has"] {
            let count = messages().filter(|message| message.starts_with(once)).count();
            ensure!(count <= 1, "`{once}` is told {count} times of {id}");
        }
        Ok(())
    }
}

async fn content_of(client: &Client, file: &str) -> Result<Answer> {
    client.try_get(&format!("/files/{file}/content")).await.context("no answer")
}

fn pick(random: &mut ChaCha8Rng, below: usize) -> usize {
    usize::try_from(random.next_u64() % below.max(1) as u64).unwrap_or_default()
}
