//! Whether an answer has the form that the model was trained to give it.

use template::{Piece, Splitter, Template};

/// What an answer's form is like, point by point.
///
/// # Examples
///
/// ```
/// use evaluation::holdout::Compliance;
/// use template::Template;
///
/// let good = "## Thinking\n\nWhy.\n\n## Final Response\n\nWhat.";
/// assert!(Compliance::of(good, &Template::Headed, true).is_full());
/// assert!(!Compliance::of(good, &Template::Headed, false).is_full());
/// let unmarked = Compliance::of("Just an answer.", &Template::Headed, true);
/// assert_eq!((unmarked.both_headings, unmarked.is_full()), (Some(false), false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compliance {
    /// Whether both reasoning and response are marked; none where the template has no marks.
    pub both_headings: Option<bool>,
    /// Whether the reasoning comes first, with nothing before it; none where the template has no marks.
    pub in_order: Option<bool>,
    /// Whether the response says something.
    pub response_given: bool,
    /// Whether the model ended the answer itself, and no limit did.
    pub ended_itself: bool,
}

impl Compliance {
    /// The form of `text`, an answer by `template` that the model ended itself or not.
    pub fn of(text: &str, template: &Template, ended_itself: bool) -> Self {
        let mut splitter = Splitter::new(template);
        let mut pieces = splitter.push(text);
        pieces.extend(splitter.finish());
        let is_reasoning = |piece: &Piece| matches!(piece, Piece::Reasoning(_));
        let is_response = |piece: &Piece| matches!(piece, Piece::Response(_));
        let marked = *template != Template::Plain;
        let both = pieces.iter().any(is_reasoning) && pieces.iter().any(is_response);
        let ordered =
            pieces.first().is_some_and(is_reasoning) && pieces.is_sorted_by_key(is_response);
        let response = template.split(text).response;
        Self {
            both_headings: marked.then_some(both),
            in_order: marked.then_some(ordered),
            response_given: !response.trim().is_empty() && (both || !marked),
            ended_itself,
        }
    }

    /// Whether every point holds.
    pub fn is_full(self) -> bool {
        self.both_headings != Some(false)
            && self.in_order != Some(false)
            && self.response_given
            && self.ended_itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> [bool; 4] {
        let form = Compliance::of(text, &Template::Headed, true);
        let marked = [form.both_headings, form.in_order].map(|point| point == Some(true));
        [marked[0], marked[1], form.response_given, form.is_full()]
    }

    #[test]
    fn each_way_to_miss_the_form_is_told_apart() {
        let both = "## Thinking\n\nWhy.\n\n## Final Response\n\nWhat.";
        assert_eq!(check(both), [true, true, true, true]);
        assert_eq!(check(&format!("Sure!\n\n{both}")), [true, false, true, false]);
        assert_eq!(check("## Thinking\n\nWhy."), [false, true, false, false]);
        assert_eq!(
            check("## Thinking\n\nWhy.\n\n## Final Response\n\n"),
            [true, true, false, false]
        );
        assert_eq!(check("## Final Response\n\nWhat."), [false, false, false, false]);
        assert_eq!(check("What."), [false, false, false, false]);
        assert_eq!(check(""), [false, false, false, false]);
    }

    #[test]
    fn a_template_without_marks_asks_only_for_an_answer_that_ends() {
        let form = Compliance::of("What.", &Template::Plain, true);
        assert_eq!((form.both_headings, form.in_order, form.is_full()), (None, None, true));
        assert!(!Compliance::of(" ", &Template::Plain, true).is_full());
    }
}
