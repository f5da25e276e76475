//! Files of models and datasets fetched from the Hugging Face hub.
//!
//! [`fetch`] brings one file of a repository to a path: whole or not at all, with its progress told, resumed where an
//! earlier attempt broke off, and checked against the length and SHA-256 that the hub or the caller knows of. It
//! blocks; the requests are made by the `hf-hub` crate on a thread of their own.
//!
//! ```no_run
//! use std::path::Path;
//! use hub::{Repository, Settings, fetch};
//!
//! let repository = Repository::dataset("FreedomIntelligence/medical-o1-reasoning-SFT")?;
//! let file = repository.file("medical_o1_sft_mix.json");
//! let fetched = fetch(&file, Path::new("records.json"), &Settings::default(), &mut |_done, _total| {})?;
//! assert_eq!(fetched.sha256.len(), 64);
//! # Ok::<(), hub::Error>(())
//! ```

mod settings;
mod error;
mod file;
mod part;
mod head;
mod transfer;
mod download;

pub use crate::download::{Described, Fetched, describe, fetch};
pub use crate::error::Error;
pub use crate::file::{Pinned, RemoteFile, Repository};
pub use crate::settings::{Settings, Token};
