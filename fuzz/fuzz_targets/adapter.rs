//! An adapter's folder of any bytes is refused, or it is an adapter of finite numbers for the model.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use engine::{Adapter, Weights};
use libfuzzer_sys::fuzz_target;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const FILES: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];

// The first byte says which of the two files the others are; the other file is the golden one.
fuzz_target!(|bytes: &[u8]| {
    static SHARED: OnceLock<(tempfile::TempDir, Weights)> = OnceLock::new();
    let (folder, weights) = SHARED.get_or_init(|| {
        let weights = Weights::open(&Path::new(GOLDEN).join("tiny-llama")).expect("the golden model");
        (tempfile::tempdir().expect("a place to write"), weights)
    });
    let Some((which, bytes)) = bytes.split_first() else { return };
    for (index, name) in FILES.into_iter().enumerate() {
        let path = folder.path().join(name);
        if index == usize::from(which % 2) {
            fs::write(path, bytes).expect("room to write");
        } else {
            let golden = Path::new(GOLDEN).join("tiny-training/adapter").join(name);
            fs::copy(golden, path).expect("room to write");
        }
    }
    let Ok(adapter) = Adapter::load_for(folder.path(), weights.config()) else { return };
    let again = folder.path().join("again");
    adapter.save(&again).expect("room to write");
    let again = Adapter::load_for(&again, weights.config()).expect("what was written is read");
    assert_eq!(again.parameter_count(), adapter.parameter_count());
});
