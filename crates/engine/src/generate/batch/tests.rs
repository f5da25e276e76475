use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::lora::LoraConfig;
use crate::model::LoadOptions;

fn tiny() -> anyhow::Result<Model> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
    Ok(Model::load(&path, &LoadOptions::default())?)
}

/// An adapter whose B is not zero.
fn tuned(model: &Model, seed: u64) -> anyhow::Result<Adapter> {
    let mut adapter = Adapter::new(model, &LoraConfig::default(), seed)?;
    for (index, factors) in adapter.factors_mut().enumerate() {
        for (i, b) in factors.b.iter_mut().enumerate() {
            *b = ((index * 31 + i) as f32 + seed as f32).sin() * 0.05;
        }
        factors.repack();
    }
    Ok(adapter)
}

fn request<A>(adapter: Option<A>, seed: u32, prompt_tokens: u32) -> Request<A> {
    let options = Options {
        seed: u64::from(seed),
        max_tokens: 10 + seed as usize % 13,
        temperature: 1.2,
        frequency_penalty: if seed.is_multiple_of(2) { 0.3 } else { 0.0 },
        log_probabilities: Some(1),
        prompt_log_probabilities: seed.is_multiple_of(3).then_some(1),
        ..Options::default()
    };
    let prompt = (0..prompt_tokens).map(|i| (i * 7919 + seed) % 384).collect();
    Request { adapter, prompt, options, answers: 1 + seed as usize % 3 }
}

/// What became of the requests, answer by answer.
type Ends = BTreeMap<(Ticket, usize), Generated>;

