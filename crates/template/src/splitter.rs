//! Splitting an answer into reasoning and response while it arrives.

use crate::heading::{self, Heading, Verdict};
use crate::template::Template;

/// An answer taken apart.
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

/// Splits a text that arrives in chunks, and never lets half a heading through.
///
/// The pieces of all chunks, collected into an [`Answer`], are the same however the text is cut into chunks.
///
/// # Examples
///
/// ```
/// use template::{Piece, Splitter, Template};
///
/// let mut splitter = Splitter::new(Template::Headed);
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
    looks_for_headings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Unmarked,
    Reasoning,
    Response,
}

impl Splitter {
    /// A splitter for the answers of a model that was trained with `template`.
    pub fn new(template: Template) -> Self {
        Self {
            section: Section::Unmarked,
            held: String::new(),
            inside_line: false,
            space: String::new(),
            started: false,
            looks_for_headings: template == Template::Headed,
        }
    }

    /// Takes the next chunk and returns what can be shown now, at most one piece a section.
    pub fn push(&mut self, chunk: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for part in chunk.split_inclusive('\n') {
            self.push_part(part, &mut pieces);
        }
        pieces
    }

    /// Ends the text and returns what was still held back.
    ///
    /// A half heading at the very end, where an answer was cut, is dropped.
    pub fn finish(mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let held = std::mem::take(&mut self.held);
        match self.judge(&held, true) {
            Verdict::Heading(heading, at) => {
                self.open(heading, &mut pieces);
                self.emit(&held[at..], &mut pieces);
            }
            _ if heading::is_half(&held) => {}
            _ => self.emit(&held, &mut pieces),
        }
        pieces
    }

