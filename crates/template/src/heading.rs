//! Recognising a heading in a line, whole or still arriving.

/// What a heading opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    Thinking,
    FinalResponse,
}

/// What is known of a line so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No continuation of the line can make it a heading.
    Text,
    /// The line may still become a heading.
    Open,
    /// A heading; what is left of the line from this byte on is text.
    Heading(Heading, usize),
}

/// Headings by the words that name them, lower-case, one space between words.
const NAMES: [(&str, Heading); 6] = [
    ("thinking", Heading::Thinking),
    ("思考", Heading::Thinking),
    ("思考过程", Heading::Thinking),
    ("final response", Heading::FinalResponse),
    ("最终回答", Heading::FinalResponse),
    ("最终答案", Heading::FinalResponse),
];

/// Judges the beginning of a line, without its newline; `ended` says that no more of it follows.
///
/// A heading is a run of `#` or bold marks, a name in any case, and nothing else, or a colon and then text; the marks
/// and the colon may be full-width ones. The verdict
/// on a longer beginning of the same line never contradicts `Text` or a heading followed by text.
pub(crate) fn judge(line: &str, ended: bool) -> Verdict {
    let name_at = line.find(|c: char| !is_mark(c) && !c.is_whitespace()).unwrap_or(line.len());
    let marks = &line[..name_at];
    if name_at == line.len() {
        return if ended { Verdict::Text } else { Verdict::Open };
    }
    if !(marks.contains(['#', '＃']) || marks.contains("**") || marks.contains("＊＊")) {
        return Verdict::Text;
    }
    let mut open = false;
    for (name, heading) in NAMES {
        match after_name(&line[name_at..], name) {
            // One name may be the beginning of another.
            Some(rest) => match judge_tail(line, rest, ended, heading) {
                Verdict::Text => {}
                verdict => return verdict,
            },
            None => open |= is_beginning(&line[name_at..], name),
        }
    }
    if open && !ended { Verdict::Open } else { Verdict::Text }
}

/// Whether the end of a text, judged `Text` only because the text ended, is the beginning of a heading.
pub(crate) fn is_half(line: &str) -> bool {
    line.contains(['#', '*', '＃', '＊']) && judge(line, false) == Verdict::Open
}

fn is_mark(c: char) -> bool {
    matches!(c, '#' | '*' | '_' | '＃' | '＊')
}

/// What follows `name` in `text`, where any run of white space stands for one space.
fn after_name<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    for (index, word) in name.split(' ').enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
        }
        let (head, tail) = rest.split_at_checked(word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

/// Whether `text` is a beginning of `name`, where any run of white space stands for one space.
fn is_beginning(text: &str, name: &str) -> bool {
    let mut normal = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    if text.ends_with(char::is_whitespace) {
        normal.push(' ');
    }
    name.starts_with(&normal)
}

/// Judges what follows a name: closing marks, a colon, closing marks, then text only after a colon.
fn judge_tail(line: &str, rest: &str, ended: bool, heading: Heading) -> Verdict {
    let rest = rest.trim_start_matches(|c: char| is_mark(c) || c.is_whitespace());
    let (rest, colon) = match rest.strip_prefix([':', '：']) {
        Some(after) => (after.trim_start_matches(is_mark).trim_start(), true),
        None => (rest, false),
    };
    let at = line.len() - rest.len();
    match (rest.is_empty(), colon) {
        (true, _) if ended => Verdict::Heading(heading, at),
        (true, _) => Verdict::Open,
        (false, true) => Verdict::Heading(heading, at),
        (false, false) => Verdict::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> String {
        match judge(line, true) {
            Verdict::Heading(heading, at) => format!("{heading:?} {:?}", &line[at..]),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn headings_are_recognised_leniently() {
        for line in [
            "## Thinking",
            "#thinking",
            "  ###  THINKING  ",
            "## Thinking:",
            "**Thinking**",
            "## **Thinking:** ##",
            "## 思考",
            "＃＃　思考过程：",
            "**思考**",
            "＊＊思考：＊＊",
        ] {
            assert!(check(line).starts_with("Thinking"), "{line}: {}", check(line));
        }
        for line in [
            "## Final Response",
            "## final   response\r",
            "**Final Response:**",
            "### Final\tResponse ###",
            "## 最终回答",
            "＃＃ 最终回答：",
            "### **最终答案**",
        ] {
            assert_eq!(check(line), "FinalResponse \"\"", "{line}");
        }
        assert_eq!(
            check("## Final Response: **Aspirin** first"),
            "FinalResponse \"**Aspirin** first\""
        );
        assert_eq!(check("**Final Response:** **Aspirin**"), "FinalResponse \"**Aspirin**\"");
    }

    #[test]
    fn other_lines_are_text() {
        for line in [
            "",
            "Thinking",
            "## Thinking about it",
            "* Thinking",
            "## Thinkings",
            "## Final",
            "## Finally",
            "思考",
            "## 思考一下",
            "## 思考过",
            "## 最终",
            "---",
            "####",
        ] {
            assert_eq!(check(line), "Text", "{line}");
        }
    }

    #[test]
    fn a_verdict_on_a_beginning_is_never_taken_back() {
        for line in [
            "## Final Response: x ## y",
            "##  Finale",
            "**Thinking:** **x**",
            "# Thinking about",
            "* a",
            "## 思考过程：先看",
            "## 思考一下",
            "＃ 最终回答：x",
            "é## Thinking",
        ] {
            let mut fixed = None;
            for end in (0..=line.len()).filter(|&end| line.is_char_boundary(end)) {
                let verdict = judge(&line[..end], false);
                if let Some(fixed) = fixed {
                    assert_eq!(verdict, fixed, "{}", &line[..end]);
                }
                fixed = (verdict != Verdict::Open).then_some(verdict);
            }
        }
    }
}
