//! The OpenAI fine-tuning dialect as serde types, one definition for client and server.
//!
//! Answers are read leniently, because a job that costs money may stand behind one: every field but an id may be
//! missing, null or of another shape (it then reads as absent), every enumeration has `Other`, and unknown fields
//! are kept in `extra`. Requests are read strictly, so that a server can refuse what it would misunderstand.
//! Everything is written in the full shape of `OpenAI`'s answers.
//!
//! The types follow the API's description of 2026-08-21 (`openai-openapi`), whose pages are linked at each of them,
//! and what services were seen to send instead by 2026-11-22.
//!
//! ```
//! let job: wire::Job = serde_json::from_str(r#"{"id":"ftjob-1","status":"paused","error":{}}"#)?;
//! assert_eq!(job.status, wire::JobStatus::Paused);
//! assert!(job.error.is_none());
//! # Ok::<(), serde_json::Error>(())
//! ```

mod lenient;
mod open;
mod id;
pub mod error;
pub mod page;
pub mod file;
pub mod upload;
pub mod job;
pub mod event;
pub mod checkpoint;
pub mod model;
pub mod logprobs;
pub mod dialect;
pub mod chat;
pub mod completion;
pub mod tokenize;
pub mod batch;

pub use batch::{
    Batch, BatchCounts, BatchErrors, BatchLine, BatchRequest, BatchResponse, BatchStatus,
    CreateBatch,
};
pub use chat::{
    ChatChoice, ChatChunk, ChatCompletion, ChatDelta, ChatMessage, ChatRequest, ChunkChoice,
    Content, ContentPart, FinishReason, Role, Stop, StreamOptions, Usage,
};
pub use checkpoint::Checkpoint;
pub use completion::{Completion, CompletionChoice, CompletionRequest, Prompt};
pub use dialect::{Dialect, HyperparameterPlace};
pub use error::{ErrorBody, ServiceError};
pub use event::{Event, EventLevel, EventType, Metrics};
pub use file::{ExpiresAfter, FileObject, FileStatus, Purpose};
pub use id::{BatchId, FileId, InvalidId, JobId, PartId, UploadId};
pub use job::{
    Auto, CreateJob, Hyperparameters, Job, JobError, JobStatus, Method, MethodSettings, MethodType,
};
pub use lenient::Extra;
pub use logprobs::{ChatLogprobs, CompletionLogprobs, TokenLogprob, TopLogprob};
pub use model::{Deleted, Model};
pub use page::Page;
pub use tokenize::{TokenizeRequest, Tokenized, TokenizerInfo};
pub use upload::{CompleteUpload, CreateUpload, Upload, UploadPart, UploadStatus};
