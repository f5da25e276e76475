//! A failure as a person reads it: what is wrong, and what to do.

use std::io::ErrorKind;

use crate::{Exit, Terminal};

/// Why a tool stops: the exit code, the error with its causes, and perhaps advice.
///
/// # Examples
///
/// ```
/// use cli::{Exit, Failure};
///
/// let error = anyhow::anyhow!("no such file").context("data.json");
/// let failure = Failure::new(Exit::BadData, error).hint("name another").or_hint("this one comes too late");
/// assert_eq!(failure.exit(), Exit::BadData);
/// assert_eq!(format!("{:#}", failure.error()), "data.json: no such file");
/// ```
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// A failure that ends the tool with `exit`.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hint: None }
    }

    /// Adds one line of advice, printed behind `hint:`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the advice, unless there is some already.
    #[must_use]
    pub fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// The exit code that the tool ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The error and its causes.
    pub fn error(&self) -> &anyhow::Error {
        &self.error
    }

    fn is_closed_pipe(&self) -> bool {
        let kind = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
        };
        self.error.chain().any(|cause| kind(cause) == Some(ErrorKind::BrokenPipe))
    }
}

/// An error that no caller classed: exit code 1.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failed, error)
    }
}

/// Turns an error into a [`Failure`] with its exit code, for use with `?`.
///
/// # Examples
///
/// ```
/// use cli::{Exit, Failure, ResultExt as _};
///
/// fn port(text: &str) -> Result<u16, Failure> {
///     text.parse().or_exit(Exit::Usage)
/// }
/// assert_eq!(port("8080").ok(), Some(8080));
/// assert_eq!(port("many").map_err(|failure| failure.exit()), Err(Exit::Usage));
/// ```
pub trait ResultExt<T> {
    /// Ends the tool with `exit` on an error.
    ///
    /// # Errors
    ///
    /// The error of `self` as a [`Failure`].
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> ResultExt<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

/// Prints `failure` to `terminal` and returns its exit code; a reader that went away is no failure.
///
/// # Examples
///
/// ```
/// use cli::{Exit, Failure, Terminal};
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let mut terminal = Terminal::plain(&mut out, &mut err);
/// let failure = Failure::new(Exit::Service, anyhow::anyhow!("nobody answers")).hint("is the server running?");
/// assert_eq!(cli::report(&mut terminal, &failure), Exit::Service);
/// assert_eq!(String::from_utf8_lossy(&err), "error: nobody answers\nhint: is the server running?\n");
/// ```
pub fn report(terminal: &mut Terminal<'_>, failure: &Failure) -> Exit {
    if failure.is_closed_pipe() {
        return Exit::Done;
    }
    // Nothing is left to do when even the error cannot be printed.
    let _ = writeln!(terminal.err, "error: {:#}", failure.error);
    if let Some(hint) = &failure.hint {
        let _ = writeln!(terminal.err, "hint: {hint}");
    }
    failure.exit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failure: &Failure) -> (Exit, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = report(&mut Terminal::plain(&mut out, &mut err), failure);
        assert!(out.is_empty());
        (exit, String::from_utf8(err).unwrap())
    }

    #[test]
    fn causes_follow_on_one_line_and_the_hint_on_the_next() {
        let error = anyhow::anyhow!("no such file").context("data.json");
        let (exit, printed) = check(&Failure::new(Exit::BadData, error).hint("name another"));
        assert_eq!(exit, Exit::BadData);
        insta::assert_snapshot!(printed, @r"
        error: data.json: no such file
        hint: name another
        ");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::from(
            anyhow::Error::from(std::io::Error::from(ErrorKind::BrokenPipe)).context("writing"),
        );
        assert_eq!(check(&failure), (Exit::Done, String::new()));
    }
}
