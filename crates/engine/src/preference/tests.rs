//! Preference tuning against PyTorch and PEFT; numbers and script in `tests/golden/`.

use super::*;
use crate::kernels::Isa;
use crate::layers::testing::{assert_within, wide};
use crate::lora::{Tensors, read_tensors, sites, transpose};
use crate::model::LoadOptions;
use crate::schedule::Schedule;
use crate::sequence::Prefix;
use crate::testing::golden;
use crate::trainer::{Material, TrainOptions, Trainer};

fn tiny(isa: Isa) -> Arc<Model> {
    let options = LoadOptions { isa: Some(isa), ..LoadOptions::default() };
    Arc::new(Model::load(&golden("tiny-llama"), &options).unwrap())
}

fn adapter(model: &Model) -> Adapter {
    Adapter::load(&golden("tiny-training/adapter"), model).unwrap()
}

fn expected() -> Tensors {
    read_tensors(&golden("tiny-preference.safetensors")).unwrap()
}

fn pairs(model: &Model) -> Vec<Preference> {
    let text = std::fs::read_to_string(golden("tiny-preference.json")).unwrap();
    let lines: serde_json::Value = serde_json::from_str(&text).unwrap();
    let messages = |list: &serde_json::Value| -> Vec<ChatMessage> {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let messages = list.as_array().unwrap().iter();
        messages
            .map(|message| ChatMessage::new(text(&message["role"]), text(&message["content"])))
            .collect()
    };
    let pair = |line: &serde_json::Value| {
        let outputs = ["preferred_output", "non_preferred_output"].map(|key| messages(&line[key]));
        model.preference(&messages(&line["input"]["messages"]), &outputs[0], &outputs[1]).unwrap()
    };
    lines.as_array().unwrap().iter().map(pair).collect()
}

/// What the first pair teaches, its gradients added.
fn learn(
    (model, adapter): (&Model, &Adapter),
    set: &mut Preferences,
    gradients: &mut Gradients,
) -> PairSums {
    let batch = Batch { model, adapter, gradients, indices: &[0], seed: [0, 0] };
    set.accumulate(batch, &mut Default::default()).unwrap()
}

fn options() -> TrainOptions {
    TrainOptions {
        epochs: 10,
        batch_size: 2,
        learning_rate: 5e-3,
        warmup_fraction: 0.0,
        schedule: Schedule::Constant,
        ..TrainOptions::default()
    }
}

#[test]
fn loss_rewards_and_gradients_are_those_of_the_reference_on_every_instruction_set() {
    let expected = expected();
    for isa in Isa::available() {
        let model = tiny(isa);
        let (adapter, pairs) = (adapter(&model), pairs(&model));
        let mut gradients = Gradients::zeros(&adapter);
        let mut set = Preferences::new(pairs[..1].to_vec(), PreferenceOptions::default());
        let sums = learn((&model, &adapter), &mut set, &mut gradients);
        let near = |found: f64, expected: f32, limit: f64| {
            let far = (found - f64::from(expected)).abs();
            assert!(far < limit, "{}: {found} is not {expected}", isa.name());
        };
        near(sums.loss, expected["loss"].1[0], 1e-5);
        let rewards = sums.rewards();
        near(rewards.preferred, expected["rewards"].1[0], 1e-5);
        near(rewards.rejected, expected["rewards"].1[1], 1e-5);
        let (mut error, mut size) = (0.0, 0.0);
        for ((layer, projection), pair) in sites(model.config()).zip(gradients.pairs()) {
            let module = projection.module();
            let of = |factor| {
                let name = format!(
                    "gradient.base_model.model.model.layers.{layer}.{module}.{projection}.lora_{factor}.weight"
                );
                &expected[&name].1
            };
            let b = transpose(&pair.b, projection.shape(model.config())[1]);
            for (found, expected) in pair.a.iter().zip(of('A')).chain(b.iter().zip(of('B'))) {
                error += f64::from(found - expected).powi(2);
                size += f64::from(*expected).powi(2);
            }
        }
        let far = f64::sqrt(error / size);
        assert!(far < 1e-4, "{}: {far:e}", isa.name());
    }
}

