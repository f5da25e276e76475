//! Records to chat examples to JSONL: readers, checks, split, writer.
//!
//! A [`Reader`] takes records out of a byte stream one by one, in bounded memory; a bad record is a [`Rejection`] with
//! its place, not the end. An [`Example`] is what the fine-tuning service reads of a record. A [`Spool`] keeps examples
//! on disk until all are known, [`split`] decides which of them are for training and which for validation, and
//! [`Spool::write`] puts both files in place, whole or not at all.
//!
//! ```
//! use dataset::{Entry, Example, Limits, Reader};
//! use template::{SYSTEM_PROMPT, Template};
//!
//! let json = r#"[{"Question": "Why?", "Complex_CoT": "Because.", "Response": "So."}, {"Question": null}]"#;
//! let entries = Reader::new(json.as_bytes(), Limits::default()).collect::<Result<Vec<_>, _>>()?;
//! let [Entry::Record(record), Entry::Rejection(rejection)] = &entries[..] else { panic!("{entries:?}") };
//! let example = Example::new(record, &Template::Headed, SYSTEM_PROMPT)?;
//! assert_eq!(example.messages[1].content, "Why?");
//! assert_eq!(rejection.to_string(), "index 1, line 1: field `Question` is null");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod place;
mod limits;
mod error;
mod rejection;
mod decode;
mod window;
mod extent;
mod frame;
mod array;
mod lines;
mod fields;
mod table;
mod record;
mod parquet;
mod format;
mod reader;
mod json;
mod chat;
mod words;
mod minhash;
mod column;
mod contents;
mod search;
mod repeats;
mod overlap;
mod example;
mod fraction;
mod split;
mod spool;
mod output;

pub use crate::chat::{
    ChatReader, CheckedChat, Fault, Finding, check_chat, check_preference, content_text,
    correct_chat,
};
pub use crate::column::{Column, Rows};
pub use crate::decode::Compression;
pub use crate::error::Error;
pub use crate::example::{Example, Message, Role};
pub use crate::fields::FieldNames;
pub use crate::format::{Format, JsonEntry, Layout};
pub use crate::fraction::{Fraction, NotAFraction};
pub use crate::json::JsonReader;
pub use crate::limits::Limits;
pub use crate::output::{FileError, Finished, Output, Written, commit};
pub use crate::overlap::{Benchmark, Overlap, Rule};
pub use crate::place::Place;
pub use crate::reader::{Entry, Reader};
pub use crate::record::{ContentHash, Record};
pub use crate::rejection::{Reason, Rejection};
pub use crate::repeats::{Groups, Likeness, Normal, Pair, Repeats};
pub use crate::split::{MIN_VALID, Split, split, split_groups, split_stable};
pub use crate::spool::{Files, Spool};
