//! Splitting an answer into reasoning and response while it arrives.

use crate::heading::{self, Heading, Verdict};
use crate::tag::{self, Part, Tag};
use crate::template::Template;

/// An answer taken apart.
///
/// # Examples
///
/// ```
/// use template::{Answer, Piece};
///
/// let pieces = [Piece::Reasoning("Cru".into()), Piece::Reasoning("shing.".into()), Piece::Response("An ECG.".into())];
/// let answer: Answer = pieces.into_iter().collect();
/// assert_eq!((answer.reasoning.as_deref(), answer.response.as_str()), (Some("Crushing."), "An ECG."));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The reasoning, or none where the text has no headings.
    pub reasoning: Option<String>,
    /// The final response; the whole text where it has no headings; empty where it was cut before.
    pub response: String,
    /// Whether a response was reached at all.
    pub complete: bool,
}

/// A part of an answer, as far as it has arrived.
///
/// # Examples
///
/// ```
/// assert_eq!(template::Piece::Unmarked("It is a cold.".into()).text(), "It is a cold.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// Text under the heading of the reasoning.
    Reasoning(String),
    /// Text under the heading of the final response.
    Response(String),
    /// Text before any heading: reasoning if a heading follows, else the whole response.
    Unmarked(String),
}

impl FromIterator<Piece> for Answer {
    /// Puts the pieces of a whole answer together.
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        let (mut unmarked, mut reasoning, mut response) =
            (String::new(), None::<String>, None::<String>);
        for piece in pieces {
            match piece {
                Piece::Unmarked(text) => unmarked.push_str(&text),
                Piece::Reasoning(text) => reasoning.get_or_insert_default().push_str(&text),
                Piece::Response(text) => response.get_or_insert_default().push_str(&text),
            }
        }
        if reasoning.is_none() && response.is_none() {
            return Self { complete: !unmarked.is_empty(), response: unmarked, reasoning: None };
        }
        let halves = [unmarked, reasoning.unwrap_or_default()];
        let reasoning = halves
            .iter()
            .filter(|half| !half.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n\n");
        let response = response.unwrap_or_default();
        Self { reasoning: Some(reasoning), complete: !response.is_empty(), response }
    }
}

/// Splits a text that arrives in chunks, and never lets half a heading or tag through.
///
/// The pieces of all chunks, collected into an [`Answer`], are the same however the text is cut into chunks.
///
/// # Examples
///
/// ```
/// use template::{Piece, Splitter, Template};
///
/// let mut splitter = Splitter::new(&Template::Headed);
/// assert_eq!(splitter.push("## Thin"), []);
/// assert_eq!(splitter.push("king\n\nWhy.\n\n## Fi"), [Piece::Reasoning("Why.".into())]);
/// assert_eq!(splitter.push("nal Response\n\nWhat"), [Piece::Response("What".into())]);
/// assert_eq!(splitter.finish(), []);
/// ```
#[derive(Clone, Debug)]
pub struct Splitter {
    section: Section,
    /// The beginning of a line that may yet turn out to be a heading.
    held: String,
    /// Whether the rest of the current line is known to be text.
    inside_line: bool,
    /// White space that is text only if more text follows in the section.
    space: String,
    /// Whether the section has any text.
    started: bool,
    /// The beginning of what may turn out to be a tag; `held` stands before it.
    held_tag: String,
    marks: Marks,
}

/// What marks the border between reasoning and response.
#[derive(Clone, Copy, Debug)]
struct Marks {
    headings: bool,
    tags: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Unmarked,
    Reasoning,
    Response,
}

impl Splitter {
    /// A splitter for the answers of a model that was trained with `template`.
    pub fn new(template: &Template) -> Self {
        let [headings, tags] = match template {
            Template::Headed => [true, false],
            Template::Plain => [false, false],
            Template::Think => [false, true],
            Template::Jinja(_) => [true, true],
        };
        Self {
            section: Section::Unmarked,
            held: String::new(),
            inside_line: false,
            space: String::new(),
            started: false,
            held_tag: String::new(),
            marks: Marks { headings, tags },
        }
    }

