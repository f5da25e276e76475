//! Splitting whole texts, and the same in any chunks.

use proptest::prelude::*;

use super::*;
use crate::jinja::Jinja;
use crate::template::Parts;

fn check(text: &str) -> String {
    check_with(&Template::Headed, text)
}

fn check_with(template: &Template, text: &str) -> String {
    let Answer { reasoning, response, complete } = template.split(text);
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
        Answer { reasoning: None, response: "## Thinking\n\nWhy.\n\nWhat.".into(), complete: true }
    );
}

#[test]
fn headings_are_also_recognised_in_chinese() {
    insta::assert_snapshot!(check("## 思考\n\n发热。\n\n## 最终回答\n\n休息。"), @r#"Some("发热。") | "休息。" | true"#);
    insta::assert_snapshot!(check("＃＃　思考过程：发热。\n**最终答案：** 休息。"), @r#"Some("发热。") | "休息。" | true"#);
    insta::assert_snapshot!(check("## 思考\n\n发热。\n\n## 最终"), @r#"Some("发热。") | "" | false"#);
}

#[test]
fn thinking_is_split_at_its_tags() {
    let check = |text| check_with(&Template::Think, text);
    insta::assert_snapshot!(check("<think>\nWhy.\n</think>\n\nWhat.\n"), @r#"Some("Why.") | "What." | true"#);
    insta::assert_snapshot!(check("<THINK>Why, p < 0.05.</Think>What."), @r#"Some("Why, p < 0.05.") | "What." | true"#);
    insta::assert_snapshot!(check("Why.\n</think>\nWhat."), @r#"Some("Why.") | "What." | true"#);
    insta::assert_snapshot!(check("Sure. <think>Why <think> so.</think>What </think> is <think>."), @r#"Some("Sure.\n\nWhy <think> so.") | "What </think> is <think>." | true"#);
    insta::assert_snapshot!(check("<think></think>What."), @r#"Some("") | "What." | true"#);
    insta::assert_snapshot!(check("<think>Why, so</thi"), @r#"Some("Why, so") | "" | false"#);
    insta::assert_snapshot!(check("<thin"), @r#"None | "" | false"#);
    insta::assert_snapshot!(check("What, if p <"), @r#"None | "What, if p" | true"#);
    insta::assert_snapshot!(check("## Thinking\n\nWhy.\n\n## Final Response\n\nWhat."), @r###"None | "## Thinking\n\nWhy.\n\n## Final Response\n\nWhat." | true"###);
    insta::assert_snapshot!(check_with(&Template::Headed, "<think>Why.</think>What."), @r#"None | "<think>Why.</think>What." | true"#);
}

#[test]
fn an_answer_of_a_users_template_is_split_by_the_marks_that_it_holds() {
    let jinja = Template::Jinja(Jinja::new("{{ response }}").unwrap());
    let check = |text| check_with(&jinja, text);
    insta::assert_snapshot!(check("Because of why: what."), @r#"None | "Because of why: what." | true"#);
    insta::assert_snapshot!(check("<think>\nWhy.\n## Thinking\n</think>\nWhat."), @r#"Some("Why.\n## Thinking") | "What." | true"#);
    insta::assert_snapshot!(check("## Thinking\nWhy.\n## Final Response\n<think>What.</think>"), @r#"Some("Why.") | "<think>What.</think>" | true"#);
    insta::assert_snapshot!(check("## Thinking\nWhy.\n</think>\nWhat.\n## Final Response"), @r#"Some("Why.") | "What.\n## Final Response" | true"#);
    insta::assert_snapshot!(check("## Final Response: <"), @r#"Some("") | "<" | true"#);
}

#[test]
fn tags_arriving_letter_by_letter_are_never_shown() {
    let mut splitter = Splitter::new(&Template::Think);
    let mut shown = Vec::new();
    for letter in "a<think>b</think>".chars() {
        shown.extend(splitter.push(&letter.to_string()));
    }
    shown.extend(splitter.finish());
    let piece = |text: &str| text.to_owned();
    assert_eq!(
        shown,
        [
            Piece::Unmarked(piece("a")),
            Piece::Reasoning(piece("")),
            Piece::Reasoning(piece("b")),
            Piece::Response(piece(""))
        ]
    );
}

#[derive(serde::Deserialize)]
struct Case {
    template: String,
    text: String,
    reasoning: Option<String>,
    response: String,
    complete: bool,
}

/// The page of the server splits in the browser what it shows; the same cases hold it and this crate to each other.
#[test]
fn the_page_splits_as_this_does() {
    let cases = include_str!("../../../../tests/golden/splits.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 250, "{}", cases.len());
    for Case { template, text, reasoning, response, complete } in cases {
        let template = match template.as_str() {
            "any" => Template::Jinja(Jinja::new("{{ response }}").unwrap()),
            name => name.parse().unwrap(),
        };
        let split = template.split(&text);
        assert_eq!(split, Answer { reasoning, response, complete }, "{template}: {text:?}");
    }
}

/// Every way of splitting.
fn templates() -> impl Strategy<Value = Template> {
    let jinja = Template::Jinja(Jinja::new("{{ response }}").unwrap());
    prop::sample::select([&Template::NAMED[..], &[jinja]].concat())
}

/// Texts in which headings, halves of headings and ordinary words lie close together.
fn answers() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("## Thinking"),
        Just("## Final Response"),
        Just("**Final Response:**"),
        Just("# FINAL"),
        Just("## 思考"),
        Just("最终回答"),
        Just("<think>"),
        Just("</think>"),
        Just("<"),
        Just("</thi"),
        Just("nk>"),
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

fn chunked(template: &Template, text: &str, sizes: &[usize]) -> Vec<Piece> {
    let mut splitter = Splitter::new(template);
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
    fn any_chunking_gives_the_same_split(template in templates(), text in answers(), sizes in prop::collection::vec(1_usize..9, 1..6)) {
        let answer: Answer = chunked(&template, &text, &sizes).into_iter().collect();
        prop_assert_eq!(answer, template.split(&text));
    }

    #[test]
    fn any_text_is_split_without_panic(template in templates(), text in any::<String>(), sizes in prop::collection::vec(1_usize..5, 1..4)) {
        let answer: Answer = chunked(&template, &text, &sizes).into_iter().collect();
        prop_assert_eq!(answer, template.split(&text));
    }

    /// Whatever has arrived, no mark of a border stands in what is shown, whole, half or in pieces.
    #[test]
    fn no_part_of_a_mark_is_shown_at_any_moment(
        template in prop::sample::select(vec![Template::Headed, Template::Think]),
        why in "[a-z .\n\u{601d}]{0,30}", what in "[a-z .\n]{0,30}", until in 0_usize..120, sizes in prop::collection::vec(1_usize..5, 1..4),
    ) {
        let text = template.render(&Parts::of(&why, &what)).unwrap();
        let cut: String = text.chars().take(until).collect();
        let mut splitter = Splitter::new(&template);
        let (mut halves, mut letters, mut sizes) = ([String::new(), String::new()], cut.chars().peekable(), sizes.iter().cycle());
        while letters.peek().is_some() {
            let chunk: String = letters.by_ref().take(*sizes.next().unwrap()).collect();
            for piece in splitter.push(&chunk) {
                let half = usize::from(matches!(piece, Piece::Response(_)));
                halves[half].push_str(piece.text());
            }
            prop_assert!(why.trim().starts_with(&halves[0]), "{:?} of {:?}", halves, text);
            prop_assert!(what.trim().starts_with(&halves[1]), "{:?} of {:?}", halves, text);
        }
    }

    #[test]
    fn no_half_heading_is_ever_shown(before in "[a-z ]{0,12}", cut in 0_usize..=17) {
        let heading = "## Final Response";
        let mut splitter = Splitter::new(&Template::Headed);
        let mut shown = splitter.push(&format!("## Thinking\n\n{before}\n"));
        shown.extend(splitter.push(&heading[..cut]));
        shown.extend(splitter.finish());
        prop_assert!(shown.iter().all(|piece| !piece.text().contains('#')), "{:?}", shown);
    }

    #[test]
    fn what_is_rendered_is_split_into_the_same_halves(why in "[^#*]{0,40}", what in "\\PC{0,40}") {
        let answer = Template::Headed.split(&Template::Headed.render(&Parts::of(&why, &what)).unwrap());
        prop_assert_eq!(answer.reasoning.as_deref(), Some(why.trim()));
        prop_assert_eq!(answer.response.as_str(), what.trim());
    }

    #[test]
    fn thinking_that_is_rendered_is_split_into_the_same_halves(why in "[^<]{0,40}", what in "\\PC{0,40}") {
        let answer = Template::Think.split(&Template::Think.render(&Parts::of(&why, &what)).unwrap());
        prop_assert_eq!(answer.reasoning.as_deref(), Some(why.trim()));
        prop_assert_eq!(answer.response.as_str(), what.trim());
    }
}
