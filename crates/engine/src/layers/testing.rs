//! What the layers' tests share: numbers to try, a numeric derivative, a distance.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `count` numbers from -1 to 1, always the same for one seed.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// The same numbers in f64.
pub(crate) fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

/// The gradient of `f` at `x` by central differences.
pub(crate) fn numeric_gradient(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut moved = x.to_vec();
    (0..x.len())
        .map(|i| {
            let mut at = |x: f64| {
                moved[i] = x;
                f(&moved)
            };
            let slope = (at(x[i] + STEP) - at(x[i] - STEP)) / (2.0 * STEP);
            moved[i] = x[i];
            slope
        })
        .collect()
}

/// `sum(a b)`: a scalar out of a layer's output, whose gradient by that output is the other factor.
pub(crate) fn sum_of_products(a: &[f64], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

/// Fails unless `found` is within a relative L2 distance of 2e-6 (a few roundings of f32) of `expected`.
#[track_caller]
pub(crate) fn assert_near(found: &[f32], expected: &[f64]) {
    assert_within(found, expected, 2e-6);
}

/// Fails unless `found` is within a relative L2 distance of `limit` of `expected`.
#[track_caller]
pub(crate) fn assert_within(found: &[f32], expected: &[f64], limit: f64) {
    assert_eq!(found.len(), expected.len());
    let error: f64 = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let size: f64 = expected.iter().map(|b| b * b).sum();
    // Where nothing is expected, nothing may be found.
    let far = if size > 0.0 { (error / size).sqrt() } else { error };
    assert!(far < limit, "relative distance {far:e}");
}
