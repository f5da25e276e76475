//! What every tool of medtune shares.
//!
//! A tool is a library with one function, `run(args, environment, terminal) -> Exit`, and a `main` that calls it with
//! what the process was given. This crate holds the types of that signature and the few things that all tools do alike:
//! reading the environment, parsing arguments, printing a failure with its hint, showing progress and setting up logs.
//!
//! # Examples
//!
//! ```
//! use std::ffi::OsString;
//! use std::process::ExitCode;
//!
//! use anyhow::Context as _;
//! use cli::{Environment, Exit, Failure, ResultExt as _, Terminal};
//!
//! fn run(args: Vec<OsString>, _: &Environment, terminal: &mut Terminal<'_>) -> Exit {
//!     match count(&args, terminal) {
//!         Ok(()) => Exit::Done,
//!         Err(failure) => cli::report(terminal, &failure),
//!     }
//! }
//!
//! fn count(args: &[OsString], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
//!     let path = args.first().context("no file is named").or_exit(Exit::Usage)?;
//!     let text = std::fs::read_to_string(path).with_context(|| path.display().to_string());
//!     writeln!(terminal.out, "{} lines", text.or_exit(Exit::BadData)?.lines().count())?;
//!     Ok(())
//! }
//!
//! fn main_of_the_tool() -> ExitCode {
//!     cli::with_process(run)
//! }
//!
//! // A test calls it with streams of its own.
//! let (mut out, mut err) = (Vec::new(), Vec::new());
//! let mut terminal = Terminal::plain(&mut out, &mut err);
//! let exit = run(vec!["missing.json".into()], &Environment::default(), &mut terminal);
//! assert_eq!((exit, out.len()), (Exit::BadData, 0));
//! assert!(String::from_utf8(err)?.starts_with("error: missing.json: "));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```

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
