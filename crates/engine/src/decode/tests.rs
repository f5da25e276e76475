use std::path::Path;

use super::*;
use crate::config::ModelConfig;
use crate::kernels::{Compute, Isa};
use crate::lora::LoraConfig;
use crate::model::LoadOptions;

const TYPES: [Compute; 2] = [Compute::F32, Compute::Bf16];

fn tiny(isa: Isa) -> anyhow::Result<Model> {
    tiny_in(Compute::F32, isa)
}

/// Its weights are not quantised, so that it answers in the type too.
fn tiny_in(compute: Compute, isa: Isa) -> anyhow::Result<Model> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    Ok(Model::load(&path, &LoadOptions { isa: Some(isa), compute, ..LoadOptions::default() })?)
}

/// Every instruction set with every type.
fn ways() -> Vec<(Compute, Isa)> {
    Isa::available().into_iter().flat_map(|isa| TYPES.map(|compute| (compute, isa))).collect()
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

/// Logits after `steps` of tokens, a whole sequence at once or in parts; a step of one token is a pass of its own kind.
fn after(
    model: &Model,
    adapter: Option<&Adapter>,
    tokens: &[u32],
    steps: &[usize],
) -> anyhow::Result<Vec<f32>> {
    let (mut decoder, mut cache) = (Decoder::new(model), Cache::new(model.config()));
    let (mut end, mut last) = (0, 0);
    for step in steps {
        let part = &tokens[end..end + step];
        if end > 0 && *step == 1 {
            decoder.step(&mut [Member { cache: &mut cache, adapter, token: part[0] }])?;
        } else {
            decoder.read(&mut cache, adapter, part)?;
        }
        (end, last) = (end + step, step - 1);
    }
    assert_eq!(cache.tokens(), end);
    Ok(decoder.logits(last..last + 1).to_vec())
}

/// Reads tokens in steps of the given sizes and compares the logits after each with those of one pass over all.
fn agrees(model: &Model, adapter: Option<&Adapter>, steps: &[usize]) -> anyhow::Result<()> {
    let tokens = text(model.config(), u32::try_from(steps.iter().sum::<usize>())?);
    let mut end = 0;
    for (index, step) in steps.iter().enumerate() {
        end += step;
        let found = after(model, adapter, &tokens, &steps[..=index])?;
        let difference = difference(&found, &after(model, adapter, &tokens, &[end])?);
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
fn in_bf16_an_answer_strays_from_f32_by_its_rounding_alone() -> anyhow::Result<()> {
    let steps = [5, 1, 1, 60, 1, 7, 1, 1];
    for isa in Isa::available() {
        for name in crate::testing::FAMILIES {
            let path = crate::testing::family(name)?;
            let load = |compute| {
                let options = LoadOptions { isa: Some(isa), compute, ..LoadOptions::default() };
                Model::load(path.path(), &options)
            };
            let (exact, rounded) = (load(Compute::F32)?, load(Compute::Bf16)?);
            let tokens = text(exact.config(), u32::try_from(steps.iter().sum::<usize>())?);
            let expected = after(&exact, Some(&adapter(&exact)?), &tokens, &[tokens.len()])?;
            let adapter = adapter(&rounded)?;
            for steps in [&steps[..], &[tokens.len()]] {
                let found = after(&rounded, Some(&adapter), &tokens, steps)?;
                let difference = difference(&found, &expected);
                assert!(difference > 0.0 && difference < 2e-2, "{name} {difference} {steps:?}");
            }
        }
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
fn how_a_prompt_is_cut_changes_no_bit() -> anyhow::Result<()> {
    for (compute, isa) in ways() {
        let model = tiny_in(compute, isa)?;
        let adapter = adapter(&model)?;
        let tokens = text(model.config(), 400);
        let whole = after(&model, Some(&adapter), &tokens, &[400])?;
        assert!(after(&model, Some(&adapter), &tokens, &[192, 192, 16])? == whole);
        assert!(after(&model, Some(&adapter), &tokens, &[3, 50, 347])? == whole);
    }
    Ok(())
}

#[test]
fn a_sequence_has_the_same_bits_alone_and_beside_others() -> anyhow::Result<()> {
    for (compute, isa) in ways() {
        let model = tiny_in(compute, isa)?;
        let (one, other) = (adapter(&model)?, Adapter::new(&model, &LoraConfig::default(), 9)?);
        let adapters = [None, Some(&one), Some(&one), Some(&other), None, Some(&one), None];
        let (mut decoder, vocabulary) = (Decoder::new(&model), model.config().vocab);
        let mut caches: Vec<Cache> = Vec::new();
        for (index, adapter) in (0..).zip(adapters) {
            let mut cache = Cache::new(model.config());
            decoder.read(&mut cache, adapter, &text(model.config(), 5 + 37 * index))?;
            caches.push(cache);
        }
        let mut alone = Vec::new();
        for (index, (adapter, cache)) in (0..).zip(adapters.into_iter().zip(&caches)) {
            let mut cache = cache.clone();
            for token in [index, index + 40] {
                decoder.step(&mut [Member { cache: &mut cache, adapter, token }])?;
            }
            alone.push(decoder.logits(0..1).to_vec());
        }
        for more in [0, 40] {
            let members = caches.iter_mut().zip(adapters).zip(0..);
            let members = members.map(|((cache, adapter), token)| Member {
                cache,
                adapter,
                token: token + more,
            });
            decoder.step(&mut members.collect::<Vec<_>>())?;
        }
        let together = decoder.logits(0..adapters.len());
        for (row, alone) in together.chunks_exact(vocabulary).zip(&alone) {
            assert!(row == alone, "{} {compute}", isa.name());
        }
    }
    Ok(())
}

#[test]
fn the_adapter_changes_the_logits() -> anyhow::Result<()> {
    let model = tiny(Isa::best())?;
    let adapter = adapter(&model)?;
    for steps in [&[3][..], &[2, 1]] {
        let plain = after(&model, None, &[1, 2, 3], steps)?;
        let tuned = after(&model, Some(&adapter), &[1, 2, 3], steps)?;
        assert!(difference(&tuned, &plain) > 1e-3);
    }
    Ok(())
}

#[test]
fn what_cannot_be_read_is_refused() -> anyhow::Result<()> {
    let model = tiny(Isa::best())?;
    let (mut decoder, mut cache) = (Decoder::new(&model), Cache::new(model.config()));
    let mut read = |tokens: &[u32]| decoder.read(&mut cache, None, tokens);
    assert!(matches!(read(&[]), Err(Error::NoTokens)));
    assert!(matches!(read(&[384]), Err(Error::Token { token: 384, vocabulary: 384 })));
    assert!(matches!(read(&vec![1; 4097]), Err(Error::TooLong { tokens: 4097, limit: 4096 })));
    read(&[1])?;
    assert!(matches!(read(&vec![1; 4096]), Err(Error::TooLong { .. })));
    assert_eq!(cache.tokens(), 1);
    let wrong = &mut [Member { cache: &mut cache, adapter: None, token: 384 }];
    assert!(matches!(decoder.step(wrong), Err(Error::Token { .. })));
    Ok(())
}
