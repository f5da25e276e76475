//! A safetensors file of any bytes is refused, or its tensors fill it without gap or overlap.
#![no_main]

use engine::safetensors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(places) = safetensors::parse(bytes) else { return };
    let mut ranges: Vec<_> = places.into_values().map(|place| place.range).collect();
    ranges.sort_by_key(|range| range.start);
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
    assert!(ranges.last().is_none_or(|range| range.end == bytes.len()));
});
