//! A job that another program trains: Hugging Face TRL, started as the user says, on as many processes and hosts.
//!
//! The job's files go into a folder with a script (`train.py`) that writes what happens to `events.jsonl` and ends with
//! an adapter in PEFT's format. The program lives as long as its standard input stays open, so that none outlives this
//! server, however it ends; it goes on from its own last checkpoint.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use engine::{Adapter, ChatMessage, LoraConfig};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::{JobStatus, Metrics};

use super::keep::Keeper;
use super::{Halt, Part, Prepared, change};
use crate::options::Launch;
use crate::rows::{Content, Pair};
use crate::runner::server_error;
use crate::store::jobs;
use crate::story::Chapter;

const SCRIPT: &str = include_str!("launched/train.py");
/// How often the program's events and the job's status are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the program gets to end once its standard input is closed.
const GRACE: Duration = Duration::from_secs(10);
/// Keys of this server and of others, which are none of the program's business.
const SECRETS: [&str; 2] = ["MEDTUNE_TOKEN", "OPENAI_API_KEY"];

/// Trains the job to its end, or until it is cancelled or paused or the server stops.
pub(super) fn run(prepared: &Prepared<'_>, launch: &Launch) -> Result<(), Halt> {
    let Keeper { state, job, .. } = &prepared.keeper;
    let folder = state.folder.training().join(job.id.as_str()).join("launched");
    fs::create_dir_all(&folder)?;
    write_job(prepared, launch, &folder)?;
    let log = state.folder.log(job.id.as_str())?;
    let events = folder.join("events.jsonl");
    // What was told before is in the database; what was not comes again behind the program's checkpoint.
    File::create(&events)?;
    let program = Program::start(launch, &folder, &log)?;
    let mut following = Following::new(prepared, BufReader::new(File::open(&events)?), &folder);
    let status = following.follow(program)?;
    if !status.success() {
        let message = format!(
            "The trainer ended with {status}; what it said is in logs/{}.log in the server's data folder",
            job.id
        );
        return Err(Halt::Failed(Box::new(server_error(message))));
    }
    let adapter = folder.join("adapter");
    // One that cannot be served is no success.
    Adapter::load(&adapter, &prepared.model)?;
    prepared.keeper.finish(prepared.trained_tokens, &|aside| copy_adapter(&adapter, aside))
}

fn write_job(prepared: &Prepared<'_>, launch: &Launch, folder: &Path) -> Result<(), Halt> {
    let Prepared { keeper, options, plan, .. } = prepared;
    let lora = LoraConfig::default();
    let targets: Vec<&str> = lora.targets.iter().map(|target| target.name()).collect();
    let base = keeper.state.shelf.base(&keeper.origin.base).map(|base| base.path.clone());
    let model = launch.model.clone().or_else(|| base.map(|path| path.display().to_string()));
    let tuned = keeper.origin.tuned.as_ref();
    let job = json!({
        "model": model,
        "adapter": tuned.map(|tuned| keeper.state.folder.adapters().join(&tuned.folder)),
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "learning_rate": options.learning_rate,
        "warmup_fraction": options.warmup_fraction,
        "weight_decay": options.weight_decay,
        "max_gradient_norm": options.max_gradient_norm,
        "max_tokens": options.max_tokens,
        "seed": options.seed,
        "beta": plan.beta,
        "lora": {"rank": lora.rank, "alpha": lora.alpha, "dropout": lora.dropout, "targets": targets},
    });
    fs::write(folder.join("job.json"), job.to_string())?;
    fs::write(folder.join("train.py"), SCRIPT)?;
    write_rows(&folder.join("train.jsonl"), &prepared.train)?;
    if let Some(valid) = &prepared.valid {
        write_rows(&folder.join("valid.jsonl"), valid)?;
    }
    Ok(())
}

/// Every message of the assistant's that is learned becomes a row: what was said before it, and the message. A
/// preference is a row as it is.
fn write_rows(path: &Path, part: &Part) -> Result<(), Halt> {
    let mut file = std::io::BufWriter::new(File::create(path)?);
    match &part.content {
        Content::Conversations(conversations) => {
            for conversation in conversations {
                for (place, message) in conversation.iter().enumerate() {
                    if message.role == "assistant" && message.weight != Some(0.0) {
                        let (prompt, completion) = (said(&conversation[..place]), [message]);
                        let completion = said(completion);
                        writeln!(file, "{}", json!({"prompt": prompt, "completion": completion}))?;
                    }
                }
            }
        }
        Content::Preferences(pairs) => {
            for Pair { input, preferred, rejected } in pairs {
                let (chosen, rejected) = (said([preferred]), said([rejected]));
                let row = json!({"prompt": said(input), "chosen": chosen, "rejected": rejected});
                writeln!(file, "{row}")?;
            }
        }
    }
    Ok(file.flush()?)
}

fn said<'a>(messages: impl IntoIterator<Item = &'a ChatMessage>) -> Vec<Value> {
    let said = |message: &ChatMessage| json!({"role": message.role, "content": message.content});
    messages.into_iter().map(said).collect()
}

fn copy_adapter(from: &Path, to: &Path) -> Result<(), Halt> {
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(from.join(name), to.join(name))?;
    }
    Ok(())
}

/// The running program; dropped, it is told to end.
struct Program(Child);

