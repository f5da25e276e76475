//! A `config.json` of any JSON is refused, or its shapes can be multiplied.
#![no_main]

use engine::ModelConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(json) = serde_json::from_slice(bytes) else { return };
    let Ok(config) = ModelConfig::from_json(&json) else { return };
    for (_, shape) in config.tensors().take(64) {
        assert!(shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n)).is_some());
    }
});