    /// Takes a part that holds no newline but perhaps one at its end.
    fn push_part(&mut self, part: &str, pieces: &mut Vec<Piece>) {
        let ended = part.ends_with('\n');
        if self.inside_line || !self.looks_for_headings || self.section == Section::Response {
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
                self.open(heading, pieces);
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

    fn open(&mut self, heading: Heading, pieces: &mut Vec<Piece>) {
        self.section = match heading {
            Heading::Thinking => Section::Reasoning,
            Heading::FinalResponse => Section::Response,
        };
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> String {
        let Answer { reasoning, response, complete } = Template::Headed.split(text);
        format!("{reasoning:?} | {response:?} | {complete}")
    }

    #[test]
    fn an_answer_is_split_at_its_headings() {
        insta::assert_snapshot!(check("## Thinking\n\nWhy.\n\n- so\n\n## Final Response\n\nWhat.\n"), @r#"Some("Why.\n\n- so") | "What." | true"#);
        insta::assert_snapshot!(check("\n# THINKING\nWhy.\n##final response:\r\nWhat."), @r#"Some("Why.") | "What." | true"#);
        insta::assert_snapshot!(check("## Thinking: Why.\n**Final Response:** What."), @r#"Some("Why.") | "What." | true"#);
        insta::assert_snapshot!(check("## Thinking\n\n## Final Response\n\nWhat."), @r#"Some("") | "What." | true"#);
    }

    #[test]
    fn a_text_cut_before_the_response_is_reasoning_and_incomplete() {
        insta::assert_snapshot!(check("## Thinking\n\nWhy and"), @r#"Some("Why and") | "" | false"#);
        insta::assert_snapshot!(check("## Thinking\n\nWhy.\n\n## Final Re"), @r#"Some("Why.") | "" | false"#);
        insta::assert_snapshot!(check("## Thinking\n\nWhy.\n\n## Final Response"), @r#"Some("Why.") | "" | false"#);
        insta::assert_snapshot!(check("## Thin"), @r#"None | "" | false"#);
    }

    #[test]
    fn a_text_without_headings_is_all_response() {
        insta::assert_snapshot!(check("  It is a cold.\n\nRest.\n"), @r#"None | "It is a cold.\n\nRest." | true"#);
        insta::assert_snapshot!(check("Thinking\n\n## Treatment\n\n* Rest"), @r#"None | "Thinking\n\n## Treatment\n\n* Rest" | true"#);
        insta::assert_snapshot!(check(""), @r#"None | "" | false"#);
    }

    #[test]
    fn text_before_the_first_heading_is_reasoning() {
        insta::assert_snapshot!(check("Let us see.\n\n## Final Response\n\nWhat."), @r#"Some("Let us see.") | "What." | true"#);
        insta::assert_snapshot!(check("Sure.\n\n## Thinking\n\nWhy.\n\n## Final Response\n\nWhat."), @r#"Some("Sure.\n\nWhy.") | "What." | true"#);
    }

    #[test]
    fn headings_inside_a_section_are_text() {
        insta::assert_snapshot!(check("## Thinking\na\n## Thinking\nb\n## Final Response\nc\n## Final Response\nd\n## Thinking"), @r#"Some("a\n## Thinking\nb") | "c\n## Final Response\nd\n## Thinking" | true"#);
    }

    #[test]
    fn plain_answers_are_never_split() {
        let answer = Template::Plain.split("## Thinking\n\nWhy.\n\nWhat.\n");
        assert_eq!(
            answer,
            Answer {
                reasoning: None,
                response: "## Thinking\n\nWhy.\n\nWhat.".into(),
                complete: true
            }
        );
    }

    /// Texts in which headings, halves of headings and ordinary words lie close together.
    fn answers() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("## Thinking"),
            Just("## Final Response"),
            Just("**Final Response:**"),
            Just("# FINAL"),
            Just("##"),
            Just("\n"),
            Just("\n\n"),
            Just("\r\n"),
            Just(" "),
            Just("**"),
            Just(":"),
            Just("fever"),
            Just("é—漢"),
            Just("response"),
        ];
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    fn chunked(text: &str, sizes: &[usize]) -> Vec<Piece> {
        let mut splitter = Splitter::new(Template::Headed);
        let (mut pieces, mut sizes, mut chunk) = (Vec::new(), sizes.iter().cycle(), String::new());
        let mut left = sizes.next().copied();
        for letter in text.chars() {
            chunk.push(letter);
            if left.is_some_and(|size| chunk.chars().count() >= size) {
                pieces.extend(splitter.push(&chunk));
                chunk.clear();
                left = sizes.next().copied();
            }
        }
        pieces.extend(splitter.push(&chunk));
        pieces.extend(splitter.finish());
        pieces
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_split(text in answers(), sizes in prop::collection::vec(1_usize..9, 1..6)) {
            let answer: Answer = chunked(&text, &sizes).into_iter().collect();
            prop_assert_eq!(answer, Template::Headed.split(&text));
        }

        #[test]
        fn any_text_is_split_without_panic(text in any::<String>(), sizes in prop::collection::vec(1_usize..5, 1..4)) {
            let answer: Answer = chunked(&text, &sizes).into_iter().collect();
            prop_assert_eq!(answer, Template::Headed.split(&text));
        }

        #[test]
        fn no_half_heading_is_ever_shown(before in "[a-z ]{0,12}", cut in 0_usize..=17) {
            let heading = "## Final Response";
            let mut splitter = Splitter::new(Template::Headed);
            let mut shown = splitter.push(&format!("## Thinking\n\n{before}\n"));
            shown.extend(splitter.push(&heading[..cut]));
            shown.extend(splitter.finish());
            prop_assert!(shown.iter().all(|piece| !piece.text().contains('#')), "{:?}", shown);
        }

        #[test]
        fn what_is_rendered_is_split_into_the_same_halves(why in "[^#*]{0,40}", what in "\\PC{0,40}") {
            let answer = Template::Headed.split(&Template::Headed.render(&why, &what));
            prop_assert_eq!(answer.reasoning.as_deref(), Some(why.trim()));
            prop_assert_eq!(answer.response.as_str(), what.trim());
        }
    }
}
