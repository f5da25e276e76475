//! A base model in memory: frozen, packed, ready for any number of adapters.

use std::path::Path;

use crate::config::{ModelConfig, ROPE_FACTORS, RopeScaling};
use crate::error::Error;
use crate::kernels::{Compute, Isa};
use crate::layers::block::{Block, Pass};
use crate::layers::embedding::Embedding;
use crate::layers::head;
use crate::layers::linear::Linear;
use crate::layers::rms_norm::RmsNorm;
use crate::layers::rope::{Rope, Turn};
use crate::layers::split::Split;
use crate::lora::{Adapter, Projection};
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;
use crate::weights::Weights;

/// How a model is loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The name written into adapters as that of their base; none takes the file's or folder's name.
    pub name: Option<String>,
    /// The instruction set; none takes the fastest that the processor has.
    pub isa: Option<Isa>,
    /// The type of the frozen weights and their products; f32 by default.
    pub compute: Compute,
    /// Whether quantised weights of the blocks stay so in memory and are unpacked for each product; not by default.
    ///
    /// It takes the least memory that training can do with, some of its speed, and much of that of answering.
    pub keep_quantised: bool,
}

/// A frozen base model with its tokenizer and chat template.
///
/// Share it by `Arc`: it does not change, whatever trains on it or answers from it.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{ChatMessage, Compute, Isa, LoadOptions, Model};
///
/// let options = LoadOptions { name: Some("tiny".to_owned()), ..LoadOptions::default() };
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &options)?;
/// assert_eq!((model.name(), model.config().layers), ("tiny", 2));
/// assert_eq!((model.compute(), model.isa().name()), (Compute::F32, Isa::best().name()));
/// assert!(model.size_bytes() > 4 * 384 * 64, "more than the embedding in f32");
///
/// let asked = [ChatMessage::new("user", "Is it a cold?")];
/// let text = model.chat_template().render(&asked, true)?;
/// assert_eq!(model.conversation(&asked, true)?, model.tokenizer().encode_with_special(&text));
/// assert_eq!(model.conversation(&asked, true)?, model.prompt(&asked)?);
/// let prompt = model.prompt(&asked)?;
/// assert_eq!(model.logits(None, &prompt)?.len(), prompt.len() * model.config().vocab);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Model {
    name: String,
    isa: Isa,
    compute: Compute,
    config: ModelConfig,
    tokenizer: Tokenizer,
    chat_template: ChatTemplate,
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    head: Linear,
    rope: Rope,
}

