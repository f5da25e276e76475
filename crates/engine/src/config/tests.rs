use serde_json::{Value, json};

use super::*;

fn smollm2() -> Value {
    json!({
        "model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
        "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true, "max_position_embeddings": 8192, "bos_token_id": 1, "eos_token_id": 2,
        "hidden_act": "silu", "rope_theta": 100_000, "rope_scaling": null,
    })
}

fn with(key: &str, value: Value) -> String {
    let mut config = smollm2();
    config[key] = value;
    match ModelConfig::from_json(&config) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_config_of_either_generation_of_transformers_is_read() -> anyhow::Result<()> {
    let old = ModelConfig::from_json(&smollm2())?;
    assert_eq!((old.head_dim, old.rope_theta, old.eos.as_slice()), (64, 100_000.0, &[2][..]));
    let mut new = smollm2();
    new.as_object_mut().unwrap().remove("rope_theta");
    new["rope_parameters"] = json!({"rope_theta": 100_000.0, "rope_type": "default"});
    new["eos_token_id"] = json!([2]);
    assert_eq!(ModelConfig::from_json(&new)?, old);
    assert_eq!(old.tensors().count(), 2 + 30 * 9);
    Ok(())
}

#[test]
fn what_is_not_computed_is_refused_with_the_reason() {
    insta::assert_snapshot!(with("model_type", json!("gemma2")), @"the architecture `gemma2` is not supported, only llama, qwen2 and qwen3 are (its layers are built in another way)");
    insta::assert_snapshot!(with("model_type", json!("qwen3_moe")), @"the architecture `qwen3_moe` is not supported, only llama, qwen2 and qwen3 are (it is a mixture of experts)");
    insta::assert_snapshot!(with("model_type", json!("mistral")), @"the architecture `mistral` is not supported, only llama, qwen2 and qwen3 are (its attention sees a window of tokens only)");
    insta::assert_snapshot!(with("model_type", json!(7)), @"`model_type` is missing or has the wrong type");
    insta::assert_snapshot!(with("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})), @"the model uses rope scaling of the kind `yarn`, which is not supported");
    insta::assert_snapshot!(with("rope_scaling", json!({"type": "dynamic", "factor": 4.0})), @"the model uses rope scaling of the kind `dynamic`, which is not supported");
    insta::assert_snapshot!(with("rope_scaling", json!({"type": "linear"})), @"`rope_scaling.factor` is missing or has the wrong type");
    insta::assert_snapshot!(with("rope_parameters", json!({"rope_type": "default", "partial_rotary_factor": 0.5})), @"the model uses rotary positions on a part of the channels, which is not supported");
    insta::assert_snapshot!(with("use_sliding_window", json!(true)), @"the model uses attention within a sliding window, which is not supported");
    insta::assert_snapshot!(with("layer_types", json!(["full_attention", "sliding_attention"])), @"the model uses attention within a sliding window, which is not supported");
    insta::assert_snapshot!(with("quantization_config", json!({"quant_method": "gptq"})), @"the model uses weights quantised by gptq, which is not supported");
    insta::assert_snapshot!(with("attention_bias", json!(true)), @"the model uses biases of its own choice, which is not supported");
    insta::assert_snapshot!(with("hidden_act", json!("gelu")), @"the model uses the activation `gelu`, which is not supported");
}

fn llama3() -> Value {
    json!({
        "rope_type": "llama3", "type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    })
}

#[test]
fn the_same_scaling_is_read_from_the_files_of_either_generation() -> anyhow::Result<()> {
    let mut old = smollm2();
    old["rope_scaling"] = llama3();
    let mut new = smollm2();
    new["rope_parameters"] = llama3();
    new["rope_parameters"]["rope_theta"] = json!(100_000.0);
    let old = ModelConfig::from_json(&old)?;
    assert_eq!(ModelConfig::from_json(&new)?, old);
    let scaling = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_positions: 8192,
    };
    assert_eq!(old.rope_scaling, scaling);
    let plain = ModelConfig::from_json(&smollm2())?.rope_frequencies(None);
    let stretched = old.rope_frequencies(None);
    // The fastest turn stays, the slowest is divided.
    assert_eq!((stretched[0], stretched[31]), (plain[0], plain[31] / 8.0));
    Ok(())
}

#[test]
fn linear_scaling_divides_every_frequency() -> anyhow::Result<()> {
    let mut config = smollm2();
    config["rope_scaling"] = json!({"type": "linear", "factor": 4.0});
    let plain = ModelConfig::from_json(&smollm2())?.rope_frequencies(None);
    let stretched = ModelConfig::from_json(&config)?.rope_frequencies(None);
    let divided: Vec<f32> = plain.iter().map(|frequency| frequency / 4.0).collect();
    assert_eq!(stretched, divided);
    Ok(())
}

#[test]
fn qwens_are_read_with_their_defaults() -> anyhow::Result<()> {
    let mut config = smollm2();
    config["model_type"] = json!("qwen2");
    let qwen2 = ModelConfig::from_json(&config)?;
    assert_eq!((qwen2.head_dim, qwen2.qkv_bias, qwen2.qk_norm), (64, true, false));
    assert_eq!(qwen2.tensors().count(), 2 + 30 * 12);
    config["model_type"] = json!("qwen3");
    let qwen3 = ModelConfig::from_json(&config)?;
    assert_eq!((qwen3.head_dim, qwen3.qkv_bias, qwen3.qk_norm), (128, false, true));
    assert_eq!(qwen3.tensors().count(), 2 + 30 * 11);
    Ok(())
}

#[test]
fn impossible_numbers_are_refused() {
    insta::assert_snapshot!(with("num_key_value_heads", json!(4)), @"`key and value heads` is 4, which does not divide the query heads");
    insta::assert_snapshot!(with("num_attention_heads", json!(0)), @"`heads` is 0, which is not from 1 to 268435456");
    insta::assert_snapshot!(with("num_hidden_layers", json!(1_u64 << 40)), @"`layers` is 1099511627776, which is not from 1 to 268435456");
    insta::assert_snapshot!(with("max_position_embeddings", json!(1 << 21)), @"`positions` is 2097152, which is not from 1 to 1048576");
    insta::assert_snapshot!(with("head_dim", json!(7)), @"`head size` is 7, which is odd");
    insta::assert_snapshot!(with("rms_norm_eps", json!(0.0)), @"`rms epsilon` is 0, which is not a positive number");
    insta::assert_snapshot!(with("rope_scaling", json!({"type": "linear", "factor": -1})), @"`rope factor` is -1, which is not a positive number");
    let mut blend = llama3();
    blend["high_freq_factor"] = json!(1.0);
    insta::assert_snapshot!(with("rope_scaling", blend), @"`high frequency factor` is 1, which is not above the low frequency factor");
    insta::assert_snapshot!(with("eos_token_id", json!(49152)), @"`a special token` is 49152, which is outside the vocabulary");
    insta::assert_snapshot!(with("hidden_size", json!("576")), @r#"its fields are not those of a decoder: invalid type: string "576", expected usize"#);
}
