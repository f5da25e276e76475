//! How fast the engine answers: a prompt of 512 tokens read, then 128 tokens of one and of several answers side by side.
//!
//! `cargo run --package medtune-benches --bin engine-decoding -- MODEL [f32|bf16|auto] [ANSWERS ..]`; threads by
//! `RAYON_NUM_THREADS`, `auto` (the default) is what the server takes. One line a figure, `name tokens/s`, of a best round; `benches/engine_decoding.py` sets llama.cpp beside it. Answers with
//! adapters have one each, of rank 16 on all projections. The engine is optimised in every profile.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use engine::generate::{Batch, Event, Options, Request};
use engine::{Adapter, Compute, LoadOptions, LoraConfig, Model};

const PROMPT: usize = 512;
/// The prompt of the answers that are timed, so that their attention is over few tokens, as llama-bench has it.
const SHORT: usize = 16;
const TOKENS: usize = 128;
/// What a prompt has new beyond one that was read before.
const NEW: usize = 32;
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let path = arguments.next().context("the base model's path is missing")?;
    let compute = arguments.next_if(|name| Compute::named(name).is_some());
    let compute = Compute::named(compute.as_deref().unwrap_or("auto")).context("no such type")?;
    let mut counts = arguments.map(|count| Ok(count.parse()?)).collect::<Result<Vec<usize>>>()?;
    if counts.is_empty() {
        counts = vec![1, 2, 4, 8, 16];
    }
    let mut out = std::io::stdout();
    let start = Instant::now();
    let options = LoadOptions { compute, ..LoadOptions::default() };
    let model = Model::load(Path::new(&path), &options)?;
    let loaded = start.elapsed();
    answer(&model, &[None], SHORT, 1)?;
    writeln!(out, "load {:.3} s", loaded.as_secs_f64())?;
    writeln!(out, "start_to_first_token {:.3} s", start.elapsed().as_secs_f64())?;
    let read = best(|| Ok(answer(&model, &[None], PROMPT, 1)?.0))?;
    writeln!(out, "prefill_{PROMPT} {:.1}", PROMPT as f64 / read)?;
    writeln!(out, "first_token_{PROMPT} {read:.4} s")?;
    let again = best(|| first_token_again(&model))?;
    writeln!(out, "first_token_{PROMPT}_of_which_{}_read_before {again:.4} s", PROMPT - NEW)?;
    for count in &counts {
        let seconds = best(|| Ok(answer(&model, &vec![None; *count], SHORT, TOKENS)?.1))?;
        writeln!(out, "decode_{count} {:.1}", (count * (TOKENS - 1)) as f64 / seconds)?;
    }
    for count in counts {
        let adapters = (0..count as u64)
            .map(|seed| Ok(Some(Arc::new(Adapter::new(&model, &LoraConfig::default(), seed)?))))
            .collect::<Result<Vec<_>>>()?;
        let seconds = best(|| Ok(answer(&model, &adapters, SHORT, TOKENS)?.1))?;
        let speed = (count * (TOKENS - 1)) as f64 / seconds;
        writeln!(out, "decode_{count}_adapters {speed:.1}")?;
    }
    Ok(())
}

/// Seconds to the first token of a prompt whose beginning was read in another one before.
fn first_token_again(model: &Model) -> Result<f64> {
    let mut batch = Batch::<Arc<Adapter>>::new(model);
    let mut seconds = 0.0;
    for last in 0..2 {
        let token = |place| if place < PROMPT - NEW { place * 7919 + 13 } else { place + last };
        let tokens = (0..PROMPT).map(|place| u32::try_from(token(place) % model.config().vocab));
        let prompt = tokens.collect::<Result<_, _>>()?;
        let options = Options { max_tokens: 1, temperature: 0.0, ..Options::default() };
        batch.add(Request { adapter: None, prompt, options, answers: 1 })?;
        let start = Instant::now();
        while !batch.is_empty() {
            batch.step(&mut |_, _| ControlFlow::Continue(()))?;
        }
        seconds = start.elapsed().as_secs_f64();
    }
    Ok(seconds)
}

fn best(mut seconds: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        best = best.min(seconds()?);
    }
    Ok(best)
}

/// Seconds until all prompts are read with one token each, and from there until `tokens` are there.
fn answer(
    model: &Model,
    adapters: &[Option<Arc<Adapter>>],
    prompt: usize,
    tokens: usize,
) -> Result<(f64, f64)> {
    let vocabulary = model.config().vocab;
    let mut batch = Batch::new(model);
    for (index, adapter) in adapters.iter().enumerate() {
        let tokens_of_prompt = (0..prompt).map(|place| (place * 7919 + 13 + index) % vocabulary);
        batch.add(Request {
            adapter: adapter.clone(),
            prompt: tokens_of_prompt.map(u32::try_from).collect::<Result<_, _>>()?,
            // The token that ends an answer is never taken.
            options: Options {
                max_tokens: tokens + prompt.div_ceil(192) * adapters.len(),
                temperature: 0.0,
                logit_bias: model.tokenizer().eos().iter().map(|end| (*end, -100.0)).collect(),
                ..Options::default()
            },
            answers: 1,
        })?;
    }
    let start = Instant::now();
    let mut heard = 0;
    let mut step = |batch: &mut Batch<'_, Arc<Adapter>>| {
        batch.step(&mut |_, event| {
            heard += usize::from(matches!(event, Event::Token { .. }));
            ControlFlow::Continue(())
        })
    };
    while batch.answering() < adapters.len() {
        step(&mut batch)?;
        if batch.is_empty() {
            break;
        }
    }
    let read = start.elapsed();
    if tokens == 1 {
        return Ok((read.as_secs_f64(), Duration::ZERO.as_secs_f64()));
    }
    let start = Instant::now();
    for _ in 1..tokens {
        step(&mut batch)?;
    }
    Ok((read.as_secs_f64(), start.elapsed().as_secs_f64()))
}
