//! A tokenizer from `tokenizer.json` and `tokenizer_config.json`.

use std::path::Path;

use serde_json::Value;

use super::{Described, SPECIAL_NAMES};
use crate::error::Error;
use crate::weights::json;

pub(crate) fn describe(folder: &Path) -> Result<Described, Error> {
    let described: Value = json(&folder.join("tokenizer.json"))?;
    let config = folder.join("tokenizer_config.json");
    let config: Value = if config.is_file() { json(&config)? } else { Value::Null };
    let special_texts =
        SPECIAL_NAMES.iter().filter_map(|name| Some((*name, text(config.get(name)?)?))).collect();
    let adds_bos = config.get("add_bos_token").and_then(Value::as_bool);
    let adds_bos = adds_bos.unwrap_or_else(|| begins_texts(&described));
    Ok(Described { json: described, special_texts, adds_bos })
}

/// Whether the post-processor puts a special token before every text.
fn begins_texts(described: &Value) -> bool {
    let post = &described["post_processor"];
    let parts = post["processors"].as_array().map_or(std::slice::from_ref(post), Vec::as_slice);
    let begins = |part: &Value| {
        part["type"] == "TemplateProcessing" && part["single"][0]["SpecialToken"].is_object()
    };
    parts.iter().any(begins)
}

/// A special token is written as its text, or as an object with the text as `content`.
fn text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}