impl Program {
    fn start(launch: &Launch, folder: &Path, log: &File) -> Result<Self, Halt> {
        let (program, arguments) = launch.command.split_first().ok_or_else(|| {
            Halt::Failed(Box::new(server_error("The command that starts the trainer is empty")))
        })?;
        let mut command = Command::new(program);
        command.args(arguments).arg(folder.join("train.py")).arg(folder);
        for secret in SECRETS {
            command.env_remove(secret);
        }
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        let child = command.spawn().map_err(|error| {
            tracing::error!(%error, "the trainer cannot be started");
            let message = format!("The trainer `{program}` cannot be started: {}", error.kind());
            Halt::Failed(Box::new(server_error(message)))
        })?;
        Ok(Self(child))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let told = Instant::now();
        while told.elapsed() < GRACE {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(LOOK_EVERY),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // One that has ended meanwhile cannot be killed, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line of `events.jsonl`.
#[derive(Debug, Deserialize)]
struct Told {
    step: u64,
    /// The tokens trained on so far.
    tokens: Option<f64>,
    checkpoint: Option<PathBuf>,
    #[serde(flatten)]
    metrics: Metrics,
}

/// The program's events, taken up as they come.
struct Following<'a> {
    prepared: &'a Prepared<'a>,
    events: BufReader<File>,
    folder: &'a Path,
    /// A step that is not told yet: a measure of the validation file may belong to it.
    pending: Option<Metrics>,
    tokens: f64,
    began: (Instant, u64),
    last: Instant,
    resumed: bool,
}

impl<'a> Following<'a> {
    fn new(prepared: &'a Prepared<'a>, events: BufReader<File>, folder: &'a Path) -> Self {
        let now = Instant::now();
        let (pending, tokens, began, last) = (None, 0.0, (now, 0), now);
        Self { prepared, events, folder, pending, tokens, began, last, resumed: false }
    }

    /// Waits for the program's end, and tells what it tells meanwhile.
    fn follow(&mut self, mut program: Program) -> Result<ExitStatus, Halt> {
        let Keeper { state, job, .. } = &self.prepared.keeper;
        loop {
            let ended = program.0.try_wait()?;
            self.read()?;
            if let Some(status) = ended {
                self.flush()?;
                return Ok(status);
            }
            let status = state.store.change(|connection| jobs::status(connection, job.id.as_str()));
            match status? {
                Some(JobStatus::Running) if !state.is_stopping() => {}
                Some(JobStatus::Running | JobStatus::Pausing) => return Err(Halt::Left),
                _ => return Err(Halt::Cancelled),
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn read(&mut self) -> Result<(), Halt> {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.events.read_line(&mut line)?;
            if !line.ends_with('\n') {
                // The rest of a line that is being written is read with it later.
                self.events.seek_relative(-i64::try_from(length).unwrap_or_default())?;
                return Ok(());
            }
            match serde_json::from_str::<Told>(&line) {
                Ok(told) => self.take(told)?,
                Err(error) => tracing::warn!(%error, "an event of the trainer cannot be read"),
            }
        }
    }

    fn take(&mut self, told: Told) -> Result<(), Halt> {
        if let Some(checkpoint) = told.checkpoint {
            let metrics = self.pending.clone().unwrap_or_default();
            self.flush()?;
            // A relative path of the script's own; another one would be no part of the job.
            let from = self.folder.join(
                checkpoint
                    .file_name()
                    .map_or_else(PathBuf::new, |name| Path::new("states").join(name)),
            );
            Adapter::load(&from, &self.prepared.model)?;
            let step = usize::try_from(told.step).unwrap_or_default();
            return self.prepared.keeper.checkpoint(step, &metrics, &|to| copy_adapter(&from, to));
        }
        if told.metrics.train_loss.is_some() {
            self.flush()?;
            self.begin(told.step)?;
            let tokens = told.tokens.unwrap_or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of tokens, which counts again from nothing behind a checkpoint"
            )]
            let new = (tokens - self.tokens).max(0.0) as usize;
            self.prepared.keeper.state.metrics.step(new, self.last.elapsed().as_secs_f64());
            (self.tokens, self.last) = (tokens, Instant::now());
            self.pending = Some(Metrics { step: Some(told.step), ..told.metrics });
        } else if let Some(pending) = &mut self.pending {
            pending.full_valid_loss = told.metrics.full_valid_loss;
            pending.full_valid_mean_token_accuracy = told.metrics.full_valid_mean_token_accuracy;
            pending.full_valid_reward_accuracy = told.metrics.full_valid_reward_accuracy;
        }
        Ok(())
    }

    /// Notes the first step of this run of the program; it lies behind a checkpoint where the job was interrupted.
    fn begin(&mut self, step: u64) -> Result<(), Halt> {
        if self.resumed {
            return Ok(());
        }
        self.resumed = true;
        let before = step.saturating_sub(1);
        self.began = (Instant::now(), before);
        if before > 0 || self.prepared.restarted {
            let step = usize::try_from(before).unwrap_or_default();
            let restarted = self.prepared.restarted;
            let Keeper { state, job, .. } = &self.prepared.keeper;
            change(state, job, &Chapter::Resumed { step, restarted }, |_| {})?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Halt> {
        let Some(metrics) = self.pending.take() else { return Ok(()) };
        let Keeper { state, job, .. } = &self.prepared.keeper;
        let finish = self.estimated_finish(&metrics);
        change(state, job, &Chapter::Step(&metrics), |job| job.estimated_finish = finish)?;
        Ok(())
    }

    fn estimated_finish(&self, metrics: &Metrics) -> Option<i64> {
        let (step, total) = metrics.step.zip(metrics.total_steps)?;
        let done = step.checked_sub(self.began.1).filter(|done| *done > 0)?;
        let seconds = self.began.0.elapsed().as_secs() * total.saturating_sub(step) / done;
        Some(self.prepared.keeper.state.clock.now() + i64::try_from(seconds).unwrap_or_default())
    }
}
