//! Upload, create, follow the job, save the model's id.
//!
//! The tool checks the files that `prepare-data` wrote, finds or starts the service, uploads the files, creates the job
//! (or adopts the one that an earlier run of the same command left), follows it to its end and saves the model. On this
//! machine the embedded server is started in the process and asked through the same HTTP calls. What was begun stands in
//! a ledger, a folder a run, before it is begun. The model's id is the tool's product and goes to standard output;
//! everything else goes to standard error.

mod arguments;
mod config;
mod words;
mod examples;
mod origin;
mod price;
mod time;
mod preflight;
mod sweep;
mod continued;
mod ledger;
mod service;
mod curve;
mod display;
mod explain;
mod job;
mod ended;
mod save;
mod session;
mod follow;
mod runs;
mod tool;

pub use crate::tool::{command, run};
