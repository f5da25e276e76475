//! A tokenizer from the metadata of a GGUF file, described as `tokenizer.json` would: byte-level BPE or `SentencePiece`.

mod sentencepiece;

use serde_json::{Map, Value, json};

use super::{Described, SPECIAL_NAMES, TokenizerError};
use crate::gguf::Gguf;

/// How text is cut before the merges: `tokenizer.ggml.pre`, see `llama-vocab.cpp` of llama.cpp.
struct Cut {
    pre_tokenizer: Value,
    normalizer: Value,
    ignore_merges: bool,
}

/// `gguf.TokenType`.
#[derive(Debug, Clone, Copy)]
enum TokenType {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
}

pub(crate) fn describe(gguf: &Gguf) -> Result<Described, TokenizerError> {
    let tokens = gguf
        .texts("tokenizer.ggml.tokens")
        .ok_or(TokenizerError::Missing("tokenizer.ggml.tokens"))?;
    let mut vocab = Map::new();
    for (id, token) in tokens.iter().enumerate() {
        if vocab.insert(token.clone(), id.into()).is_some() {
            return Err(TokenizerError::Duplicate { id });
        }
    }
    let vocab = Value::Object(vocab);
    let types = gguf.integers("tokenizer.ggml.token_type").unwrap_or_default();
    let json = match gguf.text("tokenizer.ggml.model") {
        Some("gpt2") => byte_level(gguf, tokens, &vocab, types)?,
        Some("llama") => sentencepiece::describe(gguf, tokens, &vocab, types)?,
        Some(other) => {
            let key = "tokenizer.ggml.model";
            return Err(TokenizerError::Unsupported { key, value: other.to_owned() });
        }
        None => return Err(TokenizerError::Missing("tokenizer.ggml.model")),
    };
    let adds_bos = gguf.flag("tokenizer.ggml.add_bos_token").unwrap_or(false);
    Ok(Described { json, special_texts: special_texts(gguf, tokens), adds_bos })
}

fn byte_level(
    gguf: &Gguf,
    tokens: &[String],
    vocab: &Value,
    types: &[i64],
) -> Result<Value, TokenizerError> {
    let cut = cut(gguf
        .text("tokenizer.ggml.pre")
        .ok_or(TokenizerError::Missing("tokenizer.ggml.pre"))?)?;
    let merges = gguf
        .texts("tokenizer.ggml.merges")
        .ok_or(TokenizerError::Missing("tokenizer.ggml.merges"))?;
    Ok(json!({
        "version": "1.0",
        "added_tokens": added(tokens, types),
        "normalizer": cut.normalizer,
        "pre_tokenizer": cut.pre_tokenizer,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": cut.ignore_merges},
    }))
}

/// The tokens that are found in text before anything else: control tokens (special) and user-defined ones (not).
fn added(tokens: &[String], types: &[i64]) -> Vec<Value> {
    let (control, user) = (TokenType::Control as i64, TokenType::UserDefined as i64);
    let kinds = tokens.iter().zip(types).enumerate();
    kinds
        .filter(|(_, (_, kind))| [control, user].contains(kind))
        .map(|(id, (token, kind))| added_token(&id.into(), token, *kind == control))
        .collect()
}

fn added_token(id: &Value, content: &str, special: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": special,
    })
}

fn special_texts(
    gguf: &Gguf,
    tokens: &[String],
) -> std::collections::BTreeMap<&'static str, String> {
    let keys = ["bos", "eos", "unknown", "padding"];
    let texts = SPECIAL_NAMES.into_iter().zip(keys).filter_map(|(name, key)| {
        let id = gguf.count(&format!("tokenizer.ggml.{key}_token_id"))?;
        Some((name, tokens.get(usize::try_from(id).ok()?)?.clone()))
    });
    texts.collect()
}

/// Cuts of Llama 3 (`\p{N}{1,3}`) and of Qwen2 (`\p{N}`), from their `tokenizer.json`.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn cut(pre: &str) -> Result<Cut, TokenizerError> {
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let sequence = |first: Value, use_regex| json!({"type": "Sequence", "pretokenizers": [first, byte_level(use_regex)]});
    let split = |regex: &str| {
        let split = json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
        sequence(split, false)
    };
    let plain =
        |pre_tokenizer| Cut { pre_tokenizer, normalizer: Value::Null, ignore_merges: false };
    match pre {
        "smollm" => Ok(plain(sequence(json!({"type": "Digits", "individual_digits": true}), true))),
        "gpt-2" => Ok(plain(byte_level(true))),
        "llama-bpe" | "llama3" | "llama-v3" => {
            Ok(Cut { pre_tokenizer: split(LLAMA3), normalizer: Value::Null, ignore_merges: true })
        }
        "qwen2" => Ok(Cut {
            pre_tokenizer: split(QWEN2),
            normalizer: json!({"type": "NFC"}),
            ignore_merges: false,
        }),
        _ => Err(TokenizerError::Unsupported { key: "tokenizer.ggml.pre", value: pre.to_owned() }),
    }
}

/// `tokenizer.ggml.pre` of a tokenizer as `tokenizer.json` describes it; none where llama.cpp has no name for it.
pub(crate) fn pre(described: &Value) -> Option<&'static str> {
    let model = &described["model"];
    let by_bytes = described["decoder"]["type"] == "ByteLevel" && model["type"] == "BPE";
    let ignores = model["ignore_merges"] == true;
    let names = ["smollm", "gpt-2", "llama-bpe", "qwen2"].into_iter().filter(|_| by_bytes);
    let mut known = names.filter_map(|name| Some((name, cut(name).ok()?)));
    let found = known.find(|(_, cut)| {
        essential(&described["pre_tokenizer"]) == essential(&cut.pre_tokenizer)
            && described["normalizer"] == cut.normalizer
            && ignores == cut.ignore_merges
    });
    Some(found?.0)
}

/// A pre-tokenizer's description without what changes no token.
fn essential(pre_tokenizer: &Value) -> Value {
    let Value::Object(fields) = pre_tokenizer else { return pre_tokenizer.clone() };
    let mut kept = fields.clone();
    kept.remove("trim_offsets");
    if fields.get("type").is_some_and(|kind| kind == "ByteLevel") {
        kept.entry("use_regex").or_insert(Value::Bool(true));
    }
    if let Some(Value::Array(parts)) = kept.get_mut("pretokenizers") {
        *parts = parts.iter().map(essential).collect();
    }
    Value::Object(kept)
}
