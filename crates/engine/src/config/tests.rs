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
    insta::assert_snapshot!(with("model_type", json!("qwen2")), @"the architecture `qwen2` is not supported, only `llama` (biases on q, k and v are not computed yet)");
    insta::assert_snapshot!(with("rope_scaling", json!({"rope_type": "llama3"})), @"the model uses rope scaling of the kind `llama3`, which is not supported");
    insta::assert_snapshot!(with("attention_bias", json!(true)), @"the model uses biases, which is not supported");
    insta::assert_snapshot!(with("hidden_act", json!("gelu")), @"the model uses the activation `gelu`, which is not supported");
}

#[test]
fn impossible_numbers_are_refused() {
    insta::assert_snapshot!(with("num_key_value_heads", json!(4)), @"`key and value heads` is 4, which does not divide the query heads");
    insta::assert_snapshot!(with("num_attention_heads", json!(0)), @"`heads` is 0, which is not from 1 to 268435456");
    insta::assert_snapshot!(with("num_hidden_layers", json!(1_u64 << 40)), @"`layers` is 1099511627776, which is not from 1 to 268435456");
    insta::assert_snapshot!(with("max_position_embeddings", json!(1 << 21)), @"`positions` is 2097152, which is not from 1 to 1048576");
    insta::assert_snapshot!(with("head_dim", json!(7)), @"`head size` is 7, which is odd");
    insta::assert_snapshot!(with("rms_norm_eps", json!(0.0)), @"`rms epsilon` is 0, which is not a positive number");
    insta::assert_snapshot!(with("eos_token_id", json!(49152)), @"`a special token` is 49152, which is outside the vocabulary");
    insta::assert_snapshot!(with("hidden_size", json!("576")), @r#"its fields are not those of a Llama: invalid type: string "576", expected usize"#);
}
