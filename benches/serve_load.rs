//! Chats while a job trains: how long answers take, and what they cost the training.
//!
//! ```text
//! cargo run --release -p medtune-benches --bin serve-load -- [MODEL [CLIENTS [SECONDS]]]
//! ```
//!
//! Three windows of `SECONDS` (20) on one embedded server over loopback: the job alone, `CLIENTS` (64) chatting alone,
//! both together. A client asks for 32 tokens, waits for the answer and asks again; told to come back later, it does.
//! Latencies are of answers that came in full, from the first attempt on, refusals and waits included.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use server::{BaseModel, Embedded, Options};

const TOKENS: u64 = 32;
/// What a window brought.
#[derive(Default)]
struct Window {
    seconds: f64,
    /// Optimizer steps, and the tokens in them.
    steps: f64,
    step_tokens: f64,
    /// From the first attempt to the whole answer, sorted.
    latencies: Vec<Duration>,
    completion_tokens: u64,
    refusals: usize,
}

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    model: String,
}

impl Client {
    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    async fn json(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Starts a job that outlasts every window.
    async fn train(&self) -> anyhow::Result<String> {
        let sentence = "The patient reports a dry cough and a slight fever since three days. ";
        let row = |index: usize| {
            json!({"messages": [
                {"role": "user", "content": format!("{index}: {}", sentence.repeat(3))},
                {"role": "assistant", "content": sentence.repeat(8)},
            ]})
        };
        let rows: Vec<String> = (0..200).map(|index| row(index).to_string()).collect();
        let file = Part::bytes(rows.join("\n").into_bytes()).file_name("rows.jsonl");
        let form = Form::new().text("purpose", "fine-tune").part("file", file);
        let file = Self::json(self.post("/files").multipart(form)).await?;
        let request = json!({
            "model": self.model, "training_file": file["id"], "seed": 1,
            "hyperparameters": {"n_epochs": 50, "batch_size": 1},
        });
        let job = Self::json(self.post("/fine_tuning/jobs").json(&request)).await?;
        Ok(job["id"].as_str().context("a job has an id")?.to_owned())
    }

    async fn act(&self, job: &str, verb: &str, until: &str) -> anyhow::Result<()> {
        Self::json(self.post(&format!("/fine_tuning/jobs/{job}/{verb}")).json(&json!({}))).await?;
        self.wait(job, until).await
    }

    async fn wait(&self, job: &str, until: &str) -> anyhow::Result<()> {
        loop {
            let url = format!("{}/fine_tuning/jobs/{job}", self.base);
            let job = Self::json(self.http.get(url).bearer_auth(&self.key)).await?;
            if job["status"] == until {
                return Ok(());
            }
            ensure!(job["finished_at"].is_null(), "the job ended: {job}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Optimizer steps so far, and their tokens.
    async fn trained(&self) -> anyhow::Result<(f64, f64)> {
        let url = self.base.replace("/v1", "/metrics");
        let text = self.http.get(url).bearer_auth(&self.key).send().await?.text().await?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name}"))
        };
        Ok((value("medtune_training_steps_total ")?, value("medtune_training_tokens_total ")?))
    }

    /// Chats until `deadline`; an answer that is under way then still counts.
    async fn chat(self, number: usize, deadline: Instant) -> anyhow::Result<Window> {
        let mut window = Window::default();
        let mut turn = 0;
        while Instant::now() < deadline {
            let question = format!("Client {number}, turn {turn}: what helps against a cough?");
            let request = json!({
                "model": self.model, "max_tokens": TOKENS, "seed": turn,
                "messages": [{"role": "user", "content": question}],
            });
            let begun = Instant::now();
            loop {
                let answer = self.post("/chat/completions").json(&request).send().await?;
                if answer.status() == 429 {
                    window.refusals += 1;
                    let seconds = answer.headers().get("retry-after");
                    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
                    tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1))).await;
                    if Instant::now() > deadline {
                        return Ok(window);
                    }
                    continue;
                }
                ensure!(answer.status().is_success(), "{}", answer.status());
                let body: Value = serde_json::from_slice(&answer.bytes().await?)?;
                window.completion_tokens +=
                    body["usage"]["completion_tokens"].as_u64().context("no usage")?;
                break;
            }
            window.latencies.push(begun.elapsed());
            turn += 1;
        }
        Ok(window)
    }

    async fn window(&self, clients: usize, length: Duration) -> anyhow::Result<Window> {
        let (steps, step_tokens) = self.trained().await?;
        let begun = Instant::now();
        let deadline = begun + length;
        let chats: Vec<_> =
            (0..clients).map(|number| tokio::spawn(self.clone().chat(number, deadline))).collect();
        tokio::time::sleep_until(deadline.into()).await;
        let mut whole = Window::default();
        for chat in chats {
            let part = chat.await??;
            whole.latencies.extend(part.latencies);
            whole.completion_tokens += part.completion_tokens;
            whole.refusals += part.refusals;
        }
        // Answers under way are waited for, and the training with them.
        let (now, tokens_now) = self.trained().await?;
        whole.seconds = begun.elapsed().as_secs_f64();
        (whole.steps, whole.step_tokens) = (now - steps, tokens_now - step_tokens);
        whole.latencies.sort();
        Ok(whole)
    }
}

