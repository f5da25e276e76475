//! Training through the public face: against PyTorch, to the same bits, and to the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use engine::{
    Adapter, ChatMessage, Error, Evaluation, Example, LoadOptions, LoraConfig, Model, Projection,
    Schedule, TrainOptions, Trainer, evaluate,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn tiny() -> Result<Arc<Model>> {
    Ok(Arc::new(Model::load(&golden("tiny-llama"), &LoadOptions::default())?))
}

fn conversation(model: &Model, question: &str, answer: &str) -> Result<Example> {
    Ok(model
        .example(&[ChatMessage::new("user", question), ChatMessage::new("assistant", answer)])?)
}

fn examples(model: &Model) -> Result<Vec<Example>> {
    [
        ("What helps against a fever?", "Rest and fluids."),
        ("Where is the pain?", "In the chest."),
        ("What comes first?", "The airway."),
        ("Which test?", "A 12-lead ECG."),
        ("How old is he?", "54 years."),
    ]
    .into_iter()
    .map(|(question, answer)| conversation(model, question, answer))
    .collect()
}

/// The tensor of a golden file, which holds f32.
fn tensor(file: &Path, name: &str) -> Result<Vec<f32>> {
    let bytes = std::fs::read(file)?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes)?;
    let numbers = tensors.tensor(name)?.data().chunks_exact(4);
    Ok(numbers.map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect())
}

/// The conversations of the golden file.
fn golden_examples(model: &Model) -> Result<Vec<Example>> {
    let text = std::fs::read_to_string(golden("tiny-training/examples.json"))?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let conversations = json.as_array().into_iter().flatten();
    conversations
        .map(|conversation| {
            let messages = conversation["messages"].as_array().into_iter().flatten();
            let messages: Vec<ChatMessage> = messages
                .map(|message| ChatMessage::new(text(&message["role"]), text(&message["content"])))
                .collect();
            Ok(model.example(&messages)?)
        })
        .collect()
}

fn adapter_bytes(adapter: &Adapter) -> Result<Vec<u8>> {
    let dir = tempfile::tempdir()?;
    adapter.save(dir.path())?;
    Ok(std::fs::read(dir.path().join("adapter_model.safetensors"))?)
}

#[test]
fn twenty_steps_follow_pytorch() -> Result<()> {
    let model = tiny()?;
    let adapter = Adapter::load(&golden("tiny-training/adapter"), &model)?;
    let options = TrainOptions {
        epochs: 20,
        batch_size: 2,
        learning_rate: 5e-3,
        weight_decay: 0.01,
        warmup_fraction: 0.0,
        schedule: Schedule::Constant,
        ..TrainOptions::default()
    };
    let train = golden_examples(&model)?;
    let mut trainer = Trainer::with_adapter(model, adapter, options, train, Vec::new())?;
    let file = golden("tiny-training/expected.safetensors");
    let (losses, norms) = (tensor(&file, "losses")?, tensor(&file, "gradient_norms")?);
    assert_eq!((losses.len(), trainer.total_steps()), (20, 20));
    for (loss, norm) in losses.into_iter().zip(norms) {
        let report = trainer.step()?.expect("there are 20 steps");
        let far = (report.loss / f64::from(loss) - 1.0).abs();
        assert!(far < 1e-4, "step {}: {} is not {loss}", report.step, report.loss);
        let far = (report.gradient_norm / f64::from(norm) - 1.0).abs();
        assert!(far < 1e-3, "step {}: norm {} is not {norm}", report.step, report.gradient_norm);
    }
    assert_eq!(trainer.step()?, None);
    Ok(())
}

#[test]
fn a_few_examples_are_learnt_by_heart() -> Result<()> {
    let model = tiny()?;
    let train = examples(&model)?;
    let before = evaluate(&model, None, &train)?;
    let options =
        TrainOptions { epochs: 120, batch_size: 2, learning_rate: 5e-3, ..TrainOptions::default() };
    let lora = LoraConfig { rank: 8, alpha: 16.0, ..LoraConfig::default() };
    let mut trainer = Trainer::new(Arc::clone(&model), &lora, options, train.clone(), train)?;
    // An untrained adapter changes nothing.
    assert_eq!(trainer.validate()?, before);
    while trainer.step()?.is_some() {}
    let after = trainer.validate()?;
    assert!(before.token_accuracy < 0.1 && before.loss > 4.0, "{before:?}");
    // The tiny model's logits cannot get much above 6, so its loss cannot get much below 0.7.
    assert!(after.token_accuracy > 0.99 && after.loss < 1.0, "{after:?}");
    Ok(())
}

fn run(threads: usize, dropout: f32) -> Result<Vec<u8>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| {
        let model = tiny()?;
        let train = examples(&model)?;
        let options = TrainOptions { epochs: 2, batch_size: 2, ..TrainOptions::default() };
        let lora = LoraConfig { rank: 4, dropout, ..LoraConfig::default() };
        let mut trainer = Trainer::new(model, &lora, options, train, Vec::new())?;
        while trainer.step()?.is_some() {}
        adapter_bytes(trainer.adapter())
    })
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() -> Result<()> {
    for dropout in [0.0, 0.1] {
        assert!(run(1, dropout)? == run(3, dropout)?);
    }
    assert!(run(1, 0.0)? != run(1, 0.1)?, "dropout changed nothing");
    Ok(())
}

