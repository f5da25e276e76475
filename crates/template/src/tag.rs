//! The tags around reasoning, found in a text that arrives in chunks.

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Open,
    Close,
}

/// Tags by how they are spelled, lower-case.
const SPELLINGS: [(&str, Tag); 2] = [("<think>", Tag::Open), ("</think>", Tag::Close)];

/// What the beginning of a text is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// So many bytes of text.
    Text(usize),
    /// A tag, and how many bytes it takes.
    Tag(Tag, usize),
    /// The whole of it may still become a tag.
    Open,
}

/// Judges the beginning of `text`, which is not empty.
pub(crate) fn first(text: &str) -> Part {
    let at = text.find('<').unwrap_or(text.len());
    if at > 0 {
        return Part::Text(at);
    }
    let tag = SPELLINGS.into_iter().find(|(spelling, _)| starts_with(text, spelling));
    match tag {
        Some((spelling, tag)) => Part::Tag(tag, spelling.len()),
        None if SPELLINGS.iter().any(|(spelling, _)| starts_with(spelling, text)) => Part::Open,
        None => Part::Text(1),
    }
}

/// Whether `text` begins with `start`, in any case.
fn starts_with(text: &str, start: &str) -> bool {
    text.as_bytes()
        .get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_from_text_and_from_what_may_become_one() {
        let cases = [
            ("<think>x", Part::Tag(Tag::Open, 7)),
            ("</THINK>", Part::Tag(Tag::Close, 8)),
            ("p < 0.05", Part::Text(2)),
            ("< 0.05", Part::Text(1)),
            ("<é", Part::Text(1)),
            ("<thinking>", Part::Text(1)),
            ("<", Part::Open),
            ("</thi", Part::Open),
            ("<Think", Part::Open),
            ("<<think>", Part::Text(1)),
        ];
        for (text, part) in cases {
            assert_eq!(first(text), part, "{text}");
        }
    }
}
