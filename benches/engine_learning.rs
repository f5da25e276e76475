//! What the engine learns from real records: loss and token accuracy before and after, and whether it can recite.
//!
//! `engine-learning MODEL RECORDS.json [--train N] [--valid N] [--epochs N] [--seed N] [--compute f32|bf16|auto]
//! [--dump FILE] [--recite]`: records in the order of their length, every fourth to validation, the shortest first.
//! `--dump` writes the token ids and weights for another trainer and trains nothing; `--recite` asks each training
//! question afterwards and counts the answers that are the record's to the letter. Prints one line of JSON.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use engine::generate::Options;
use engine::{
    Adapter, ChatMessage, Compute, Evaluation, Example, LoadOptions, LoraConfig, Model,
    TrainOptions, Trainer, evaluate,
};
use serde_json::{Value, json};
use template::{Parts, SYSTEM_PROMPT, Template};

/// What is to be done.
struct Config {
    model: PathBuf,
    records: PathBuf,
    train: usize,
    valid: usize,
    compute: Compute,
    options: TrainOptions,
    dump: Option<PathBuf>,
    recite: bool,
}

/// A record as a conversation.
struct Conversation {
    question: Vec<ChatMessage>,
    answer: String,
}

fn main() -> Result<()> {
    let config = Config::of(std::env::args().skip(1))?;
    let options = LoadOptions { compute: config.compute, ..LoadOptions::default() };
    let model = Arc::new(Model::load(&config.model, &options)?);
    let mut conversations = conversations(&config.records)?;
    conversations.sort_by_key(Conversation::length);
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for (index, conversation) in conversations.into_iter().enumerate() {
        let side = if index % 4 == 3 { &mut valid } else { &mut train };
        side.push(conversation);
    }
    train.truncate(config.train);
    valid.truncate(config.valid);
    let examples = |list: &[Conversation]| {
        list.iter().map(|conversation| conversation.example(&model)).collect::<Result<Vec<_>>>()
    };
    let (train_examples, valid_examples) = (examples(&train)?, examples(&valid)?);
    if let Some(path) = &config.dump {
        let sides = json!({"train": dumped(&train_examples), "valid": dumped(&valid_examples)});
        return Ok(std::fs::write(path, sides.to_string())?);
    }
    let before = evaluate(&model, None, &valid_examples)?;
    let start = Instant::now();
    let tokens: usize = train_examples.iter().map(|example| example.tokens.len()).sum();
    let adapter = trained(&model, &config, train_examples.clone())?;
    let seconds = start.elapsed().as_secs_f64();
    let mut line = json!({
        "compute": config.compute.name(),
        "seed": config.options.seed,
        "train_records": train.len(),
        "train_tokens": tokens,
        "valid_records": valid.len(),
        "before": shown(before),
        "after": shown(evaluate(&model, Some(&adapter), &valid_examples)?),
        "train_after": shown(evaluate(&model, Some(&adapter), &train_examples)?),
        "seconds": seconds,
    });
    if config.recite {
        line["recited"] = recited(&model, &adapter, &train)?.into();
    }
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

impl Config {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut config = Self {
            model: PathBuf::new(),
            records: PathBuf::new(),
            train: 48,
            valid: 12,
            compute: Compute::default(),
            options: TrainOptions { epochs: 1, ..TrainOptions::default() },
            dump: None,
            recite: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} VALUE"));
            match argument.as_str() {
                "--train" => config.train = value()?.parse()?,
                "--valid" => config.valid = value()?.parse()?,
                "--epochs" => config.options.epochs = value()?.parse()?,
                "--seed" => config.options.seed = value()?.parse()?,
                "--compute" => {
                    config.compute = Compute::named(&value()?).context("f32, bf16 or auto")?;
                }
                "--dump" => config.dump = Some(value()?.into()),
                "--recite" => config.recite = true,
                _ if config.model == Path::new("") => config.model = argument.into(),
                _ => config.records = argument.into(),
            }
        }
        if config.records == Path::new("") {
            bail!("expected MODEL RECORDS.json");
        }
        Ok(config)
    }
}

impl Conversation {
    fn length(&self) -> usize {
        self.question.iter().map(|message| message.content.len()).sum::<usize>() + self.answer.len()
    }

    fn example(&self, model: &Model) -> Result<Example> {
        let mut messages = self.question.clone();
        messages.push(ChatMessage::new("assistant", self.answer.as_str()));
        Ok(model.example(&messages)?)
    }
}

/// The records, rendered as the tools render them.
fn conversations(path: &Path) -> Result<Vec<Conversation>> {
    let records: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    records
        .iter()
        .map(|record| {
            let field =
                |name: &str| record[name].as_str().with_context(|| format!("no text `{name}`"));
            let parts = Parts::of(field("Complex_CoT")?, field("Response")?);
            let question = vec![
                ChatMessage::new("system", SYSTEM_PROMPT),
                ChatMessage::new("user", field("Question")?.trim()),
            ];
            Ok(Conversation { question, answer: Template::Headed.render(&parts)? })
        })
        .collect()
}

fn trained(model: &Arc<Model>, config: &Config, train: Vec<Example>) -> Result<Adapter> {
    let lora = LoraConfig::default();
    let mut trainer =
        Trainer::new(Arc::clone(model), &lora, config.options.clone(), train, Vec::new())?;
    while trainer.step()?.is_some() {}
    Ok(trainer.into_adapter())
}

/// How many training questions are answered with the record's answer, to the letter.
fn recited(model: &Model, adapter: &Adapter, train: &[Conversation]) -> Result<usize> {
    let options = Options { temperature: 0.0, max_tokens: 1500, ..Options::default() };
    let mut same = 0;
    for conversation in train {
        let prompt = model.prompt(&conversation.question)?;
        let mut go_on = |_: &str| ControlFlow::Continue(());
        let answer = model.generate(Some(adapter), &prompt, &options, &mut go_on)?;
        same += usize::from(answer.text.trim() == conversation.answer.trim());
    }
    Ok(same)
}

fn shown(evaluation: Evaluation) -> Value {
    json!({"loss": evaluation.loss, "token_accuracy": evaluation.token_accuracy, "tokens": evaluation.tokens})
}

fn dumped(examples: &[Example]) -> Value {
    let each = examples
        .iter()
        .map(|example| json!({"tokens": example.tokens, "weights": example.weights}));
    each.collect()
}
