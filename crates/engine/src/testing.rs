//! What tests of several modules need.

use std::path::PathBuf;

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
