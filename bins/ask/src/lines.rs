//! What a person types, line by line.

use std::borrow::Cow;
use std::io;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, Config, Context, EventHandler, Helper, KeyCode, KeyEvent, Modifiers};

use crate::conversation::COMMANDS;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Text(String),
    /// Ctrl-C: the line is given up.
    Interrupted,
    /// Ctrl-D, or the terminal went away.
    End,
}

/// Where lines come from.
pub(crate) trait Lines {
    /// The next input, after a prompt.
    fn read(&mut self) -> io::Result<Input>;
}

/// A line editor on the terminal; its history lasts as long as the process and is never written.
pub(crate) struct Editor(rustyline::Editor<Shape, MemHistory>);

impl Editor {
    pub(crate) fn new() -> io::Result<Self> {
        let config = Config::builder().auto_add_history(true).build();
        let editor = rustyline::Editor::with_history(config, MemHistory::new());
        let mut editor = editor.map_err(other)?;
        editor.set_helper(Some(Shape));
        let alt_enter = KeyEvent(KeyCode::Enter, Modifiers::ALT);
        editor.bind_sequence(alt_enter, EventHandler::from(Cmd::Newline));
        Ok(Self(editor))
    }
}

impl Lines for Editor {
    fn read(&mut self) -> io::Result<Input> {
        match self.0.readline("> ") {
            Ok(text) => Ok(Input::Text(joined(&text).into_owned())),
            Err(ReadlineError::Interrupted) => Ok(Input::Interrupted),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(other(error)),
        }
    }
}

fn other(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        error => io::Error::other(error.to_string()),
    }
}

/// The text without the backslashes that say that a line goes on.
fn joined(text: &str) -> Cow<'_, str> {
    if text.contains("\\\n") { text.replace("\\\n", "\n").into() } else { text.into() }
}

/// How lines are completed and when they are whole.
struct Shape;

impl Helper for Shape {}

impl Hinter for Shape {
    type Hint = String;
}

impl Highlighter for Shape {}

impl Validator for Shape {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let goes_on = context.input().ends_with('\\');
        Ok(if goes_on { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Shape {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..at];
        let fits = |command: &&str| !typed.is_empty() && command.starts_with(typed);
        Ok((0, COMMANDS.into_iter().filter(fits).map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_at_the_end_of_a_line_goes_on_and_is_not_part_of_the_text() {
        assert_eq!(joined("a\\\nb\\c"), "a\nb\\c");
        assert_eq!(joined("a\nb"), "a\nb");
    }
}
