//! An answer as a person reads it, while it arrives.

use std::io;

use cli::Terminal;
use inference::{Answer, Event, Finish};

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Prints reasoning and response under their own labels, the reasoning dimmed on a terminal.
#[derive(Debug)]
pub(crate) struct Display {
    styled: bool,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Nothing,
    Unmarked,
    Reasoning,
    Response,
}

impl Display {
    /// A display for `terminal`, with `colours` unless nobody watches.
    pub(crate) fn new(terminal: &Terminal<'_>, colours: bool) -> Self {
        Self { styled: colours && terminal.out_is_terminal, part: Part::Nothing }
    }

    /// Prints what `event` brings.
    pub(crate) fn show(&mut self, event: &Event, terminal: &mut Terminal<'_>) -> io::Result<()> {
        match event {
            Event::Unmarked(text) => self.text(Part::Unmarked, text, terminal),
            Event::Reasoning(text) => self.text(Part::Reasoning, text, terminal),
            Event::Response(text) => self.text(Part::Response, text, terminal),
            _ => Ok(()),
        }
    }

    /// Prints an answer that arrived whole.
    pub(crate) fn whole(&mut self, answer: &Answer, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let Some(reasoning) = &answer.reasoning else {
            return self.text(Part::Unmarked, &answer.response, terminal);
        };
        self.text(Part::Reasoning, reasoning, terminal)?;
        if answer.response.is_empty() {
            return Ok(());
        }
        self.text(Part::Response, &answer.response, terminal)
    }

    /// Prints a line that says whose answer follows.
    pub(crate) fn title(&self, title: &str, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let title = printable(title);
        if self.styled {
            writeln!(terminal.out, "{BOLD}== {title} =={PLAIN}\n")
        } else {
            writeln!(terminal.out, "== {title} ==\n")
        }
    }

    /// Ends the last line, and says on `err` what is not as it should be.
    pub(crate) fn end(&self, answer: &Answer, terminal: &mut Terminal<'_>) -> io::Result<()> {
        self.break_off(terminal)?;
        Self::note(answer, terminal)
    }

    /// Says on `err` what is not as it should be.
    pub(crate) fn note(answer: &Answer, terminal: &mut Terminal<'_>) -> io::Result<()> {
        if answer.reasoning.is_none() && !answer.response.is_empty() {
            writeln!(terminal.err, "note: the answer has no headings, so it is shown whole")?;
        }
        match answer.finish {
            Finish::Length => writeln!(
                terminal.err,
                "note: the answer reached the limit of tokens (--max-tokens) and is not complete"
            ),
            Finish::ContentFilter => {
                writeln!(terminal.err, "note: the service's filter stopped the answer")
            }
            Finish::Stop if !answer.complete => {
                writeln!(terminal.err, "note: the model ended without a final response")
            }
            _ => Ok(()),
        }
    }

    /// Ends the last line of an answer that broke off.
    pub(crate) fn break_off(&self, terminal: &mut Terminal<'_>) -> io::Result<()> {
        if self.part != Part::Nothing {
            writeln!(terminal.out)?;
            terminal.out.flush()?;
        }
        Ok(())
    }

    fn text(&mut self, part: Part, text: &str, terminal: &mut Terminal<'_>) -> io::Result<()> {
        self.open(part, terminal)?;
        if !self.styled {
            write!(terminal.out, "{text}")?;
        } else if part == Part::Reasoning {
            write!(terminal.out, "{DIM}{}{PLAIN}", printable(text))?;
        } else {
            write!(terminal.out, "{}", printable(text))?;
        }
        terminal.out.flush()
    }

    fn open(&mut self, part: Part, terminal: &mut Terminal<'_>) -> io::Result<()> {
        if self.part == part {
            return Ok(());
        }
        if self.part != Part::Nothing {
            write!(terminal.out, "\n\n")?;
        }
        self.part = part;
        let label = match part {
            Part::Reasoning => "Reasoning:",
            Part::Response => "Final response:",
            Part::Nothing | Part::Unmarked => return Ok(()),
        };
        if self.styled {
            write!(terminal.out, "{BOLD}{label}{PLAIN}\n\n")
        } else {
            write!(terminal.out, "{label}\n\n")
        }
    }
}

/// The text without control characters: a model must not be able to move the cursor or rename the window.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|&letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}
