use std::fs;
use std::path::Path;

use super::*;
use crate::error::Error;
use crate::lora::read_tensors;
use crate::testing::{FAMILIES, family, golden};
use crate::{LoadOptions, LoraConfig, Model};

const TOKENS: [u32; 12] = [1, 17, 300, 44, 260, 5, 99, 120, 383, 7, 61, 2];

/// A model with a random adapter, saved and loaded.
struct Tuned {
    folder: tempfile::TempDir,
    weights: Weights,
    adapter: Adapter,
    logits: Vec<f32>,
}

fn tuned(path: &Path) -> anyhow::Result<Tuned> {
    let model = Model::load(path, &LoadOptions::default())?;
    let config = LoraConfig { rank: 3, ..LoraConfig::default() };
    let mut adapter = Adapter::new(&model, &config, 5)?;
    for (index, factors) in adapter.factors_mut().enumerate() {
        for (i, b) in factors.b.iter_mut().enumerate() {
            *b = ((index * 17 + i) as f32).sin() * 0.05;
        }
        factors.repack();
    }
    let logits = model.logits(Some(&adapter), &TOKENS)?;
    let folder = tempfile::tempdir()?;
    Ok(Tuned { folder, weights: Weights::open(path)?, adapter, logits })
}

impl Tuned {
    fn export(&self) -> Export<'_> {
        Export::new(&self.weights, Some(&self.adapter), "tuned")
    }

    /// How far a merged model's logits are from those of the adapter beside the base.
    fn distance(&self, path: &Path) -> anyhow::Result<f64> {
        let logits = Model::load(path, &LoadOptions::default())?.logits(None, &TOKENS)?;
        let square = |x: f32| f64::from(x) * f64::from(x);
        let error: f64 = logits.iter().zip(&self.logits).map(|(a, b)| square(a - b)).sum();
        Ok((error / self.logits.iter().copied().map(square).sum::<f64>()).sqrt())
    }
}

fn nothing(_: Progress) {}

#[test]
fn merged_models_compute_what_base_and_adapter_compute() -> anyhow::Result<()> {
    let mut paths = vec![golden("tiny-llama"), golden("tiny-llama/model.gguf")];
    let families = FAMILIES.map(family).into_iter().collect::<Result<Vec<_>, _>>()?;
    paths.extend(families.iter().map(|folder| folder.path().to_owned()));
    for path in paths {
        let tuned = tuned(&path)?;
        let to = |name: &str| tuned.folder.path().join(name);
        tuned.export().safetensors(&to("folder"), TensorType::F32, &mut nothing)?;
        tuned.export().gguf(&to("merged.gguf"), TensorType::F32, &mut nothing)?;
        tuned.export().gguf(&to("half.gguf"), TensorType::Bf16, &mut nothing)?;
        for (name, limit) in [("folder", 2e-6), ("merged.gguf", 2e-6), ("half.gguf", 2e-2)] {
            let far = tuned.distance(&to(name))?;
            assert!(far < limit, "{} {name}: {far:e}", path.display());
        }
        // And from the exported file on to the other format.
        let again = Weights::open(&to("merged.gguf"))?;
        let onward = Export::new(&again, None, "again").safetensors(
            &to("onward"),
            TensorType::F32,
            &mut nothing,
        );
        match onward {
            Ok(()) => assert!(tuned.distance(&to("onward"))? < 2e-6),
            // The tiny model's positions are stretched as those of no released one.
            Err(Error::Export { source: ExportError::RopeFactors }) => {
                assert_eq!(again.config().rope_scaling, crate::RopeScaling::Factors);
            }
            Err(other) => return Err(other.into()),
        }
        assert!(
            !fs::read_dir(tuned.folder.path())?
                .filter_map(Result::ok)
                .any(|entry| entry.file_name().to_string_lossy().contains(".part"))
        );
    }
    Ok(())
}

#[test]
fn eight_bits_stay_near() -> anyhow::Result<()> {
    let tuned = tuned(&golden("tiny-llama"))?;
    let path = tuned.folder.path().join("merged.gguf");
    let mut last = Progress { done: 0, total: 0 };
    tuned.export().gguf(&path, TensorType::Q8_0, &mut |progress| last = progress)?;
    assert!(last.total > 0 && last.done == last.total, "{last:?}");
    let weights = Weights::open(&path)?;
    let kinds =
        ["model.layers.0.mlp.up_proj.weight", "model.norm.weight"].map(|name| weights.kind(name));
    assert_eq!(kinds, [Some(TensorType::Q8_0), Some(TensorType::F32)]);
    // Each weight is off by half a per cent of the usual weight; two layers make two per cent of it.
    let far = tuned.distance(&path)?;
    assert!(far < 4e-2, "{far:e}");
    Ok(())
}

