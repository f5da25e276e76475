//! Whether the engine's tokenizer and chat templates agree with Hugging Face's on a vocabulary of one's own.
//!
//! `tokenizer-ids FOLDER` reads what `tests/golden/make_tokenizers.py TOKENIZER KIND FOLDER` wrote; `tokenizer-ids
//! other.json` what `make_chat_templates.py` wrote. Prints how many cases agree; fails at the first that does not.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use engine::gguf::Gguf;
use engine::{ChatMessage, ChatTemplate, Tokenizer};
use serde_json::Value;

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("the folder or file that the script wrote")?;
    let path = Path::new(&path);
    let agreed = if path.is_dir() { tokens(path)? } else { templates(path)? };
    println!("{agreed} cases agree");
    Ok(())
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[key].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn tokens(folder: &Path) -> Result<usize> {
    let bytes = std::fs::read(folder.join("vocabulary.gguf"))?;
    let tokenizer = Tokenizer::from_gguf(&Gguf::parse(&bytes)?)?;
    let expected = json(&folder.join("expected.json"))?;
    let mut agreed = 0;
    for case in list(&expected, "encoded") {
        let times = usize::try_from(case["times"].as_u64().unwrap_or(1))?;
        let text = text(&case["text"]).repeat(times);
        let (plain, parsed) = (tokenizer.encode(&text), tokenizer.encode_with_special(&text));
        ensure!(serde_json::to_value(&plain)? == case["plain"], "{text:?}: {plain:?} {case}");
        ensure!(serde_json::to_value(&parsed)? == case["parsed"], "{text:?}: {parsed:?} {case}");
        agreed += 2;
    }
    for case in list(&expected, "decoded") {
        let ids: Vec<u32> = serde_json::from_value(case["tokens"].clone())?;
        let found = tokenizer.decode(&ids);
        ensure!(found == text(&case["text"]), "{found:?} {case}");
        agreed += 1;
    }
    Ok(agreed)
}

fn templates(path: &Path) -> Result<usize> {
    let special = BTreeMap::from([
        ("bos_token", "<|im_start|>".to_owned()),
        ("eos_token", "<|im_end|>".to_owned()),
    ]);
    let mut agreed = 0;
    for family in json(path)?.as_object().into_iter().flat_map(|families| families.values()) {
        let template = ChatTemplate::parse(text(&family["template"]), special.clone())?;
        for case in list(family, "cases") {
            let messages: Vec<ChatMessage> = list(case, "messages")
                .map(|message| ChatMessage::new(text(&message["role"]), text(&message["content"])))
                .collect();
            let prompt = case["add_generation_prompt"] == true;
            let found = template.render(&messages, prompt);
            match case["text"].as_str() {
                Some(expected) => ensure!(found? == expected, "{case}"),
                None => ensure!(found.is_err(), "{case}"),
            }
            agreed += 1;
        }
    }
    Ok(agreed)
}
