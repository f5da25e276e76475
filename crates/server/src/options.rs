//! What a server is started with.

use std::path::PathBuf;

use crate::{Clock, Token};

/// A base model that the server answers with and fine-tunes.
///
/// # Examples
///
/// ```
/// use server::BaseModel;
///
/// let base = BaseModel::named("models/SmolLM2 135M.Q4_1.gguf", "models/SmolLM2 135M.Q4_1.gguf", "its SHA-256");
/// assert_eq!(base.id, "smollm2-135m.q4_1");
/// ```
#[derive(Debug, Clone)]
pub struct BaseModel {
    /// The name by which requests ask for it, such as `smollm2-135m-instruct`.
    pub id: String,
    /// The GGUF file, the safetensors file or the folder that holds it.
    pub path: PathBuf,
    /// The SHA-256 of its weights, in hexadecimal; an adapter is served only over the weights it was trained on.
    pub sha256: String,
}

impl BaseModel {
    /// The model that the user named `name`, a known name or a path, found at `path`.
    ///
    /// A path's last part without its ending gives the id, in lower case, other characters than letters, digits, `.`,
    /// `_` and `-` as `-`; every tool that goes through here calls one file by one id.
    pub fn named(name: &str, path: impl Into<PathBuf>, sha256: impl Into<String>) -> Self {
        let last = name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(name);
        let bare = [".gguf", ".safetensors"].iter().find_map(|ending| last.strip_suffix(ending));
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let id = bare.unwrap_or(last).to_lowercase();
        let id = id.chars().map(|letter| if plain(letter) { letter } else { '-' }).collect();
        Self { id, path: path.into(), sha256: sha256.into() }
    }
}

/// How much one client may ask of the server.
///
/// # Examples
///
/// ```
/// use axum::body::Body;
/// use axum::http::{Request, StatusCode};
/// use server::{Limits, Options, Server};
/// use tower::ServiceExt as _;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let limits = Limits { body_bytes: 1000, answers_at_once: 2, ..Limits::default() };
/// let server = Server::open(Options { limits, ..Options::new(folder.path(), vec![]) })?;
/// let request = Request::post("/v1/chat/completions").header("host", "localhost");
/// let request = request.header("content-type", "application/json").body(Body::from(" ".repeat(2000)))?;
/// let answer = server.router().oneshot(request).await?;
/// assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of an uploaded file; OpenAI's own limit is 512 MB.
    pub upload_bytes: u64,
    /// The most bytes of one part of an upload; 64 MB, as OpenAI's.
    pub part_bytes: u64,
    /// The most bytes of all parts of an upload together; 8 GB, as OpenAI's.
    pub upload_total_bytes: u64,
    /// How many uploads may take parts at the same time.
    pub pending_uploads: usize,
    /// The most bytes of any other request's body.
    pub body_bytes: usize,
    /// How many connections are open at the same time; more wait to be taken.
    pub connections: usize,
    /// How long a client may take to send a request's head, and may stay silent between two requests.
    pub head_seconds: u64,
    /// How long a client may take to send a body, beside the time that [`Limits::slowest_bytes_per_second`] gives it.
    pub body_seconds: u64,
    /// The slowest pace at which a body may come in.
    pub slowest_bytes_per_second: u64,
    /// How long a client may take none of an answer that lies ready; then the connection is closed, and what was being
    /// generated for it ends.
    pub write_seconds: u64,
    /// The most bytes of a file that a job trains on or measures on.
    pub training_bytes: u64,
    /// How many jobs may be unfinished, paused ones too, before a new one is refused with 429.
    pub unfinished_jobs: usize,
    /// How many answers are generated at the same time.
    pub answers_at_once: usize,
    /// How many more may wait for their turn before the server answers 429.
    pub answers_waiting: usize,
    /// How long a shutdown waits for answers under way before it stops them.
    pub shutdown_grace_seconds: u64,
    /// How often a running job leaves a training checkpoint to go on from after a restart.
    pub checkpoint_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 512 * 1024 * 1024,
            part_bytes: 64 * 1024 * 1024,
            upload_total_bytes: 8 * 1024 * 1024 * 1024,
            pending_uploads: 64,
            body_bytes: 8 * 1024 * 1024,
            connections: 512,
            head_seconds: 60,
            body_seconds: 30,
            slowest_bytes_per_second: 4096,
            write_seconds: 30,
            training_bytes: 2 * 1024 * 1024 * 1024,
            unfinished_jobs: 1000,
            answers_at_once: 8,
            answers_waiting: 64,
            shutdown_grace_seconds: 10,
            checkpoint_seconds: 60,
        }
    }
}

/// Who trains.
///
/// # Examples
///
/// ```
/// use server::{Launch, Options, Training};
///
/// let command = ["torchrun", "--nproc_per_node", "2"].map(str::to_owned).to_vec();
/// let launch = Launch { command, model: Some("HuggingFaceTB/SmolLM2-135M-Instruct".to_owned()) };
/// let options = Options { training: Training::Launched(launch), ..Options::new("data", vec![]) };
/// assert_ne!(options.training, Training::default(), "which is the engine in this process");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Training {
    /// The engine, in this process.
    #[default]
    Embedded,
    /// Hugging Face TRL, started by a command.
    Launched(Launch),
}

/// How TRL is started.
///
/// # Examples
///
/// ```
/// use server::Launch;
///
/// let launch = Launch { command: vec!["python3".to_owned()], model: None };
/// assert_eq!(launch.command, ["python3"]); // one process, on the base model's own files
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The command and its arguments, such as `torchrun --nproc_per_node 2`; the script and its folder are added to it.
    pub command: Vec<String>,
    /// The base model as Transformers loads it, a folder or a name of the hub; without it, the base model's own path.
    pub model: Option<String>,
}

/// Everything a [`Server`](crate::Server) needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder for the database, the files and the adapters; one server at a time uses it.
    pub data_dir: PathBuf,
    /// The base models on offer.
    pub base_models: Vec<BaseModel>,
    /// What a client must present as its key; without one any key is accepted.
    pub token: Option<Token>,
    /// The origins, such as `https://example.org`, whose pages may ask; the server's own pages always may.
    pub allowed_origins: Vec<String>,
    /// Who trains.
    pub training: Training,
    /// Bounds on what clients may ask.
    pub limits: Limits,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Options {
    /// Options with the default limits, no token and the system's clock.
    pub fn new(data_dir: impl Into<PathBuf>, base_models: Vec<BaseModel>) -> Self {
        Self {
            data_dir: data_dir.into(),
            base_models,
            token: None,
            allowed_origins: Vec::new(),
            training: Training::default(),
            limits: Limits::default(),
            clock: Clock::system(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_called_by_its_name_or_its_files() {
        let id = |name: &str| BaseModel::named(name, "p", "s").id;
        assert_eq!(id("smollm2-135m-instruct"), "smollm2-135m-instruct");
        assert_eq!(id("/models/SmolLM2 135M.Q4_1.gguf"), "smollm2-135m.q4_1");
        assert_eq!(id("../tiny-llama/"), "tiny-llama");
        assert_eq!(id(r"C:\models\a:b"), "a-b");
    }
}