impl Model {
    /// Loads a `.gguf` file, a `.safetensors` file with its JSON files beside it, or a folder of those.
    ///
    /// # Errors
    /// Those of [`Weights::open`], [`Tokenizer::of`] and [`ChatTemplate::of`].
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, Error> {
        let weights = Weights::open(path)?;
        let tokenizer = Tokenizer::of(&weights)?;
        let chat_template = ChatTemplate::of(&weights, &tokenizer)?;
        let config = weights.config().clone();
        let isa = options.isa.unwrap_or_else(Isa::best);
        let compute = options.compute;
        let linear = |weight: &[f32]| Linear::new(isa, compute, weight, config.hidden).both_ways();
        let blocks = (0..config.layers)
            .map(|layer| block(&weights, isa, options, layer))
            .collect::<Result<_, Error>>()?;
        let table = weights.tensor("model.embed_tokens.weight")?;
        let (embedding, head) = if config.tied_head {
            let blocks = weights.blocks(isa, "model.embed_tokens.weight")?;
            (Embedding::Tied, linear(&table).with_blocks(blocks))
        } else {
            let head = linear(&weights.tensor("lm_head.weight")?);
            (Embedding::Own(table), head.with_blocks(weights.blocks(isa, "lm_head.weight")?))
        };
        let file_name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            name: options.name.clone().unwrap_or_else(file_name),
            isa,
            compute,
            norm: RmsNorm::new(weights.tensor("model.norm.weight")?, config.rms_eps),
            rope: rope(&weights, isa)?,
            config,
            tokenizer,
            chat_template,
            embedding,
            blocks,
            head,
        })
    }

    /// The name that adapters give as their base.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instruction set that runs it.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The type of the frozen weights and their products.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// The shapes and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template.
    pub fn chat_template(&self) -> &ChatTemplate {
        &self.chat_template
    }

    /// Bytes of weights in memory; grows by the head's size when training begins.
    pub fn size_bytes(&self) -> usize {
        let linears = self.blocks.iter().flat_map(|block| &block.projections);
        let table = match &self.embedding {
            Embedding::Own(table) => size_of_val(&table[..]),
            Embedding::Tied => 0,
        };
        linears.chain([&self.head]).map(Linear::size_bytes).sum::<usize>() + table
    }

    /// Bytes that a training on sequences of `tokens` holds beside what it keeps for backwards, the weights included.
    pub(crate) fn training_bytes(&self, tokens: usize) -> usize {
        let ModelConfig { hidden, intermediate, vocab, .. } = self.config;
        let (queries, keys) = (self.config.query_size(), self.config.kv_size());
        // The residual, its gradient and what is normed; what attention has of queries and packs of both, with those that
        // sequences share; of the MLP three activations, and with dropout as many again.
        let scratch = (6 * hidden + 10 * queries + 5 * keys + 6 * intermediate) * tokens;
        let logits = 2 * head::BLOCK * vocab;
        let room = 3 * hidden * intermediate;
        // The head's copy for the backward may be still to come.
        self.size_bytes() + self.head.size_bytes() + size_of::<f32>() * (scratch + logits + room)
    }

    /// What the blocks need in a pass over a sequence.
    pub(crate) fn pass<'a>(
        &'a self,
        adapter: Option<&'a Adapter>,
        dropout: Option<u64>,
    ) -> Pass<'a> {
        let (isa, compute) = (self.isa, self.compute);
        let (config, rope) = (&self.config, &self.rope);
        let (prefix, later) = (None, None);
        Pass { isa, compute, config, rope, adapter, dropout, lengths: &[], prefix, later }
    }

    /// The residual that the first block reads, `[T, C]`.
    pub(crate) fn embed(&self, tokens: &[u32], out: &mut [f32]) {
        self.embedding.forward(&self.head, tokens, out);
    }

    /// The blocks, first to last.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The normalisation before the head.
    pub(crate) fn norm(&self) -> &RmsNorm {
        &self.norm
    }

    /// The head.
    pub(crate) fn head(&self) -> &Linear {
        &self.head
    }
}

fn rope(weights: &Weights, isa: Isa) -> Result<Rope, Error> {
    let config = weights.config();
    let stretched = config.rope_scaling == RopeScaling::Factors;
    let factors = stretched.then(|| weights.tensor(ROPE_FACTORS)).transpose()?;
    let frequencies = config.rope_frequencies(factors.as_deref());
    Ok(Rope::new(isa, config.max_positions, frequencies))
}

fn block(weights: &Weights, isa: Isa, options: &LoadOptions, layer: usize) -> Result<Block, Error> {
    let config = weights.config();
    let norm = |name: &str| {
        let weight = weights.tensor(&format!("model.layers.{layer}.{name}.weight"))?;
        Ok::<_, Error>(RmsNorm::new(weight, config.rms_eps))
    };
    let linear = |projection: Projection| {
        let module = projection.module();
        let name = format!("model.layers.{layer}.{module}.{projection}.weight");
        let [inputs, _] = projection.shape(config);
        let stored = if options.keep_quantised { weights.stored(&name)? } else { None };
        let linear = match stored {
            Some(stored) => Linear::stored(isa, options.compute, stored, inputs),
            None => Linear::new(isa, options.compute, &weights.tensor(&name)?, inputs),
        };
        Ok::<_, Error>(linear.with_blocks(weights.blocks(isa, &name)?))
    };
    let split = |name: &str, turn: Turn| {
        let bias = format!("model.layers.{layer}.self_attn.{name}_proj.bias");
        let bias = config.qkv_bias.then(|| weights.tensor(&bias)).transpose()?;
        // Values are neither turned nor normalised.
        let normed = config.qk_norm && turn == Turn::ByPosition;
        let norm = normed.then(|| norm(&format!("self_attn.{name}_norm"))).transpose()?;
        Ok::<_, Error>(Split { bias, norm, turn })
    };
    let [q, k, v, o, gate, up, down] = Projection::ALL.map(linear);
    Ok(Block {
        layer,
        attention_norm: norm("input_layernorm")?,
        mlp_norm: norm("post_attention_layernorm")?,
        projections: [q?, k?, v?, o?, gate?, up?, down?],
        splits: [
            split("q", Turn::ByPosition)?,
            split("k", Turn::ByPosition)?,
            split("v", Turn::Not)?,
        ],
    })
}
