//! llama.cpp's names of tensors as Transformers'.

use crate::config::ROPE_FACTORS;

/// Transformers' name for a tensor of a GGUF file; none for those that no layer uses.
///
/// Source: `MODEL_TENSOR` names in llama.cpp's `gguf-py/gguf/constants.py`.
pub(super) fn transformers(name: &str) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("model.embed_tokens.weight".to_owned()),
        "output_norm.weight" => return Some("model.norm.weight".to_owned()),
        "output.weight" => return Some("lm_head.weight".to_owned()),
        ROPE_FACTORS => return Some(ROPE_FACTORS.to_owned()),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = PARTS.iter().find(|(name, _)| *name == part)?.1;
    Some(format!("model.layers.{layer}.{part}.{kind}"))
}

/// llama.cpp's name for one of the model's tensors: the other way round.
pub(crate) fn llama_cpp(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".to_owned()),
        "model.norm.weight" => return Some("output_norm.weight".to_owned()),
        "lm_head.weight" => return Some("output.weight".to_owned()),
        ROPE_FACTORS => return Some(ROPE_FACTORS.to_owned()),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = PARTS.iter().find(|(_, name)| *name == part)?.0;
    Some(format!("blk.{layer}.{part}.{kind}"))
}

/// The parts of a block: llama.cpp's name, Transformers' name.
const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];
