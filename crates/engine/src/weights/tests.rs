use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::config::{ROPE_FACTORS, RopeScaling};
use crate::testing::golden;

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama").join(name)
}

/// The tiny model in a folder of its own, to be spoilt.
fn copy() -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for name in ["config.json", "model.safetensors"] {
        fs::copy(tiny(name), folder.path().join(name))?;
    }
    Ok(folder)
}

#[test]
fn gguf_and_safetensors_of_one_model_hold_the_same_numbers() -> anyhow::Result<()> {
    let gguf = Weights::open(&tiny("model.gguf"))?;
    let folder = Weights::open(&tiny(""))?;
    let file = Weights::open(&tiny("model.safetensors"))?;
    assert_eq!(gguf.config(), folder.config());
    assert_eq!(gguf.names().count(), 2 + 2 * 9);
    for name in gguf.names() {
        assert_eq!(gguf.shape(name), folder.shape(name), "{name}");
        assert_eq!(gguf.tensor(name)?, folder.tensor(name)?, "{name}");
        assert_eq!(gguf.tensor(name)?, file.tensor(name)?, "{name}");
    }
    Ok(())
}

#[test]
fn gguf_and_safetensors_of_every_family_hold_the_same_numbers() -> anyhow::Result<()> {
    for (name, count) in
        [("tiny-qwen2", 3 + 2 * 12), ("tiny-qwen3", 2 + 2 * 11), ("tiny-llama3", 2 + 2 * 9)]
    {
        let folder = Weights::open(&golden(name))?;
        let gguf = Weights::open(&golden(name).join("model.gguf"))?;
        assert_eq!(folder.names().count(), count, "{name}");
        for tensor in folder.names() {
            assert_eq!(gguf.tensor(tensor)?, folder.tensor(tensor)?, "{name} {tensor}");
        }
        let frequencies = |weights: &Weights| -> anyhow::Result<Vec<f32>> {
            let stretched = weights.config().rope_scaling == RopeScaling::Factors;
            let factors = stretched.then(|| weights.tensor(ROPE_FACTORS)).transpose()?;
            Ok(weights.config().rope_frequencies(factors.as_deref()))
        };
        for (one, other) in frequencies(&gguf)?.into_iter().zip(frequencies(&folder)?) {
            assert!((one / other - 1.0).abs() < 1e-6, "{name}: {one} {other}");
        }
        let mut config = gguf.config().clone();
        config.rope_scaling = folder.config().rope_scaling;
        assert_eq!(&config, folder.config(), "{name}");
    }
    Ok(())
}

#[test]
fn a_tensor_that_no_layer_uses_is_refused() -> anyhow::Result<()> {
    // The biases and the norms of the Qwens, in models that say that they are Llamas.
    for (name, tensor) in [
        ("tiny-qwen2", "model.layers.0.self_attn.k_proj.bias"),
        ("tiny-qwen3", "model.layers.0.self_attn.k_norm.weight"),
    ] {
        let folder = crate::testing::family(name)?;
        let config = folder.path().join("config.json");
        let text = fs::read_to_string(&config)?;
        let family = name.trim_start_matches("tiny-");
        fs::write(&config, text.replace(&format!("\"{family}\""), "\"llama\""))?;
        let error = Weights::open(folder.path()).expect_err("it is no Llama");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let expected = format!("the model uses the tensor `{tensor}`, which is not supported");
        assert_eq!(cause.as_deref(), Some(&expected[..]));
    }
    Ok(())
}

#[test]
fn a_number_that_is_not_finite_is_refused_with_its_tensor() -> anyhow::Result<()> {
    let folder = copy()?;
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path)?;
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    fs::write(&path, bytes)?;
    let weights = Weights::open(folder.path())?;
    let faults: Vec<String> = weights
        .names()
        .filter_map(|name| weights.tensor(name).err())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(faults, ["tensor `model.norm.weight` holds a number that is not finite"]);
    Ok(())
}

