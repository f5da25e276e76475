use std::path::Path;

use super::*;
use crate::config::ModelConfig;
use crate::kernels::Isa;
use crate::lora::LoraConfig;
use crate::model::LoadOptions;

fn tiny(isa: Isa) -> anyhow::Result<Model> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    Ok(Model::load(&path, &LoadOptions { isa: Some(isa), ..LoadOptions::default() })?)
}

/// An adapter whose B is not zero, so that it changes something.
fn adapter(model: &Model) -> anyhow::Result<Adapter> {
    let mut adapter = Adapter::new(model, &LoraConfig::default(), 3)?;
    for (index, factors) in adapter.factors_mut().enumerate() {
        for (i, b) in factors.b.iter_mut().enumerate() {
            *b = ((index * 31 + i) as f32).sin() * 0.02;
        }
        factors.repack();
    }
    Ok(adapter)
}

fn difference(found: &[f32], expected: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x).powi(2);
    let error: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    (error / expected.iter().map(|b| square(*b)).sum::<f64>()).sqrt()
}

fn text(config: &ModelConfig, count: u32) -> Vec<u32> {
    (0..count).map(|i| i * 7919 % u32::try_from(config.vocab).unwrap_or(u32::MAX)).collect()
}

/// Feeds `tokens` in steps of the given sizes and compares the logits after each with those of one pass over all.
fn agrees(model: &Model, adapter: Option<&Adapter>, steps: &[usize]) -> anyhow::Result<()> {
    let tokens = text(model.config(), u32::try_from(steps.iter().sum::<usize>())?);
    let mut sequence = Sequence::new(model, adapter);
    let mut end = 0;
    for step in steps {
        let found = sequence.feed(&tokens[end..end + step])?.to_vec();
        end += step;
        let mut whole = Sequence::new(model, adapter);
        let expected = whole.feed(&tokens[..end])?;
        let difference = difference(&found, expected);
        assert!(difference < 1e-5, "{difference} after {end} tokens");
    }
    Ok(())
}

#[test]
fn token_by_token_the_logits_are_those_of_one_pass() -> anyhow::Result<()> {
    for isa in Isa::available() {
        let model = tiny(isa)?;
        agrees(&model, None, &[5, 1, 1, 1, 60, 1, 1, 7, 300, 1])?;
        agrees(&model, Some(&adapter(&model)?), &[1, 1, 2, 49, 1])?;
    }
    Ok(())
}

#[test]
fn every_family_gives_token_by_token_the_logits_of_one_pass() -> anyhow::Result<()> {
    for name in crate::testing::FAMILIES {
        let model = Model::load(crate::testing::family(name)?.path(), &LoadOptions::default())?;
        agrees(&model, Some(&adapter(&model)?), &[5, 1, 1, 60, 1, 7, 1])?;
    }
    Ok(())
}

#[test]
#[ignore = "needs the base model: .ci/run fetches it"]
fn smollm2_gives_the_same_logits_token_by_token() -> anyhow::Result<()> {
    let model = Model::load(&crate::testing::base_model(), &LoadOptions::default())?;
    agrees(&model, None, &[100, 1, 1, 1])
}

#[test]
fn the_adapter_changes_the_logits() -> anyhow::Result<()> {
    let model = tiny(Isa::best())?;
    let adapter = adapter(&model)?;
    let plain = Sequence::new(&model, None).feed(&[1, 2, 3])?.to_vec();
    let tuned = Sequence::new(&model, Some(&adapter)).feed(&[1, 2, 3])?.to_vec();
    assert!(difference(&tuned, &plain) > 1e-3);
    Ok(())
}

#[test]
fn what_cannot_be_read_is_refused() -> anyhow::Result<()> {
    let model = tiny(Isa::best())?;
    let mut sequence = Sequence::new(&model, None);
    assert!(matches!(sequence.feed(&[]), Err(Error::NoTokens)));
    assert!(matches!(sequence.feed(&[384]), Err(Error::Token { token: 384, vocabulary: 384 })));
    assert!(matches!(
        sequence.feed(&vec![1; 4097]),
        Err(Error::TooLong { tokens: 4097, limit: 4096 })
    ));
    sequence.feed(&[1])?;
    assert!(matches!(sequence.feed(&vec![1; 4096]), Err(Error::TooLong { .. })));
    assert_eq!(sequence.tokens(), 1);
    Ok(())
}
