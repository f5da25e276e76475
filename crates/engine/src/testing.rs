//! What tests of several modules need.

use std::fs;
use std::path::{Path, PathBuf};

/// The tiny models of the families beside Llama's first: `tests/golden/make_tiny_families.py`.
pub(crate) const FAMILIES: [&str; 3] = ["tiny-qwen2", "tiny-qwen3", "tiny-llama3"];

/// A golden file or folder.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

/// One of [`FAMILIES`] as a folder that can be loaded: with the tokenizer of `tiny-llama` beside it.
pub(crate) fn family(name: &str) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let tokenizer = ["tokenizer.json", "tokenizer_config.json"];
    let tokenizer = tokenizer.map(|file| golden("tiny-llama").join(file));
    let model = fs::read_dir(golden(name))?.map(|entry| Ok(entry?.path()));
    for path in model.collect::<std::io::Result<Vec<_>>>()?.into_iter().chain(tokenizer) {
        fs::copy(&path, folder.path().join(path.file_name().unwrap_or_default()))?;
    }
    Ok(folder)
}

/// The folder of models in the per-user cache, where the tools keep them.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration but the environment")]
pub(crate) fn models_dir() -> PathBuf {
    let set =
        |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = set("MEDTUNE_CACHE_DIR").or_else(|| Some(cache?.join("medtune")));
    cache.expect("MEDTUNE_CACHE_DIR, XDG_CACHE_HOME or HOME is set").join("models")
}

/// The base model in the per-user cache, for tests that need it. `.ci/run` fetches it there first.
pub(crate) fn base_model() -> PathBuf {
    models_dir().join("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")
}