#[test]
fn absurdly_many_layers_are_refused_without_counting_them_up() -> anyhow::Result<()> {
    let folder = copy()?;
    let config = fs::read_to_string(tiny("config.json"))?;
    let layers = config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 268435456");
    fs::write(folder.path().join("config.json"), layers)?;
    // The names of all their tensors would take hundreds of gigabytes.
    let error = Weights::open(folder.path()).expect_err("the file has two layers");
    insta::assert_snapshot!(error, @"tensor `model.layers.2.input_layernorm.weight` is missing");
    Ok(())
}

#[test]
fn metadata_and_tensors_must_agree() -> anyhow::Result<()> {
    let folder = copy()?;
    let config = fs::read_to_string(tiny("config.json"))?;
    let fault = |from: &str, to: &str| -> anyhow::Result<String> {
        fs::write(folder.path().join("config.json"), config.replace(from, to))?;
        Ok(Weights::open(folder.path()).expect_err("the config is spoilt").to_string())
    };
    insta::assert_snapshot!(fault("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3")?, @"tensor `model.layers.2.input_layernorm.weight` is missing");
    insta::assert_snapshot!(fault("\"intermediate_size\": 96", "\"intermediate_size\": 97")?, @"tensor `model.layers.0.mlp.gate_proj.weight` has the shape [96, 64] where the metadata say [97, 64]");
    insta::assert_snapshot!(fault("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false")?, @"tensor `lm_head.weight` is missing");
    Ok(())
}

#[test]
fn shards_are_read_by_their_index_and_only_from_the_folder() -> anyhow::Result<()> {
    let folder = copy()?;
    let file = |name: &str| folder.path().join(name);
    fs::rename(file("model.safetensors"), file("model-00001-of-00001.safetensors"))?;
    let index = file("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map":{"x":"model-00001-of-00001.safetensors"}}"#)?;
    assert_eq!(Weights::open(folder.path())?.names().count(), 20);
    fs::write(&index, r#"{"weight_map":{"x":"../model-00001-of-00001.safetensors"}}"#)?;
    assert!(matches!(Weights::open(folder.path()), Err(Error::Config { .. })));
    Ok(())
}

#[test]
fn what_is_no_model_is_said_to_be_none() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    assert!(matches!(Weights::open(folder.path()), Err(Error::NoModel { .. })));
    assert!(matches!(Weights::open(&folder.path().join("absent.gguf")), Err(Error::File { .. })));
    let empty = folder.path().join("empty.gguf");
    fs::write(&empty, "")?;
    assert!(matches!(Weights::open(&empty), Err(Error::Gguf { .. })));
    assert!(matches!(Weights::open(&tiny("tokenizer.json")), Err(Error::NoModel { .. })));
    Ok(())
}

proptest! {
    #[test]
    fn a_model_with_spoilt_bytes_is_opened_or_refused(
        spoilt in proptest::collection::vec((0_usize..12_000, any::<u8>()), 1..4),
    ) {
        let mut bytes = include_bytes!("../../../../tests/golden/tiny-llama/model.gguf").to_vec();
        for (at, byte) in spoilt {
            bytes[at] = byte;
        }
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.gguf");
        fs::write(&path, bytes)?;
        if let Ok(weights) = Weights::open(&path) {
            for name in weights.names() {
                let tensor = weights.tensor(name);
                let usable = matches!(tensor, Ok(_) | Err(Error::NotFinite { .. }));
                prop_assert!(usable, "{name}");
            }
            if let Ok(tokenizer) = crate::Tokenizer::of(&weights) {
                let tokens = tokenizer.encode("Chest pain: 12 mg, 𝛽-blocker");
                prop_assert!(tokens.iter().all(|token| (*token as usize) < weights.config().vocab));
                let _ = crate::ChatTemplate::of(&weights, &tokenizer);
            }
        }
    }
}
