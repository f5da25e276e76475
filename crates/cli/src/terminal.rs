//! Where a tool prints: data to `out`, everything else to `err`.

use std::fmt;
use std::io::{IsTerminal, Write};

/// The line that every tool shows beside a model's answer.
///
/// # Examples
///
/// ```
/// use cli::{NOT_CLINICAL, Terminal};
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let mut terminal = Terminal::plain(&mut out, &mut err);
/// writeln!(terminal.err, "{NOT_CLINICAL}")?; // once a session
/// writeln!(terminal.out, "An ECG.")?;
/// assert_eq!(out, b"An ECG.\n", "who pipes the answer gets the answer");
/// # Ok::<(), std::io::Error>(())
/// ```
pub const NOT_CLINICAL: &str =
    "For research only: not for diagnosis, treatment or any other clinical use.";

/// The two streams of a tool, and whether a person watches them.
///
/// # Examples
///
/// ```
/// use cli::Terminal;
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let mut terminal = Terminal::plain(&mut out, &mut err);
/// assert!(!terminal.out_is_terminal && !terminal.in_is_terminal);
/// writeln!(terminal.out, "{{\"loss\": 0.5}}")?;
/// writeln!(terminal.err, "warning: the file has no validation part")?;
/// assert_eq!(String::from_utf8_lossy(&out), "{\"loss\": 0.5}\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Terminal<'a> {
    /// Takes the data asked for, and nothing else.
    pub out: &'a mut dyn Write,
    /// Takes progress, warnings and errors.
    pub err: &'a mut dyn Write,
    /// Whether `out` is a terminal, so that it may be coloured.
    pub out_is_terminal: bool,
    /// Whether `err` is a terminal, so that progress may be drawn.
    pub err_is_terminal: bool,
    /// Whether a person can be asked a question on standard input.
    pub in_is_terminal: bool,
}

impl<'a> Terminal<'a> {
    /// Two plain streams that nobody watches, as in a pipe or a test.
    pub fn plain(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { out, err, out_is_terminal: false, err_is_terminal: false, in_is_terminal: false }
    }
}

impl fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("out_is_terminal", &self.out_is_terminal)
            .field("err_is_terminal", &self.err_is_terminal)
            .field("in_is_terminal", &self.in_is_terminal)
            .finish_non_exhaustive()
    }
}

/// Calls `tool` with the process's own streams and arguments (without the program's name).
///
/// # Examples
///
/// ```
/// use std::process::ExitCode;
///
/// use cli::Exit;
///
/// fn main() -> ExitCode {
///     cli::with_process(|arguments, environment, terminal| {
///         assert!(arguments.is_empty() && environment.get("PATH").is_some());
///         match writeln!(terminal.out, "for research only") {
///             Ok(()) => Exit::Done,
///             Err(error) => cli::report(terminal, &error.into()),
///         }
///     })
/// }
/// ```
pub fn with_process(
    tool: impl FnOnce(Vec<std::ffi::OsString>, &crate::Environment, &mut Terminal<'_>) -> crate::Exit,
) -> std::process::ExitCode {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut terminal = Terminal {
        out_is_terminal: out.is_terminal(),
        err_is_terminal: err.is_terminal(),
        in_is_terminal: std::io::stdin().is_terminal(),
        out: &mut out,
        err: &mut err,
    };
    let arguments = std::env::args_os().skip(1).collect();
    tool(arguments, &crate::Environment::of_process(), &mut terminal).into()
}
