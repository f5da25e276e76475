//! How long it takes from nothing to an answer's first token.
//!
//! `engine-start MODEL [ROUNDS]`: opening the file (mapped into memory, its head read), loading (tokenizer, template, weights
//! unpacked and packed for the processor), and the first token of a chat question; medians in milliseconds, and the bytes
//! of packed weights. The file is in the page cache from the second round on.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use engine::generate::Options;
use engine::{ChatMessage, LoadOptions, Model, Weights};

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("a GGUF or safetensors file, or a folder")?;
    let rounds: usize = arguments.next().map_or(Ok(7), |rounds| rounds.parse())?;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let mut bytes = 0;
    for _ in 0..rounds {
        let mut since = Instant::now();
        let mut lap = |times: &mut Vec<f64>| {
            times.push(since.elapsed().as_secs_f64() * 1e3);
            since = Instant::now();
        };
        drop(Weights::open(Path::new(&path))?);
        lap(&mut times[0]);
        let model = Model::load(Path::new(&path), &LoadOptions::default())?;
        lap(&mut times[1]);
        let prompt =
            model.prompt(&[ChatMessage::new("user", "What are the signs of a stroke?")])?;
        let options = Options { max_tokens: 1, temperature: 0.0, ..Options::default() };
        model.generate(None, &prompt, &options, &mut |_| ControlFlow::Continue(()))?;
        lap(&mut times[2]);
        bytes = model.size_bytes();
    }
    let [open, load, first] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "open {open:.1} ms, load {load:.0} ms, first token {first:.0} ms, packed {} MB",
        bytes >> 20
    );
    Ok(())
}