#[test]
fn a_gguf_adapter_holds_the_factors_under_llama_cpps_names() -> anyhow::Result<()> {
    let tuned = tuned(&golden("tiny-llama"))?;
    let path = tuned.folder.path().join("adapter.gguf");
    tuned.export().gguf_lora(&path, TensorType::F32)?;
    let bytes = fs::read(&path)?;
    let gguf = crate::gguf::Gguf::parse(&bytes)?;
    assert_eq!(gguf.text("adapter.type"), Some("lora"));
    assert_eq!(gguf.number("adapter.lora.alpha"), Some(32.0));
    assert_eq!(gguf.tensors().len(), 2 * 7 * 2);
    let saved = tuned.folder.path().join("peft");
    tuned.adapter.save(&saved)?;
    let peft = read_tensors(&saved.join("adapter_model.safetensors"))?;
    let pairs = [
        ("blk.1.ffn_down.weight.lora_a", "layers.1.mlp.down_proj.lora_A.weight"),
        ("blk.1.ffn_down.weight.lora_b", "layers.1.mlp.down_proj.lora_B.weight"),
        ("blk.0.attn_q.weight.lora_a", "layers.0.self_attn.q_proj.lora_A.weight"),
    ];
    for (name, other) in pairs {
        let place = &gguf.tensors()[name];
        let (shape, numbers) = &peft[&format!("base_model.model.model.{other}")];
        assert_eq!(&place.shape, shape, "{name}");
        assert_eq!(
            &crate::quant::dequantise(place.kind, &bytes[place.range.clone()]),
            numbers,
            "{name}"
        );
    }
    // Rows of q are in pairs: row 1 is the first of the second half of the head.
    let place = &gguf.tensors()["blk.0.attn_q.weight.lora_b"];
    let b = crate::quant::dequantise(place.kind, &bytes[place.range.clone()]);
    let (_, plain) = &peft["base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"];
    assert_eq!(b[3..6], plain[8 * 3..9 * 3]);
    Ok(())
}

#[test]
fn what_a_format_cannot_hold_is_refused_and_leaves_nothing() -> anyhow::Result<()> {
    let tuned = tuned(&golden("tiny-llama"))?;
    let to = |name: &str| tuned.folder.path().join(name);
    let fault = |result: Result<(), Error>| match result {
        Err(Error::Export { source }) => source.to_string(),
        other => format!("{other:?}"),
    };
    insta::assert_snapshot!(fault(tuned.export().safetensors(&to("a"), TensorType::Q8_0, &mut nothing)), @"safetensors is not written with weights of the type Q8_0");
    insta::assert_snapshot!(fault(tuned.export().gguf(&to("b"), TensorType::Q4K, &mut nothing)), @"GGUF is not written with weights of the type Q4K");
    insta::assert_snapshot!(fault(tuned.export().gguf_lora(&to("c"), TensorType::Q8_0)), @"a GGUF adapter is not written with weights of the type Q8_0");
    let bare = Export::new(&tuned.weights, None, "bare");
    insta::assert_snapshot!(fault(bare.gguf_lora(&to("d"), TensorType::F32)), @"there is no adapter to write");
    let source = family("tiny-qwen2")?;
    let tokenizer = source.path().join("tokenizer.json");
    let text = fs::read_to_string(&tokenizer)?;
    fs::write(
        &tokenizer,
        text.replace("\"individual_digits\": true", "\"individual_digits\": false"),
    )?;
    let weights = Weights::open(source.path())?;
    let other = Export::new(&weights, None, "other");
    insta::assert_snapshot!(fault(other.gguf(&to("e"), TensorType::F32, &mut nothing)), @"GGUF has no name for the model's tokenizer: it is no byte-level BPE that cuts text as SmolLM, GPT-2, Llama 3 or Qwen2 do");
    assert_eq!(fs::read_dir(tuned.folder.path())?.count(), 0);
    Ok(())
}

#[test]
fn a_number_beyond_a_type_is_named() {
    for kind in [TensorType::F16, TensorType::Bf16] {
        let fault = encode::encode(kind, &[1.0, f32::MAX], "x").err();
        assert_eq!(fault, Some(ExportError::Range("x".to_owned())));
    }
    let mut block = [0.0; 32];
    block[3] = 1e30;
    assert_eq!(
        encode::encode(TensorType::Q8_0, &block, "x"),
        Err(ExportError::Range("x".to_owned()))
    );
    assert_eq!(encode::encode(TensorType::F32, &[1.0], "x"), Ok(vec![0, 0, 128, 63]));
}
