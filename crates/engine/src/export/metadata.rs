//! The metadata of a GGUF file to be written.

use std::collections::BTreeMap;

use super::{Export, vocabulary};
use crate::config::{ModelConfig, RopeScaling};
use crate::error::Error;
use crate::gguf::kinds;
use crate::weights::Origin;

/// Metadata by their keys, each as its type and value in the file.
#[derive(Debug, Default)]
pub(super) struct Metadata(BTreeMap<String, Vec<u8>>);

impl Metadata {
    /// Those of the model: as they are where it comes from a GGUF file, else made from its folder.
    pub(super) fn of_model(export: &Export<'_>) -> Result<Self, Error> {
        let mut metadata = Self::default();
        if let Origin::Gguf(gguf) = export.weights.origin() {
            // The alignment is this writer's own, and the parts of a split file are one now.
            let kept = export
                .weights
                .encoded_metadata(gguf)
                .filter(|(key, _)| *key != "general.alignment" && !key.starts_with("split."));
            metadata.0.extend(kept.map(|(key, bytes)| (key.clone(), bytes.to_vec())));
            return Ok(metadata);
        }
        metadata.text("general.type", "model");
        metadata.architecture(export.config());
        vocabulary::describe(export, &mut metadata)?;
        Ok(metadata)
    }

    /// Those of an adapter.
    pub(super) fn of_adapter(export: &Export<'_>, alpha: f32) -> Self {
        let mut metadata = Self::default();
        metadata.text("general.type", "adapter");
        metadata.text("general.architecture", export.config().architecture.name());
        metadata.text("general.name", export.name);
        metadata.text("adapter.type", "lora");
        metadata.f32("adapter.lora.alpha", alpha);
        metadata
    }

    /// Shapes and constants, as llama.cpp's converter writes them.
    fn architecture(&mut self, config: &ModelConfig) {
        let name = config.architecture.name();
        self.text("general.architecture", name);
        let sizes = [
            ("block_count", config.layers),
            ("context_length", config.max_positions),
            ("embedding_length", config.hidden),
            ("feed_forward_length", config.intermediate),
            ("attention.head_count", config.heads),
            ("attention.head_count_kv", config.kv_heads),
            ("attention.key_length", config.head_dim),
            ("attention.value_length", config.head_dim),
            ("rope.dimension_count", config.head_dim),
            ("vocab_size", config.vocab),
        ];
        for (key, size) in sizes {
            // Every size is below 2^28.
            self.u32(&format!("{name}.{key}"), u32::try_from(size).unwrap_or(u32::MAX));
        }
        self.f32(&format!("{name}.rope.freq_base"), config.rope_theta);
        self.f32(&format!("{name}.attention.layer_norm_rms_epsilon"), config.rms_eps);
        if let RopeScaling::Linear { factor } = config.rope_scaling {
            self.text(&format!("{name}.rope.scaling.type"), "linear");
            self.f32(&format!("{name}.rope.scaling.factor"), factor);
        }
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        let mut value = Vec::new();
        put_text(&mut value, text);
        self.put(key, kinds::STRING, &value);
    }

    pub(super) fn u32(&mut self, key: &str, number: u32) {
        self.put(key, kinds::UINT32, &number.to_le_bytes());
    }

    pub(super) fn f32(&mut self, key: &str, number: f32) {
        self.put(key, kinds::FLOAT32, &number.to_le_bytes());
    }

    pub(super) fn flag(&mut self, key: &str, flag: bool) {
        self.put(key, kinds::BOOL, &[u8::from(flag)]);
    }

    pub(super) fn texts<'a>(&mut self, key: &str, texts: impl ExactSizeIterator<Item = &'a str>) {
        let mut value = array(kinds::STRING, texts.len());
        for text in texts {
            put_text(&mut value, text);
        }
        self.put(key, kinds::ARRAY, &value);
    }

    pub(super) fn i32s(&mut self, key: &str, numbers: &[i32]) {
        let mut value = array(kinds::INT32, numbers.len());
        value.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self.put(key, kinds::ARRAY, &value);
    }

    fn put(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.0.insert(key.to_owned(), [&kind.to_le_bytes(), value].concat());
    }

    /// The number of entries and the entries.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.0.len() as u64).to_le_bytes());
        for (key, value) in &self.0 {
            put_text(out, key);
            out.extend(value);
        }
    }
}

fn array(kind: u32, length: usize) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(length as u64).to_le_bytes()].concat()
}

/// A text behind its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
