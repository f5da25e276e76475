use std::path::Path;

use serde_json::Value as Json;

use super::*;

/// Conversations as Transformers renders them: `tests/golden/make_text.py`.
const GOLDEN: &str = include_str!("../../../../tests/golden/templates.json");

fn template(source: &str) -> Result<ChatTemplate, TemplateError> {
    ChatTemplate::parse(
        source,
        BTreeMap::from([
            ("bos_token", "<|im_start|>".to_owned()),
            ("eos_token", "<|im_end|>".to_owned()),
        ]),
    )
}

fn fault(source: &str) -> String {
    let message = [ChatMessage::new("user", "the patient's own words")];
    let rendered = template(source).map_err(|source| Error::Template { source });
    let error =
        rendered.and_then(|template| template.render(&message, false)).expect_err("it is spoilt");
    std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
}

fn agrees(template: &ChatTemplate, case: &Json) -> anyhow::Result<()> {
    let messages: Vec<ChatMessage> = case["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            ChatMessage::new(
                message["role"].as_str().unwrap(),
                message["content"].as_str().unwrap(),
            )
        })
        .collect();
    let found = template.render(&messages, case["add_generation_prompt"].as_bool().unwrap());
    match case["text"].as_str() {
        Some(text) => assert_eq!(found?, text, "{case}"),
        None => assert!(found.is_err(), "{case}"),
    }
    Ok(())
}

#[test]
fn conversations_are_rendered_as_transformers_renders_them() -> anyhow::Result<()> {
    let cases: Vec<Json> = serde_json::from_str(GOLDEN)?;
    assert!(cases.len() > 30);
    cases.iter().try_for_each(|case| agrees(&template(case["template"].as_str().unwrap())?, case))
}

#[test]
fn the_families_templates_render_as_in_transformers() -> anyhow::Result<()> {
    let golden = std::fs::read_to_string(crate::testing::golden("chat_templates.json"))?;
    let golden: BTreeMap<String, Json> = serde_json::from_str(&golden)?;
    assert_eq!(golden.keys().collect::<Vec<_>>(), ["qwen2.5", "qwen3", "tinyllama"]);
    for family in golden.values() {
        let template = template(family["template"].as_str().unwrap())?;
        let cases = family["cases"].as_array().unwrap();
        assert!(cases.len() >= 14);
        cases.iter().try_for_each(|case| agrees(&template, case))?;
    }
    Ok(())
}

#[test]
fn gguf_and_folder_give_the_same_template() -> anyhow::Result<()> {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    let messages = [ChatMessage::new("user", "a"), ChatMessage::new("assistant", "b")];
    let mut texts = Vec::new();
    for path in [tiny.join("model.gguf"), tiny] {
        let weights = Weights::open(&path)?;
        let template = ChatTemplate::of(&weights, &Tokenizer::of(&weights)?)?;
        texts.push(template.render(&messages, true)?);
    }
    assert_eq!(texts[0], texts[1]);
    Ok(())
}

#[test]
fn each_fault_is_told_without_the_messages() {
    insta::assert_snapshot!(fault("{% if %}"), @"line 1 is not understood: syntax error (unexpected end of block)");
    insta::assert_snapshot!(fault("{{ raise_exception('no ' + messages[0].role) }}"), @"it refuses the messages: no user");
    insta::assert_snapshot!(fault("\n{{ messages[0].content.nothing() }}"), @"line 2 failed: unknown method (string has no method named nothing)");
    insta::assert_snapshot!(fault("{% for a in range(10000) %}{% for b in range(10000) %}{% set x = a + b %}{% endfor %}{% endfor %}"), @"line 1 failed: engine ran out of fuel");
}

#[test]
fn a_message_never_shows_its_content_in_debug_output() {
    let message = ChatMessage::new("user", "the patient's own words");
    insta::assert_snapshot!(format!("{message:?}"), @r#"ChatMessage { role: "user", content_bytes: 23, weight: None }"#);
}