/// Steps until all is done; `join` adds requests before the steps that it names.
fn run<'a>(
    batch: &mut Batch<'_, &'a Adapter>,
    mut join: impl FnMut(usize) -> Vec<Request<&'a Adapter>>,
) -> anyhow::Result<(Ends, BTreeMap<Ticket, Vec<TokenScore>>)> {
    let (mut ends, mut scored) = (Ends::new(), BTreeMap::new());
    let mut heard: BTreeMap<(Ticket, usize), String> = BTreeMap::new();
    for step in 0.. {
        for request in join(step) {
            batch.add(request)?;
        }
        if batch.is_empty() && step > 60 {
            break;
        }
        batch.step(&mut |ticket, event| {
            match event {
                Event::Reading { .. } => {}
                Event::Read { scores } => {
                    scored.insert(ticket, scores);
                }
                Event::Token { answer, text, .. } => {
                    heard.entry((ticket, answer)).or_default().push_str(text);
                }
                Event::Ended { answer, rest, generated } => {
                    let mut heard = heard.remove(&(ticket, answer)).unwrap_or_default();
                    heard.push_str(rest);
                    assert_eq!(heard, generated.text);
                    ends.insert((ticket, answer), generated);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok((ends, scored))
}

#[test]
fn an_answer_is_the_same_whatever_stands_beside_it_and_whenever_it_came() -> anyhow::Result<()> {
    let model = tiny()?;
    let adapters = [tuned(&model, 1)?, tuned(&model, 2)?];
    let requests = || {
        (0..9_u32).map(|index| {
            let adapter = adapters.get(index as usize % 3);
            request(adapter, index, 1 + index * 61)
        })
    };
    let mut alone = Vec::new();
    for wanted in requests() {
        let mut batch = Batch::new(&model);
        let mut wanted = Some(wanted);
        let (ends, scored) = run(&mut batch, |_| wanted.take().into_iter().collect())?;
        alone.push((ends.into_values().collect::<Vec<_>>(), scored.into_values().next()));
    }
    let mut batch = Batch::new(&model);
    let mut coming = requests().enumerate().peekable();
    let (ends, scored) = run(&mut batch, |step| {
        let mut now = Vec::new();
        while let Some((_, request)) = coming.next_if(|(index, _)| index * 3 <= step) {
            now.push(request);
        }
        now
    })?;
    assert_eq!(ends.len(), 1 + 2 + 3 + 1 + 2 + 3 + 1 + 2 + 3);
    for (index, (expected, scores)) in alone.iter().enumerate() {
        let ticket = Ticket(index as u64);
        let found: Vec<_> =
            ends.iter().filter(|((of, _), _)| *of == ticket).map(|(_, end)| end.clone()).collect();
        assert_eq!(&found, expected, "request {index}");
        assert_eq!(scored.get(&ticket), scores.as_ref(), "request {index}");
    }
    Ok(())
}

#[test]
fn an_answer_is_the_same_where_its_prompts_beginning_was_read_before() -> anyhow::Result<()> {
    let model = tiny()?;
    let adapter = tuned(&model, 1)?;
    let prompts: Vec<Vec<u32>> = [(0, 40), (150, 97), (150, 20), (400, 60), (150, 97)]
        .into_iter()
        .zip(1..)
        .map(|((alike, more), last)| {
            (0..alike)
                .map(|i| i % 384)
                .chain((0..more).map(|i| (i * 5 + last * more) % 384))
                .collect()
        })
        .collect();
    let requests = || {
        prompts.iter().flat_map(|prompt| {
            let own = |adapter| Request { prompt: prompt.clone(), ..request(adapter, 1, 1) };
            [own(None), own(Some(&adapter))]
        })
    };
    let expected = requests().map(|wanted| {
        let mut wanted = Some(wanted);
        let (ends, _) = run(&mut Batch::new(&model), |_| wanted.take().into_iter().collect())?;
        Ok(ends.into_values().collect::<Vec<_>>())
    });
    let expected: Vec<_> = expected.collect::<anyhow::Result<_>>()?;
    let mut batch = Batch::new(&model);
    let mut coming = requests();
    let (ends, _) = run(&mut batch, |_| coming.next().into_iter().collect())?;
    let found: Vec<Generated> = ends.into_values().collect();
    assert_eq!(found, expected.concat());
    Ok(())
}

#[test]
fn answers_to_one_prompt_are_those_of_the_seeds_from_its_own_on() -> anyhow::Result<()> {
    let model = tiny()?;
    let whole = Request { answers: 3, ..request(None, 4, 20) };
    let (ends, _) =
        run(
            &mut Batch::new(&model),
            |step| {
                if step == 0 { vec![whole.clone()] } else { Vec::new() }
            },
        )?;
    for (index, found) in ends.values().enumerate() {
        let options = Options { seed: 4 + index as u64, ..whole.options.clone() };
        let alone =
            model.generate(None, &whole.prompt, &options, &mut |_| ControlFlow::Continue(()))?;
        assert_eq!(*found, Generated { prompt_scores: Vec::new(), ..alone });
    }
    Ok(())
}

#[test]
fn each_sequence_is_broken_off_alone() -> anyhow::Result<()> {
    let model = tiny()?;
    let mut batch = Batch::<&Adapter>::new(&model);
    let (long, short) = (request(None, 3, 500), request(None, 3, 5));
    let reading = batch.add(long)?;
    let broken = batch.add(short.clone())?;
    let other = batch.add(short)?;
    let (mut ends, mut tokens) = (BTreeMap::new(), 0);
    while !batch.is_empty() {
        batch.step(&mut |ticket, event| match event {
            Event::Reading { .. } if ticket == reading => ControlFlow::Break(()),
            Event::Token { .. } if ticket == broken => {
                tokens += 1;
                if tokens == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Event::Ended { generated, .. } => {
                ends.insert(ticket, (generated.finish, generated.tokens.len()));
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        })?;
    }
    assert_eq!(ends[&reading], (Finish::Cancelled, 0));
    assert_eq!(ends[&broken], (Finish::Cancelled, 4));
    assert_eq!(ends[&other], (Finish::Length, 13));
    Ok(())
}