#[test]
fn a_limit_of_memory_changes_time_and_no_bit() -> Result<()> {
    let model = tiny()?;
    let train = examples(&model)?;
    let trained = |limit: Option<usize>| {
        let options = TrainOptions { epochs: 2, batch_size: 2, ..TrainOptions::default() };
        let lora = LoraConfig { rank: 4, dropout: 0.1, ..LoraConfig::default() };
        let mut trainer =
            Trainer::new(Arc::clone(&model), &lora, options, train.clone(), Vec::new())?;
        if let Some(limit) = limit {
            trainer.limit_memory(limit);
        }
        while trainer.step()?.is_some() {}
        adapter_bytes(trainer.adapter())
    };
    let free = trained(None)?;
    assert!(trained(Some(0))? == free, "every block computed again");
    assert!(trained(Some(1 << 40))? == free, "none");
    Ok(())
}

#[test]
fn a_rank_stabilised_adapter_is_scaled_by_the_root_of_its_rank_and_says_so_on_disk() -> Result<()> {
    let model = tiny()?;
    let train = examples(&model)?;
    let lora = |rank_stabilised, alpha| LoraConfig {
        rank: 16,
        alpha,
        rank_stabilised,
        ..LoraConfig::default()
    };
    let trained = |lora: &LoraConfig| {
        let options = TrainOptions { epochs: 1, ..TrainOptions::default() };
        let mut trainer =
            Trainer::new(Arc::clone(&model), lora, options, train.clone(), Vec::new())?;
        while trainer.step()?.is_some() {}
        Ok::<_, anyhow::Error>(trainer.into_adapter())
    };
    // 8 / sqrt(16) = 32 / 16.
    let (stabilised, usual) = (trained(&lora(true, 8.0))?, trained(&lora(false, 32.0))?);
    assert!(adapter_bytes(&stabilised)? == adapter_bytes(&usual)?);
    let dir = tempfile::tempdir()?;
    stabilised.save(dir.path())?;
    let text = std::fs::read_to_string(dir.path().join("adapter_config.json"))?;
    assert!(text.contains("\"use_rslora\": true"), "{text}");
    assert_eq!(Adapter::load(dir.path(), &model)?.config(), stabilised.config());
    Ok(())
}

#[test]
fn a_checkpoint_resumes_to_the_same_bits() -> Result<()> {
    let model = tiny()?;
    let (train, dir) = (examples(&model)?, tempfile::tempdir()?);
    let dir = dir.path().join("checkpoint");
    let options = TrainOptions { epochs: 3, batch_size: 2, ..TrainOptions::default() };
    let lora = LoraConfig { rank: 4, dropout: 0.1, ..LoraConfig::default() };
    let mut first =
        Trainer::new(Arc::clone(&model), &lora, options.clone(), train.clone(), Vec::new())?;
    // Past the end of the first epoch, into the second; written twice, so that it replaces one.
    for step in 0..4 {
        first.step()?;
        if step >= 2 {
            first.checkpoint(&dir)?;
        }
    }
    let resume =
        |options, train| Trainer::resume(&dir, Arc::clone(&model), options, train, Vec::new());
    let mut second = resume(options.clone(), train.clone())?;
    assert_eq!(second.steps_done(), 4);
    loop {
        let (one, other) = (first.step()?, second.step()?);
        let loss = |report: &Option<engine::StepReport>| report.as_ref().map(|r| r.loss.to_bits());
        assert_eq!(loss(&one), loss(&other));
        if one.is_none() {
            break;
        }
    }
    assert!(adapter_bytes(first.adapter())? == adapter_bytes(second.adapter())?);
    let other = TrainOptions { seed: 7, ..options.clone() };
    assert!(matches!(resume(other, train.clone()), Err(Error::Checkpoint { .. })));
    assert!(matches!(resume(options, train[1..].to_vec()), Err(Error::Checkpoint { .. })));
    Ok(())
}

#[test]
fn an_adapter_saved_and_loaded_gives_the_same_logits_to_the_bit() -> Result<()> {
    let model = tiny()?;
    let train = examples(&model)?;
    let tokens = train[0].tokens.clone();
    let options = TrainOptions { epochs: 1, learning_rate: 1e-2, ..TrainOptions::default() };
    let targets = vec![Projection::Value, Projection::Query, Projection::Down];
    let lora = LoraConfig { rank: 5, targets, ..LoraConfig::default() };
    let mut trainer = Trainer::new(Arc::clone(&model), &lora, options, train, Vec::new())?;
    while trainer.step()?.is_some() {}
    let adapter = trainer.into_adapter();
    let dir = tempfile::tempdir()?;
    adapter.save(dir.path())?;
    let loaded = Adapter::load(dir.path(), &model)?;
    let logits = |adapter| model.logits(adapter, &tokens);
    assert!(logits(Some(&adapter))? == logits(Some(&loaded))?);
    assert!(logits(Some(&adapter))? != logits(None)?, "the adapter does nothing");
    assert_eq!(loaded.config(), adapter.config());
    Ok(())
}

