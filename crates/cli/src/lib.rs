//! What every tool of medtune shares.
//!
//! A tool is a library with one function, `run(args, environment, terminal) -> Exit`, and a `main` that calls it with
//! what the process was given. This crate holds the types of that signature and the few things that all tools do alike:
//! reading the environment, parsing arguments, printing a failure with its hint, showing progress and setting up logs.

mod exit;
mod environment;
mod terminal;
mod failure;
mod arguments;
mod progress;
mod interrupt;
mod log;

pub use arguments::parse;
pub use environment::{Environment, EnvironmentError};
pub use exit::Exit;
pub use failure::{Failure, ResultExt, report};
pub use interrupt::interrupted;
pub use log::trace;
pub use progress::{bytes_progress, progress};
pub use terminal::{NOT_CLINICAL, Terminal, with_process};
