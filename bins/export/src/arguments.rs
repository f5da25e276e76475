//! The command line, as typed.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use engine::TensorType;

/// Write a fine-tuned model for other programs: PEFT and vLLM, Transformers, llama.cpp.
///
/// The model is one that was trained on this machine, by default the one that run-finetuning saved, or any adapter folder
/// in PEFT's format. A server may go on using the data meanwhile.
#[derive(Debug, Parser)]
#[command(name = "export-model", version, after_help = AFTER)]
pub(crate) struct Arguments {
    /// The id of a tuned model [default: the one that run-finetuning saved].
    #[arg(conflicts_with = "adapter")]
    pub(crate) model: Option<String>,
    /// What to write.
    #[arg(long, value_enum)]
    pub(crate) format: Format,
    /// The file (gguf, gguf-lora) or folder (peft, safetensors) to write.
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: PathBuf,
    /// How weights are stored [default: f32 for gguf-lora, bf16 for safetensors, f16 for gguf].
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub(crate) kind: Option<Kind>,
    /// Replace what is at the output.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// An adapter folder in PEFT's format instead of a tuned model.
    #[arg(long, value_name = "DIR", requires = "base_model")]
    pub(crate) adapter: Option<PathBuf>,
    /// The base model on this machine, a name or a path [default: that of the training].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) base_model: Option<String>,
    /// What a PEFT folder names as its base [default: the hub's name of a known model, else the base model as given].
    #[arg(long, value_name = "NAME")]
    pub(crate) base_name: Option<String>,
    /// What run-finetuning saved.
    #[arg(long, value_name = "FILE", default_value = inference::SavedModel::FILE)]
    pub(crate) model_file: PathBuf,
    /// The embedded server's data [default: that of the training, `MEDTUNE_DATA_DIR` or .medtune/server].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print one JSON object instead of the path.
    #[arg(long)]
    pub(crate) json: bool,
    /// Log more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

const AFTER: &str = "\
Examples:
  export-model --format peft --output adapter
  export-model --format gguf --type q8_0 --output model.gguf

peft         adapter_config.json and adapter_model.safetensors: PEFT, vLLM's --lora-modules
safetensors  the merged model as a folder: Transformers, vLLM
gguf-lora    the adapter as a GGUF file: llama.cpp's --lora
gguf         the merged model as a GGUF file: llama.cpp

Exit codes: 0 done, 1 failed, 2 usage, 3 no such model or a bad one, 4 the base model cannot be fetched.";

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The adapter in PEFT's format.
    Peft,
    /// The merged model for Transformers.
    Safetensors,
    /// The adapter for llama.cpp.
    GgufLora,
    /// The merged model for llama.cpp.
    Gguf,
}

impl Format {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Peft => "peft",
            Self::Safetensors => "safetensors",
            Self::GgufLora => "gguf-lora",
            Self::Gguf => "gguf",
        }
    }

    /// Whether it is a folder of files.
    pub(crate) fn is_folder(self) -> bool {
        matches!(self, Self::Peft | Self::Safetensors)
    }
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// 32-bit floats.
    F32,
    /// IEEE 16-bit floats.
    F16,
    /// The upper half of 32-bit floats.
    Bf16,
    /// Blocks of 32 with a scale and 8 bits each.
    #[value(name = "q8_0")]
    Q8_0,
}

impl Kind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// The engine's type.
    pub(crate) fn tensor_type(self) -> TensorType {
        match self {
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Bf16 => TensorType::Bf16,
            Self::Q8_0 => TensorType::Q8_0,
        }
    }
}