fn row(name: &str, window: &Window) -> String {
    let quantile = |share: f64| {
        let last = window.latencies.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length"
        )]
        let place = (share * last as f64).round() as usize;
        let latency = window.latencies.get(place);
        latency.map_or("-".to_owned(), |latency| format!("{:.2}", latency.as_secs_f64()))
    };
    format!(
        "| {name} | {:.1} | {:.0} | {} | {} | {} | {} | {} | {:.1} |",
        window.steps / window.seconds,
        window.step_tokens / window.seconds,
        window.latencies.len(),
        quantile(0.5),
        quantile(0.95),
        quantile(1.0),
        window.refusals,
        window.completion_tokens as f64 / window.seconds,
    )
}

async fn run(model: PathBuf, clients: usize, length: Duration) -> anyhow::Result<Vec<String>> {
    let data = tempfile::tempdir()?;
    let name = model.display().to_string();
    let base = BaseModel::named(&name, &model, "measured");
    let id = base.id.clone();
    let server = Embedded::start(Options::new(data.path(), vec![base])).await?;
    let client = Client {
        http: reqwest::Client::builder().no_proxy().build()?,
        base: server.base_url().to_owned(),
        key: server.token().expose().to_owned(),
        model: id,
    };
    let job = client.train().await?;
    client.wait(&job, "running").await?;
    // The first steps load and warm what the others find there.
    while client.trained().await?.0 < 3.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let alone = client.window(0, length).await?;
    client.act(&job, "pause", "paused").await?;
    let chats = client.window(clients, length).await?;
    client.act(&job, "resume", "running").await?;
    let single = client.window(1, length).await?;
    let both = client.window(clients, length).await?;
    server.shutdown().await?;
    let share =
        |window: &Window| 100.0 * (window.steps / window.seconds) / (alone.steps / alone.seconds);
    Ok(vec![
        "| | steps/s | trained tokens/s | answers | median s | 95 % s | longest s | refused | answered tokens/s |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|".to_owned(),
        row("job alone", &alone),
        row(&format!("{clients} clients alone"), &chats),
        row("job and 1 client", &single),
        row(&format!("job and {clients} clients"), &both),
        String::new(),
        format!(
            "The job keeps {:.0} % of its speed beside one client and {:.0} % beside {clients}.",
            share(&single),
            share(&both)
        ),
    ])
}

fn main() -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut arguments = std::env::args().skip(1);
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/tiny-llama");
    let model = arguments.next().unwrap_or_else(|| tiny.to_owned());
    let clients = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let lines = runtime.block_on(run(model.into(), clients, Duration::from_secs(seconds)))?;
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
