use super::*;

fn drawn(choice: &Choice, logits: &[f32], draws: usize) -> Vec<usize> {
    let mut sampler = Sampler::new(Isa::best(), choice.clone(), 7, &[]);
    let mut counts = vec![0; logits.len()];
    for _ in 0..draws {
        counts[sampler.choose(logits) as usize] += 1;
    }
    counts
}

fn all() -> Choice {
    Choice {
        temperature: 1.0,
        top_p: 1.0,
        top_k: None,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        repetition_penalty: 1.0,
        bias: Vec::new(),
    }
}

fn greedy() -> Choice {
    Choice { temperature: 0.0, ..all() }
}

#[test]
fn without_temperature_the_likeliest_is_taken_and_the_first_among_equals() {
    assert_eq!(drawn(&greedy(), &[1.0, 3.0, 3.0, f32::NAN], 5), [0, 5, 0, 0]);
    let mut many: Vec<f32> = (0..40).map(|i| (i as f32).sin()).collect();
    many[3] = f32::NAN;
    many[37] = 2.0;
    assert_eq!(likeliest(&many), 37);
}

#[test]
fn tokens_come_as_often_as_they_are_likely() {
    let logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln(), f32::NEG_INFINITY];
    let counts = drawn(&all(), &logits, 10_000);
    // Three standard deviations of 10,000 draws are below 150.
    for (count, expected) in counts.iter().zip([5_000_usize, 3_000, 2_000, 0]) {
        assert!(count.abs_diff(expected) < 150, "{counts:?}");
    }
    let counts = drawn(&Choice { temperature: 0.5, ..all() }, &logits, 10_000);
    for (count, expected) in counts.iter().zip([6_579_usize, 2_368, 1_053, 0]) {
        assert!(count.abs_diff(expected) < 150, "{counts:?}");
    }
}

#[test]
fn the_nucleus_reaches_top_p_with_the_token_that_crosses_it() {
    let logits = [0.1_f32.ln(), 0.5_f32.ln(), 0.3_f32.ln(), 0.1_f32.ln()];
    let counts = drawn(&Choice { top_p: 0.6, ..all() }, &logits, 1_000);
    assert_eq!((counts[0], counts[3]), (0, 0));
    assert!(counts[1].abs_diff(625) < 50, "{counts:?}");
    let counts = drawn(&Choice { top_p: 0.4, ..all() }, &logits, 100);
    assert_eq!(counts, [0, 100, 0, 0]);
}

#[test]
fn only_the_top_k_are_drawn() {
    let counts = drawn(&Choice { top_k: Some(2), ..all() }, &[0.0, 1.0, 2.0, 1.0], 1_000);
    assert_eq!((counts[0], counts[3]), (0, 0));
    assert!(counts[1] > 0 && counts[2] > 0);
}

#[test]
fn the_same_seed_draws_the_same_tokens() {
    let logits: Vec<f32> = (0..50).map(|i| (i as f32).sin()).collect();
    assert_eq!(drawn(&all(), &logits, 100), drawn(&all(), &logits, 100));
}

#[test]
fn penalties_count_what_was_chosen_and_the_bias_is_added() {
    // Each choice costs 1, so that they take turns from the likeliest down.
    let logits = [0.5, 0.0, -10.0];
    let penalised = Choice { frequency_penalty: 1.0, ..greedy() };
    assert_eq!(drawn(&penalised, &logits, 4), [2, 2, 0]);
    // Once is all that it costs.
    let once = Choice { presence_penalty: 1.0, ..greedy() };
    assert_eq!(drawn(&once, &logits, 4), [3, 1, 0]);
    let biased = Choice { bias: vec![(2, 100.0), (7, 1.0)], ..greedy() };
    assert_eq!(drawn(&biased, &logits, 4), [0, 0, 4]);
}

#[test]
fn the_repetition_penalty_counts_the_prompt_too() {
    let repetition = Choice { repetition_penalty: 2.0, ..greedy() };
    let mut sampler = Sampler::new(Isa::best(), repetition, 0, &[0, 0, 2]);
    // 1.5 of the prompt's token becomes 0.75, and 1.0 is more; then that one is halved too.
    assert_eq!(sampler.choose(&[1.5, 1.0, -1.0]), 1);
    assert_eq!(sampler.choose(&[1.5, 1.0, -1.0]), 0);
    // A negative logit is doubled.
    assert_eq!(sampler.choose(&[-3.0, -2.5, -1.0]), 2);
}

#[test]
fn log_probabilities_sum_to_one() {
    for isa in Isa::available() {
        let logits = [1_000.0, 1_000.0, 990.0, -1_000.0, f32::NEG_INFINITY];
        let normaliser = normaliser(isa, &logits);
        let sum: f32 = logits.iter().map(|logit| (logit - normaliser).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        assert!((logits[0] - normaliser - 0.5_f32.ln()).abs() < 1e-4);
    }
}

#[test]
fn the_largest_come_in_order() {
    let logits = [1.0, 5.0, f32::NAN, 5.0, 2.0];
    assert_eq!(largest(&logits, 3), [(1, 5.0), (3, 5.0), (4, 2.0)]);
    assert_eq!(largest(&logits, 0), []);
    assert_eq!(largest(&logits, 9).len(), 4);
}
