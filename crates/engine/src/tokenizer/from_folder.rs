//! A tokenizer from `tokenizer.json` and `tokenizer_config.json`.

use std::path::Path;

use serde_json::Value;

use super::{Described, SPECIAL_NAMES};
use crate::error::Error;
use crate::weights::json;

pub(super) fn describe(folder: &Path) -> Result<Described, Error> {
    let described: Value = json(&folder.join("tokenizer.json"))?;
    let config = folder.join("tokenizer_config.json");
    let config: Value = if config.is_file() { json(&config)? } else { Value::Null };
    let special_texts =
        SPECIAL_NAMES.iter().filter_map(|name| Some((*name, text(config.get(name)?)?))).collect();
    Ok(Described { json: described, special_texts })
}

/// A special token is written as its text, or as an object with the text as `content`.
fn text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}
