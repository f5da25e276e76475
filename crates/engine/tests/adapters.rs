//! Adapter folders that cannot be used, each with its own error.

use std::path::{Path, PathBuf};

use anyhow::Result;
use engine::{Adapter, LoadOptions, Model};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

/// The golden adapter with its configuration and its tensors' file changed; the error with its cause.
fn check(
    configuration: impl Fn(String) -> String,
    tensors: impl Fn(Vec<u8>) -> Vec<u8>,
) -> Result<String> {
    let model = Model::load(&golden("tiny-llama"), &LoadOptions::default())?;
    let (from, to) = (golden("tiny-training/adapter"), tempfile::tempdir()?);
    let text = std::fs::read_to_string(from.join("adapter_config.json"))?;
    std::fs::write(to.path().join("adapter_config.json"), configuration(text))?;
    let bytes = std::fs::read(from.join("adapter_model.safetensors"))?;
    std::fs::write(to.path().join("adapter_model.safetensors"), tensors(bytes))?;
    let error = Adapter::load(to.path(), &model).err();
    let error = error.map(|error| format!("{:#}", anyhow::Error::from(error)));
    let folder = to.path().display().to_string();
    Ok(error.map_or_else(|| "loaded".to_owned(), |error| error.replace(&folder, "DIR")))
}

/// The bytes with one text replaced by another of the same length.
fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.expect("the golden adapter has such a tensor");
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn the_golden_adapter_itself_is_loaded() -> Result<()> {
    assert_eq!(check(|text| text, |bytes| bytes)?, "loaded");
    Ok(())
}

#[test]
fn other_kinds_of_adapters_are_refused() -> Result<()> {
    let refused = |from: &str, to: &str| check(|text| text.replace(from, to), |bytes| bytes);
    insta::assert_snapshot!(
        refused("\"use_dora\": false", "\"use_dora\": true")?,
        @"the adapter DIR cannot be used: `use_dora` is true, which is not supported"
    );
    insta::assert_snapshot!(refused("\"LORA\"", "\"VERA\"")?, @"the adapter DIR cannot be used: `peft_type` is VERA, which is not supported");
    insta::assert_snapshot!(refused("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 8}")?, @r#"the adapter DIR cannot be used: `rank_pattern` is {"q_proj":8}, which is not supported"#);
    insta::assert_snapshot!(refused("\"bias\": \"none\"", "\"bias\": \"all\"")?, @"the adapter DIR cannot be used: `bias` is all, which is not supported");
    insta::assert_snapshot!(refused("\"r\": 4", "\"r\": 8")?, @"the adapter DIR cannot be used: tensor `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` has the shape [4, 64] where the base model asks for [8, 64]");
    insta::assert_snapshot!(refused("{", "")?, @r#"DIR/adapter_config.json is not the JSON that it should be: invalid type: string "alora_invocation_tokens", expected an adapter's configuration at line 2 column 27"#);
    Ok(())
}

#[test]
fn tensors_that_do_not_fit_are_refused() -> Result<()> {
    let refused = |from: &str, to: &str| check(|text| text, |bytes| replaced(bytes, from, to));
    insta::assert_snapshot!(refused("layers.0.mlp.down_proj.lora_A", "layers.9.mlp.down_proj.lora_A")?, @"the adapter DIR cannot be used: tensor `base_model.model.model.layers.9.mlp.down_proj.lora_A.weight` belongs to no projection of the base model");
    insta::assert_snapshot!(refused("layers.0.mlp.down_proj.lora_B", "layers.9.mlp.down_proj.lora_B")?, @"the adapter DIR cannot be used: tensor `base_model.model.model.layers.0.mlp.down_proj.lora_B.weight` is missing");
    let not_finite = |mut bytes: Vec<u8>| {
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    };
    insta::assert_snapshot!(check(|text| text, not_finite)?, @"the adapter DIR cannot be used: tensor `base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight` holds a number that is not finite");
    insta::assert_snapshot!(check(|text| text, |mut bytes| { bytes.truncate(1000); bytes })?, @"DIR/adapter_model.safetensors cannot be read as safetensors: the file ends inside its head");
    Ok(())
}