#[test]
fn ten_steps_follow_pytorch_and_the_preferred_answers_get_ahead() {
    let model = tiny(Isa::best());
    let set = || Material::preferences(pairs(&model), PreferenceOptions::default());
    let mut trainer =
        Trainer::with_adapter(Arc::clone(&model), adapter(&model), options(), set(), set())
            .unwrap();
    let before = trainer.validate().unwrap();
    let mut measure =
        PreferenceMeasure::new(Arc::clone(&model), pairs(&model), PreferenceOptions::default());
    let all = 0..measure.len();
    let same = measure.measure(trainer.adapter(), all.clone()).unwrap();
    assert_eq!((same.loss.to_bits(), same.pairs), (before.loss.to_bits(), all.len()));
    let parts = all.map(|pair| measure.measure(trainer.adapter(), [pair]).unwrap());
    let mean = parts.map(|part| part.loss).sum::<f64>() / same.pairs as f64;
    assert!((mean - same.loss).abs() < 1e-12, "{mean} is not {}", same.loss);
    let losses = &expected()["losses"].1;
    assert_eq!(losses.len(), trainer.total_steps());
    for loss in losses {
        let report = trainer.step().unwrap().unwrap();
        let far = (report.loss / f64::from(*loss) - 1.0).abs();
        assert!(far < 1e-3, "step {}: {} is not {loss}", report.step, report.loss);
        assert_eq!(report.rewards.unwrap().accuracy.to_bits(), report.token_accuracy.to_bits());
    }
    let after = trainer.validate().unwrap();
    assert!((before.loss / f64::from(losses[0]) - 1.0).abs() < 1e-4, "{before:?}");
    assert!(after.loss < 0.1 && after.token_accuracy > 0.99, "{after:?}");
}

#[test]
fn a_preference_training_resumes_to_the_same_bits_and_an_adapter_can_be_the_reference() {
    let model = tiny(Isa::best());
    let reference = Some(Arc::new(adapter(&model)));
    let set = |beta| {
        let options = PreferenceOptions { beta, reference: reference.clone() };
        Material::preferences(pairs(&model), options)
    };
    let none = Vec::new;
    let mut first =
        Trainer::with_adapter(Arc::clone(&model), adapter(&model), options(), set(0.1), none())
            .unwrap();
    // The adapter is its own reference: no reward yet, and the loss is ln 2.
    let report = first.step().unwrap().unwrap();
    assert!((report.loss - std::f64::consts::LN_2).abs() < 1e-6, "{}", report.loss);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("checkpoint");
    first.checkpoint(&dir).unwrap();
    let resume = |beta| Trainer::resume(&dir, Arc::clone(&model), options(), set(beta), Vec::new());
    let mut second = resume(0.1).unwrap();
    while let Some(report) = first.step().unwrap() {
        let other = second.step().unwrap().unwrap();
        assert_eq!(report.loss.to_bits(), other.loss.to_bits());
    }
    assert!(resume(0.2).is_err());
}

#[test]
fn a_long_prompt_is_worked_off_once_for_both_answers_and_changes_nothing() {
    let model = tiny(Isa::best());
    let (adapter, beta) = (adapter(&model), PreferenceOptions::default().beta);
    let asked = [ChatMessage::new("user", "Is it a cold? ".repeat(20))];
    let [good, bad] = ["Yes.", "Go away."].map(|text| [ChatMessage::new("assistant", text)]);
    let pair = model.preference(&asked, &good, &bad).unwrap();
    assert!(pair.shared() > 100 && pair.after(0)[0] == pair.preferred);
    // Both whole, the reference being the base model.
    let (mut expected, mut found) = (Gradients::zeros(&adapter), Gradients::zeros(&adapter));
    let [one, other] = &mut <[Workspace; 2]>::default();
    let mut step = Step {
        adapter: &adapter,
        gradients: &mut expected,
        scale: 1.0,
        dropout: 0,
        lengths: &[],
        prefix: &mut Prefix::default(),
    };
    let [preferred, rejected] = [&pair.preferred, &pair.rejected];
    let reference = [preferred, rejected]
        .map(|example| -model.loss((None, &Prefix::default()), example, one).unwrap().loss);
    let first = model.begin(&step, preferred, one).unwrap();
    let second = model.begin(&step, rejected, other).unwrap();
    let (h, whole) = PairSums::of(beta, [-first.sums.loss, -second.sums.loss], reference);
    #[expect(clippy::cast_possible_truncation, reason = "the gradients are f32")]
    let slope = (f64::from(beta) / (1.0 + h.exp())) as f32;
    model.finish(&mut step, &first, slope, one);
    model.finish(&mut step, &second, -slope, other);
    // As it is learnt.
    let mut set = Preferences::new(vec![pair], PreferenceOptions::default());
    let sums = learn((&model, &adapter), &mut set, &mut found);
    assert!((sums.loss - whole.loss).abs() < 1e-6, "{} is not {}", sums.loss, whole.loss);
    let [found, expected] = [found, expected].map(|gradients| -> Vec<f32> {
        gradients.pairs().flat_map(|pair| pair.a.iter().chain(&pair.b)).copied().collect()
    });
    assert_within(&found, &wide(&expected), 1e-5);
}

#[test]
fn a_beta_that_is_no_positive_number_is_refused() {
    let model = tiny(Isa::best());
    for beta in [0.0, -1.0, f32::NAN] {
        let options = PreferenceOptions { beta, ..PreferenceOptions::default() };
        let set = Material::preferences(pairs(&model), options);
        let lora = crate::LoraConfig::default();
        let fresh = Trainer::new(Arc::clone(&model), &lora, self::options(), set, Vec::new());
        assert!(matches!(fresh, Err(Error::Option { option: "beta", .. })));
    }
}
