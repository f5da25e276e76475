//! The tokenizer of a Transformers folder as a GGUF file's metadata, as llama.cpp's converter writes it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::metadata::Metadata;
use super::{Export, ExportError};
use crate::error::Error;
use crate::template;
use crate::tokenizer::{Described, describe_folder, gguf_pre};
use crate::weights::Origin;

/// `gguf.TokenType`.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

pub(super) fn describe(export: &Export<'_>, metadata: &mut Metadata) -> Result<(), Error> {
    let Origin::Folder(folder) = export.weights.origin() else { return Ok(()) };
    let described = describe_folder(folder)?;
    let fault = |reason| Error::Export { source: ExportError::Tokenizer(reason) };
    let json = &described.json;
    let pre = gguf_pre(json).ok_or_else(|| {
        fault("it is no byte-level BPE that cuts text as SmolLM, GPT-2, Llama 3 or Qwen2 do")
    })?;
    metadata.text("tokenizer.ggml.model", "gpt2");
    metadata.text("tokenizer.ggml.pre", pre);
    let (tokens, types) = tokens(json, export.config().vocab);
    metadata.texts("tokenizer.ggml.tokens", tokens.iter().map(String::as_str));
    metadata.i32s("tokenizer.ggml.token_type", &types);
    let merges = merges(json).ok_or_else(|| fault("its merges are not pairs of texts"))?;
    metadata.texts("tokenizer.ggml.merges", merges.iter().map(String::as_str));
    special_tokens(export, &described, &tokens, metadata);
    if let Some(template) = template::source(export.weights)? {
        metadata.text("tokenizer.chat_template", &template);
    }
    Ok(())
}

/// Each token's text and type, up to the rows of the embedding.
fn tokens(json: &Value, vocab: usize) -> (Vec<String>, Vec<i32>) {
    let mut known: BTreeMap<usize, (String, i32)> = BTreeMap::new();
    let id = |value: &Value| value.as_u64().and_then(|id| usize::try_from(id).ok());
    for (token, number) in json["model"]["vocab"].as_object().into_iter().flatten() {
        known.extend(id(number).map(|id| (id, (token.clone(), NORMAL))));
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let kind = if added["special"] == true { CONTROL } else { USER_DEFINED };
        let text = added["content"].as_str().unwrap_or_default().to_owned();
        known.extend(id(&added["id"]).map(|id| (id, (text, kind))));
    }
    let all = (0..vocab).map(|id| known.remove(&id).unwrap_or((format!("[PAD{id}]"), UNUSED)));
    all.unzip()
}

/// The merges as GGUF has them: both parts with a blank between.
fn merges(json: &Value) -> Option<Vec<String>> {
    let merges = json["model"]["merges"].as_array()?;
    merges
        .iter()
        .map(|merge| match merge {
            Value::String(text) => Some(text.clone()),
            Value::Array(pair) => match &pair[..] {
                [Value::String(left), Value::String(right)] => Some(format!("{left} {right}")),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// The numbers of the special tokens, and whether a text begins with one.
fn special_tokens(
    export: &Export<'_>,
    described: &Described,
    tokens: &[String],
    metadata: &mut Metadata,
) {
    let config = export.config();
    let number = |name: &str| {
        let text = described.special_texts.get(name)?;
        u32::try_from(tokens.iter().position(|token| token == text)?).ok()
    };
    let bos = number("bos_token").or(config.bos);
    let eos = number("eos_token").or_else(|| config.eos.first().copied());
    let mut more = config.eos.iter().copied().filter(|token| Some(*token) != eos);
    let numbers = [
        ("bos", bos),
        ("eos", eos),
        ("eot", more.next()),
        ("eom", more.next()),
        ("unknown", number("unk_token")),
        ("padding", number("pad_token")),
    ];
    for (name, token) in numbers {
        if let Some(token) = token {
            metadata.u32(&format!("tokenizer.ggml.{name}_token_id"), token);
        }
    }
    metadata.flag("tokenizer.ggml.add_bos_token", described.adds_bos);
}
