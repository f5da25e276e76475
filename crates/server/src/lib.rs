//! The OpenAI dialect over the embedded engine: files, fine-tuning jobs, models and chat completions over HTTP.
//!
//! A client of OpenAI's pointed at this server uploads files, runs fine-tuning jobs and asks the models that they make,
//! all on this machine. State lasts in a folder: an `SQLite` database, file contents by their hash, adapters and training
//! states. [`Server`] serves a listener, [`Embedded`] runs inside another program.
//!
//! # Examples
//!
//! ```
//! use server::{BaseModel, Embedded, Options};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let base = BaseModel::named("tiny-llama", "../../tests/golden/tiny-llama", "its SHA-256");
//! let server = Embedded::start(Options::new(folder.path(), vec![base])).await?;
//! let models = reqwest::Client::new()
//!     .get(format!("{}/models", server.base_url()))
//!     .bearer_auth(server.token().expose())
//!     .send()
//!     .await?
//!     .text()
//!     .await?;
//! assert!(models.contains(r#""id":"tiny-llama""#));
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What the dialect's freedoms mean here
//!
//! - Jobs run one at a time, in order; files of waiting jobs are checked meanwhile. A job that a crash interrupts goes
//!   on from its last training state, left at each epoch's end and every minute. A job that is paused leaves one behind
//!   its current step (`pausing`, then `paused`), frees the queue, and goes on from it when it is resumed; pausing and
//!   resuming twice is no fault. A shutdown pauses the job that runs, which goes on by itself at the next start, unless
//!   somebody paused it himself.
//! - `method` may be `dpo`: rows of `input`, `preferred_output` and `non_preferred_output`, one answer each. The model is
//!   held to the one that the job starts from, by `beta`, 0.1 where it is `auto`; the learning rate is a tenth of that
//!   for examples. Events tell `train_reward_accuracy`, `train_reward_margin` and the rewards behind them in place of the
//!   accuracy of tokens, and `valid_reward_accuracy` and `full_valid_reward_accuracy`; the results file has the
//!   columns `train_reward_margin` and `valid_reward_accuracy` more, and `train_accuracy` is the share of pairs.
//! - With [`Training::Launched`] another program trains, Hugging Face TRL under `torchrun`, on as many processes and hosts
//!   as it is started with: the same files, API and events. Its adapter is taken back and served here. It goes on from
//!   its last checkpoint, which is left at each epoch's end, and its weights are not promised to be equal bit for bit.
//!   Adapters of either trainer are folders in PEFT's format, `adapters/JOB/final` in the data folder, which vLLM serves
//!   too: `vllm serve BASE --enable-lora --max-lora-rank 16 --lora-modules NAME=FOLDER`.
//! - A job may start from a tuned model: its adapter is trained further, over the same base.
//! - Completing or cancelling an upload twice gives the same answer twice. Contents that no file names any more are
//!   removed at once, and what a crash leaves of them at the next start.
//! - `n_epochs: auto` is three, but at least 100 examples seen and at most 25,000; `batch_size: auto` is 4, from 1,000
//!   examples on 8, from 10,000 on 16; `learning_rate_multiplier` is a factor on the engine's default learning rate, and
//!   `auto` is 1.
//! - `valid_loss` is measured on one batch of the validation file, taken in turn, ten times a job and at each epoch's
//!   end; `full_valid_loss` on all of it at each epoch's end, and once before training as the metrics of step 0.
//! - Answers share the processor with training: they have threads of their own, so that the system divides the time
//!   between the two, and training rests after each step for as long as the step took while someone is being answered.
//!   An answer starts at once and takes about twice as long as on an idle machine.
//!   Eight answers are generated side by side, each token of all of them in one pass over the weights; a new one joins
//!   at the next token, and what one answers never depends on those beside it. 64 requests may wait; one more gets status
//!   429 with `Retry-After`. A client that hangs up stops its generation.
//! - `top_k` and `repetition_penalty` are understood beside OpenAI's parameters; texts of `/v1/completions` and
//!   `/tokenize` may have special tokens written out, those of messages never do; `logprobs` may be up to 20.
//! - A parameter that the server cannot honour is refused by name with status 400, never passed over in silence.
//! - Clients who are slow over a request's head or body or over reading an answer, or open too many connections, are
//!   bounded by [`Limits`].
//! - Where the disk is full, requests that write get status 507, and a job pauses, to be resumed when there is room;
//!   where not even the pause can be written, the job waits and goes on by itself.
//! - `GET /` is a page to ask the models, follow the jobs and see what a training file holds; it needs nothing from
//!   elsewhere, and where there is a token it asks for it. `GET /v1/files/{id}/report` is what it shows of a file.
//! - Without a token every key is accepted, but only from this machine: requests that name another host or come from
//!   another site's page are refused.

mod clock;
mod token;
mod options;
mod error;
mod id;
mod folder;
mod room;
mod blob;
mod store;
mod sweep;
mod state;
mod shelf;
mod origin;
mod fault;
mod guard;
mod pace;
mod metrics;
mod extract;
mod page;
mod report;
mod routes;
mod sampling;
mod chat;
mod completion;
mod queue;
mod desk;
mod answer;
mod logprobs;
mod rows;
mod hyperparameters;
mod story;
mod results;
mod runner;
mod check;
mod tokenised;
mod validation;
mod training;
mod listener;
mod server;
mod embedded;
mod tuned;

pub use clock::Clock;
pub use embedded::Embedded;
pub use error::Error;
pub use options::{BaseModel, Launch, Limits, Options, Training};
pub use server::Server;
pub use store::StoreError;
pub use token::Token;
pub use tuned::{TunedModel, tuned_models};
