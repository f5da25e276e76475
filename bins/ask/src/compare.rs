//! The base model and the tuned one, asked the same.

use std::io;

use cli::{Failure, Terminal};
use inference::{Answer, Assistant};
use serde_json::json;
use wire::ChatMessage;

use crate::display::{Display, printable};
use crate::question::{Asking, alone, whole};
use crate::record::Record;
use crate::refusal;

/// A terminal of fewer columns shows the answers one above the other.
const LEAST_COLUMNS: usize = 90;
/// Columns between the two answers.
const GAP: &str = " │ ";

/// Asks one question of both and prints both answers.
pub(crate) async fn ask(
    asking: &Asking,
    question: &str,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    if asking.json {
        let (base, tuned) = both(asking, alone(question)).await?;
        let record = json!({
            "question": question, "base": Record::new(question, &base), "tuned": Record::new(question, &tuned),
        });
        writeln!(terminal.out, "{}", serde_json::to_string_pretty(&record)?)?;
        return whole(&base).and(whole(&tuned));
    }
    let [base, tuned] = show(asking, alone(question), terminal).await?;
    whole(&base).and(whole(&tuned))
}

/// Asks `messages` of both and shows the base model's answer and the tuned one's.
pub(crate) async fn show(
    asking: &Asking,
    messages: Vec<ChatMessage>,
    terminal: &mut Terminal<'_>,
) -> Result<[Answer; 2], Failure> {
    if let Some(columns) = columns(terminal).filter(|columns| *columns >= LEAST_COLUMNS) {
        let (base, tuned) = both(asking, messages).await?;
        side_by_side([&base, &tuned], columns, asking.colours, terminal)?;
        return Ok([base, tuned]);
    }
    let base = stacked(asking, &asking.base, messages.clone(), terminal).await?;
    writeln!(terminal.out)?;
    let tuned = stacked(asking, &asking.assistant, messages, terminal).await?;
    Ok([base, tuned])
}

async fn both(asking: &Asking, messages: Vec<ChatMessage>) -> Result<(Answer, Answer), Failure> {
    let base = asking.base.ask_messages(messages.clone());
    let patient = asking.patient();
    let tuned = patient.ask_messages(messages);
    let (base, tuned) = tokio::join!(base, tuned);
    Ok((base.map_err(refusal::refused)?, tuned.map_err(refusal::refused)?))
}

async fn stacked(
    asking: &Asking,
    assistant: &Assistant,
    messages: Vec<ChatMessage>,
    terminal: &mut Terminal<'_>,
) -> Result<Answer, Failure> {
    let mut display = Display::new(terminal, asking.colours);
    display.title(&title(asking, &assistant.model), terminal)?;
    Ok(asking.show(assistant, messages, &mut display, terminal).await?)
}

fn title(asking: &Asking, model: &str) -> String {
    let which = if model == asking.assistant.model { "tuned" } else { "base" };
    format!("{which}: {model}")
}

/// The terminal's width, where it is one.
fn columns(terminal: &Terminal<'_>) -> Option<usize> {
    let size = terminal.out_is_terminal.then(terminal_size::terminal_size).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

fn side_by_side(
    answers: [&Answer; 2],
    columns: usize,
    colours: bool,
    terminal: &mut Terminal<'_>,
) -> io::Result<()> {
    let width = (columns - GAP.chars().count()) / 2;
    let titles = [format!("base: {}", answers[0].model), format!("tuned: {}", answers[1].model)];
    let halves = [0, 1].map(|side| column(answers[side], &titles[side], width));
    let [left, right] = &halves;
    let blank = (Style::Plain, String::new());
    for row in 0..left.len().max(right.len()) {
        let (style, text) = left.get(row).unwrap_or(&blank);
        let space = " ".repeat(width.saturating_sub(textwrap::core::display_width(text)));
        let left = style.painted(text, colours);
        let (style, text) = right.get(row).unwrap_or(&blank);
        let line = format!("{left}{space}{GAP}{}", style.painted(text, colours));
        writeln!(terminal.out, "{}", line.trim_end())?;
    }
    for answer in answers {
        Display::note(answer, terminal)?;
    }
    terminal.out.flush()
}

/// The lines of one answer.
fn column(answer: &Answer, title: &str, width: usize) -> Vec<(Style, String)> {
    let mut lines = vec![];
    let mut add = |style: Style, text: &str| {
        for line in printable(text).replace('\t', "    ").lines() {
            let wrapped = textwrap::wrap(line, width);
            lines.extend(wrapped.into_iter().map(|line| (style, line.into_owned())));
        }
    };
    add(Style::Bold, title);
    add(Style::Plain, "\n");
    if let Some(reasoning) = &answer.reasoning {
        add(Style::Bold, "Reasoning:");
        add(Style::Dim, reasoning);
        add(Style::Plain, "\n");
        add(Style::Bold, "Final response:");
    }
    add(Style::Plain, &answer.response);
    lines
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Plain,
    Bold,
    Dim,
}

impl Style {
    fn painted(self, text: &str, colours: bool) -> String {
        match self {
            Self::Bold if colours && !text.is_empty() => format!("\x1b[1m{text}\x1b[0m"),
            Self::Dim if colours && !text.is_empty() => format!("\x1b[2m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}
