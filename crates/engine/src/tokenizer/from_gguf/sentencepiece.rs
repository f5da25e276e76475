//! A `SentencePiece` BPE vocabulary (`tokenizer.ggml.model` = `llama`), described as `tokenizer.json` would.
//!
//! As `LlamaConverter` of Transformers' `convert_slow_tokenizer.py` has it: spaces are `▁`, one stands before every text, and
//! bytes that no piece covers have tokens of their own. `SentencePiece` keeps a score for each piece and no merges; those are
//! every split of a piece into two others, the best piece first (`generate_merges`).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{TokenType, TokenizerError, added};
use crate::gguf::{Gguf, Value as Metadata};

/// What stands for a space.
const SPACE: &str = "\u{2581}";

pub(super) fn describe(
    gguf: &Gguf,
    tokens: &[String],
    vocab: &Value,
    types: &[i64],
) -> Result<Value, TokenizerError> {
    let scores = match gguf.value("tokenizer.ggml.scores") {
        Some(Metadata::Floats(scores)) if scores.len() == tokens.len() => scores,
        _ => return Err(TokenizerError::Missing("tokenizer.ggml.scores")),
    };
    let prefixed = gguf.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let unknown = types.iter().position(|kind| *kind == TokenType::Unknown as i64);
    let unknown = unknown.and_then(|id| tokens.get(id));
    let mut added = added(tokens, types);
    if let Some(text) = unknown {
        let id = vocab[text].clone();
        added.push(super::added_token(&id, text, true));
        added.sort_by_key(|token| token["id"].as_u64());
    }
    let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let prepend = json!({"type": "Prepend", "prepend": SPACE});
    let normalizers = if prefixed { vec![prepend, spaces] } else { vec![spaces] };
    let strip = json!({"type": "Strip", "content": " ", "start": 1, "stop": 0});
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    decoders.extend(prefixed.then_some(strip));
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "vocab": vocab, "merges": merges(tokens, types, scores),
            "unk_token": unknown, "fuse_unk": true, "byte_fallback": true,
        },
    }))
}

/// Every split of a piece into two others; better pieces first, then those with longer left and right parts.
fn merges(tokens: &[String], types: &[i64], scores: &[f64]) -> Vec<[String; 2]> {
    let is_piece = |id: usize| {
        let kind = types.get(id).copied().unwrap_or(TokenType::Normal as i64);
        [TokenType::Normal as i64, TokenType::UserDefined as i64].contains(&kind)
    };
    let ids: HashMap<&str, usize> =
        tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
    let mut merges = Vec::new();
    for (token, score) in tokens
        .iter()
        .zip(scores)
        .enumerate()
        .filter(|(id, _)| is_piece(*id))
        .map(|(_, piece)| piece)
    {
        let splits = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        let mut splits: Vec<_> = splits
            .filter_map(|(left, right)| Some(([left, right], [*ids.get(left)?, *ids.get(right)?])))
            .collect();
        splits.sort_by_key(|(_, ids)| *ids);
        merges.extend(splits.into_iter().map(|(parts, _)| (parts, *score)));
    }
    let lengths = |parts: &[&str; 2]| parts.map(|part| part.chars().count());
    merges.sort_by(|(one, one_score), (other, other_score)| {
        other_score.total_cmp(one_score).then_with(|| lengths(other).cmp(&lengths(one)))
    });
    merges.into_iter().map(|(parts, _)| parts.map(str::to_owned)).collect()
}
