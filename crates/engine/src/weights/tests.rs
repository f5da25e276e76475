use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

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
                prop_assert!(weights.tensor(name).is_ok());
            }
            if let Ok(tokenizer) = crate::Tokenizer::of(&weights) {
                let tokens = tokenizer.encode("Chest pain: 12 mg, 𝛽-blocker");
                prop_assert!(tokens.iter().all(|token| (*token as usize) < weights.config().vocab));
                let _ = crate::ChatTemplate::of(&weights, &tokenizer);
            }
        }
    }
}