    /// Takes the next chunk and returns what can be shown now, at most one piece a section.
    pub fn push(&mut self, chunk: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.marks.tags {
            self.push_text(chunk, &mut pieces);
            return pieces;
        }
        let mut text = std::mem::take(&mut self.held_tag);
        text.push_str(chunk);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let part = if self.section == Section::Response {
                Part::Text(rest.len())
            } else {
                tag::first(rest)
            };
            let (head, tail) = match part {
                Part::Text(length) | Part::Tag(_, length) => rest.split_at(length),
                Part::Open => {
                    rest.clone_into(&mut self.held_tag);
                    break;
                }
            };
            match part {
                Part::Tag(tag, _) => self.push_tag(tag, head, &mut pieces),
                Part::Text(_) | Part::Open => self.push_text(head, &mut pieces),
            }
            rest = tail;
        }
        pieces
    }

    /// Ends the text and returns what was still held back.
    ///
    /// A half heading or tag at the very end, where an answer was cut, is dropped.
    pub fn finish(mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self.held_tag.is_empty() && heading::is_half(&self.held) && !self.holds_heading() {
            return pieces;
        }
        self.end_line(&mut pieces);
        if self.section == Section::Response {
            let half = std::mem::take(&mut self.held_tag);
            self.emit(&half, &mut pieces);
        }
        pieces
    }

    /// Whether what is held is a heading if the text ends here.
    fn holds_heading(&self) -> bool {
        matches!(self.judge(&self.held, true), Verdict::Heading(..))
    }

    /// Takes what was held of a line as the whole of it.
    fn end_line(&mut self, pieces: &mut Vec<Piece>) {
        let held = std::mem::take(&mut self.held);
        match self.judge(&held, true) {
            Verdict::Heading(heading, at) => {
                self.open(section_of(heading), pieces);
                self.emit(&held[at..], pieces);
            }
            Verdict::Text | Verdict::Open => self.emit(&held, pieces),
        }
    }

    /// Takes a tag, which opens a section unless that section or the response is open already.
    fn push_tag(&mut self, tag: Tag, text: &str, pieces: &mut Vec<Piece>) {
        self.end_line(pieces);
        match (tag, self.section) {
            (Tag::Open, Section::Unmarked) => self.open(Section::Reasoning, pieces),
            (Tag::Close, Section::Unmarked | Section::Reasoning) => {
                self.open(Section::Response, pieces);
            }
            (_, Section::Reasoning | Section::Response) => {
                self.emit(text, pieces);
                self.inside_line = true;
                return;
            }
        }
        self.inside_line = false;
    }

    fn push_text(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        for part in text.split_inclusive('\n') {
            self.push_part(part, pieces);
        }
    }

    /// Takes a part that holds no newline but perhaps one at its end.
    fn push_part(&mut self, part: &str, pieces: &mut Vec<Piece>) {
        let ended = part.ends_with('\n');
        if self.inside_line || !self.marks.headings || self.section == Section::Response {
            self.emit(part, pieces);
            self.inside_line = !ended;
            return;
        }
        self.held.push_str(part);
        let line = self.held.strip_suffix('\n').unwrap_or(&self.held);
        match self.judge(line, ended) {
            Verdict::Open => return,
            Verdict::Text => {
                let held = std::mem::take(&mut self.held);
                self.emit(&held, pieces);
            }
            Verdict::Heading(heading, at) => {
                let held = std::mem::take(&mut self.held);
                self.open(section_of(heading), pieces);
                self.emit(&held[at..], pieces);
            }
        }
        self.inside_line = !ended;
    }

    /// As [`heading::judge`], but the heading of the section that is open already is text.
    fn judge(&self, line: &str, ended: bool) -> Verdict {
        match heading::judge(line, ended) {
            Verdict::Heading(Heading::Thinking, _) if self.section == Section::Reasoning => {
                Verdict::Text
            }
            verdict => verdict,
        }
    }

    fn open(&mut self, section: Section, pieces: &mut Vec<Piece>) {
        self.section = section;
        self.started = false;
        self.space.clear();
        // The empty piece says that the section was opened, even if nothing follows in it.
        pieces.push(self.section.piece(String::new()));
    }

    /// Emits text of the current section, without white space at the section's ends.
    fn emit(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        let text = if self.started { text } else { text.trim_start() };
        let body = text.trim_end();
        if body.is_empty() {
            self.space.push_str(text);
            return;
        }
        self.started = true;
        let mut shown = std::mem::replace(&mut self.space, text[body.len()..].to_owned());
        shown.push_str(body);
        match pieces.last_mut() {
            Some(last) if last.section() == self.section => last.text_mut().push_str(&shown),
            _ => pieces.push(self.section.piece(shown)),
        }
    }
}

const fn section_of(heading: Heading) -> Section {
    match heading {
        Heading::Thinking => Section::Reasoning,
        Heading::FinalResponse => Section::Response,
    }
}

impl Section {
    fn piece(self, text: String) -> Piece {
        match self {
            Self::Unmarked => Piece::Unmarked(text),
            Self::Reasoning => Piece::Reasoning(text),
            Self::Response => Piece::Response(text),
        }
    }
}

impl Piece {
    /// The text of the piece, whatever it is part of.
    pub fn text(&self) -> &str {
        match self {
            Self::Reasoning(text) | Self::Response(text) | Self::Unmarked(text) => text,
        }
    }

    fn text_mut(&mut self) -> &mut String {
        match self {
            Self::Reasoning(text) | Self::Response(text) | Self::Unmarked(text) => text,
        }
    }

    fn section(&self) -> Section {
        match self {
            Self::Reasoning(_) => Section::Reasoning,
            Self::Response(_) => Section::Response,
            Self::Unmarked(_) => Section::Unmarked,
        }
    }
}

#[cfg(test)]
mod tests;