#[test]
fn every_epoch_sees_each_example_once_and_in_another_order() -> Result<()> {
    let model = tiny()?;
    let train = examples(&model)?;
    let total: usize = train.iter().map(|example| example.tokens.len()).sum();
    let options = TrainOptions { epochs: 4, batch_size: 2, ..TrainOptions::default() };
    let mut trainer = Trainer::new(model, &LoraConfig::default(), options, train, Vec::new())?;
    let mut orders = Vec::new();
    let mut order = Vec::new();
    while let Some(report) = trainer.step()? {
        assert_eq!(report.epoch, orders.len() + 1);
        order.push(report.tokens);
        if report.epoch_ended {
            assert_eq!(order.iter().sum::<usize>(), total);
            orders.push(std::mem::take(&mut order));
        }
    }
    assert_eq!(orders.len(), 4);
    assert!(orders.iter().any(|order| *order != orders[0]), "{orders:?}");
    Ok(())
}

#[test]
fn a_message_of_weight_zero_is_read_and_not_learnt() -> Result<()> {
    let model = tiny()?;
    let mut messages = vec![
        ChatMessage::new("user", "Is it high?"),
        ChatMessage::new("assistant", "No."),
        ChatMessage::new("user", "Sure?"),
        ChatMessage::new("assistant", "Yes."),
    ];
    let whole = model.example(&messages)?;
    messages[1].weight = Some(0.0);
    let half = model.example(&messages)?;
    assert_eq!(whole.tokens, half.tokens);
    assert!(half.loss_tokens() < whole.loss_tokens());
    messages[3].weight = Some(0.0);
    assert!(matches!(model.example(&messages), Err(Error::NoAnswer)));
    messages[3].weight = Some(-1.0);
    assert!(matches!(model.example(&messages), Err(Error::Option { option: "weight", .. })));
    Ok(())
}

#[test]
fn special_text_inside_a_message_stays_text() -> Result<()> {
    let model = tiny()?;
    let example = conversation(&model, "Say <|im_end|> now.", "<|im_start|> it is <|im_end|>")?;
    let tokenizer = model.tokenizer();
    let specials = |token: &&u32| **token <= 2;
    // The template's own: system (begin, end), user (begin, end), assistant (begin, end).
    assert_eq!(example.tokens.iter().filter(specials).count(), 6);
    let text = tokenizer.decode(&example.tokens);
    assert!(text.contains("Say <|im_end|> now.") && text.contains("<|im_start|> it is"), "{text}");
    let learnt: Vec<u32> = example
        .tokens
        .iter()
        .zip(&example.weights)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(token, _)| *token)
        .collect();
    assert_eq!(learnt.last(), Some(&2));
    assert_eq!(tokenizer.decode(&learnt[..learnt.len() - 1]), "<|im_start|> it is <|im_end|>");
    Ok(())
}

#[test]
fn what_cannot_be_trained_is_refused_with_its_reason() -> Result<()> {
    let model = tiny()?;
    let good = examples(&model)?;
    let start = |options, lora: &LoraConfig, train| {
        Trainer::new(Arc::clone(&model), lora, options, train, Vec::new())
            .err()
            .map(|error| error.to_string())
    };
    let (options, lora) = (TrainOptions::default(), LoraConfig::default());
    let check = |found: Option<String>, expected: &str| {
        assert_eq!(found.as_deref(), Some(expected));
    };
    check(start(options.clone(), &lora, Vec::new()), "there are no examples to train on");
    let zero = TrainOptions { batch_size: 0, ..options.clone() };
    check(start(zero, &lora, good.clone()), "`batch_size` is 0, not from 1 to 1000000");
    let nan = TrainOptions { learning_rate: f32::NAN, ..options.clone() };
    check(start(nan, &lora, good.clone()), "`learning_rate` is NaN, not from 0 to 1");
    let rank = LoraConfig { rank: 0, ..lora.clone() };
    check(start(options.clone(), &rank, good.clone()), "`rank` is 0, not from 1 to 1024");
    let short = TrainOptions { max_tokens: 3, ..options.clone() };
    check(start(short, &lora, good), "example 0 has no token that carries loss");
    let outside = Example { tokens: vec![1, 999], weights: vec![0.0, 1.0] };
    check(
        start(options.clone(), &lora, vec![outside]),
        "token 999 is outside the vocabulary of 384",
    );
    let long = Example { tokens: vec![1; 5000], weights: vec![1.0; 5000] };
    let options = TrainOptions { max_tokens: 6000, ..options };
    check(
        start(options, &lora, vec![long]),
        "5000 tokens are more than the 4096 that the model can read",
    );
    Ok(())
}

#[test]
fn a_validation_without_examples_is_of_nothing() -> Result<()> {
    let evaluation = evaluate(&*tiny()?, None, &[])?;
    assert_eq!(evaluation, Evaluation { loss: 0.0, token_accuracy: 0.0, tokens: 0 });
    Ok(())
}
