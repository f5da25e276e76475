//! Arguments, parsed alike in every tool.

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::ErrorKind;

use crate::{Exit, Terminal};

/// Parses `arguments` (without the program's name) as `A`.
///
/// # Examples
///
/// ```
/// use cli::{Exit, Terminal};
///
/// #[derive(Debug, clap::Parser)]
/// #[command(name = "tool", version = "1.2.3")]
/// struct Arguments {
///     /// How many questions to ask.
///     #[arg(long)]
///     count: u32,
/// }
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let mut terminal = Terminal::plain(&mut out, &mut err);
/// let mut count = |text: &str| {
///     cli::parse::<Arguments>(vec!["--count".into(), text.into()], &mut terminal).map(|given| given.count)
/// };
/// assert_eq!(count("3"), Ok(3));
/// assert_eq!(count("many"), Err(Exit::Usage));
/// assert!(String::from_utf8_lossy(&err).contains("--count"), "the user was told");
/// ```
///
/// # Errors
///
/// The exit code to end with: [`Exit::Done`] after `--help` or `--version`, [`Exit::Usage`] after a usage error; the
/// text for it is printed already.
pub fn parse<A: Parser>(arguments: Vec<OsString>, terminal: &mut Terminal<'_>) -> Result<A, Exit> {
    let name = OsString::from(A::command().get_name());
    A::try_parse_from(std::iter::once(name).chain(arguments)).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print(terminal.out, terminal.out_is_terminal, &error);
            Exit::Done
        }
        _ => {
            print(terminal.err, terminal.err_is_terminal, &error);
            Exit::Usage
        }
    })
}

fn print(stream: &mut dyn Write, coloured: bool, error: &clap::Error) {
    let text = error.render();
    // A reader that went away has seen what it wanted.
    let _ = if coloured { write!(stream, "{}", text.ansi()) } else { write!(stream, "{text}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "tool", version = "1.2.3")]
    struct Arguments {
        #[arg(long)]
        count: Option<u32>,
    }

    fn check(arguments: &[&str]) -> (Result<Option<u32>, Exit>, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let arguments = arguments.iter().map(OsString::from).collect();
        let parsed = parse::<Arguments>(arguments, &mut Terminal::plain(&mut out, &mut err));
        (
            parsed.map(|parsed| parsed.count),
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn help_and_version_go_to_out_and_end_well() {
        assert_eq!(
            check(&["--version"]),
            (Err(Exit::Done), "tool 1.2.3\n".to_owned(), String::new())
        );
        assert!(check(&["--help"]).1.contains("--count"));
    }

    #[test]
    fn a_wrong_argument_is_a_usage_error_on_err() {
        let (parsed, out, err) = check(&["--count", "many"]);
        assert_eq!((parsed, out.as_str()), (Err(Exit::Usage), ""));
        assert!(err.contains("--count"), "{err}");
        assert_eq!(check(&["--count", "3"]).0, Ok(Some(3)));
    }
}
