//! LoRA adapters: which projections have a branch, with which weights, and the gradients by them.

mod peft;

use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::ModelConfig;
use crate::error::Error;
use crate::kernels::{Compute, Isa};
use crate::layers::dropout::{self, Dropout};
pub(crate) use crate::layers::projection::Pair;
use crate::layers::projection::{Branch, Factors};
use crate::model::Model;
use crate::parallel;
pub use peft::AdapterError;
pub(crate) use peft::{Tensors, read_tensors, write, write_tensors};

/// A linear layer of a block that can have a branch.
///
/// # Examples
///
/// ```
/// use engine::{LoraConfig, Projection};
///
/// let attention_only = LoraConfig { targets: vec![Projection::Query, Projection::Value], ..LoraConfig::default() };
/// let names: Vec<&str> = attention_only.targets.iter().map(|projection| projection.name()).collect();
/// assert_eq!(names, ["q_proj", "v_proj"]);
/// assert_eq!(LoraConfig::default().targets, Projection::ALL);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Projection {
    /// `q_proj`.
    Query,
    /// `k_proj`.
    Key,
    /// `v_proj`.
    Value,
    /// `o_proj`.
    Output,
    /// `gate_proj`.
    Gate,
    /// `up_proj`.
    Up,
    /// `down_proj`.
    Down,
}

impl Projection {
    /// All seven, in the order in which a block uses them.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// The name in Transformers and PEFT: `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// The module it is part of.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Query | Self::Key | Self::Value | Self::Output => "self_attn",
            Self::Gate | Self::Up | Self::Down => "mlp",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Numbers in a row of the input and of the output.
    pub(crate) fn shape(self, config: &ModelConfig) -> [usize; 2] {
        let (hidden, inner) = (config.hidden, config.intermediate);
        match self {
            Self::Query => [hidden, config.query_size()],
            Self::Key | Self::Value => [hidden, config.kv_size()],
            Self::Output => [config.query_size(), hidden],
            Self::Gate | Self::Up => [hidden, inner],
            Self::Down => [inner, hidden],
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The shape of an adapter and how it is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// `R`: 16 by default, which learns a format and a domain with 5 million numbers for 135 million frozen ones.
    pub rank: usize,
    /// The branch is multiplied by `alpha / rank`; 32 by default, twice the rank as is usual.
    pub alpha: f32,
    /// Whether it is multiplied by `alpha / sqrt(rank)` instead (rank-stabilised LoRA, arXiv:2312.03732), so that high
    /// ranks learn as fast as low ones; not by default.
    pub rank_stabilised: bool,
    /// The chance that a number of a branch's input is dropped in training; 0 by default.
    pub dropout: f32,
    /// The projections that have a branch; all seven by default.
    pub targets: Vec<Projection>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            rank_stabilised: false,
            dropout: 0.0,
            targets: Projection::ALL.to_vec(),
        }
    }
}

impl LoraConfig {
    /// What a branch is multiplied by.
    fn scale(&self) -> f32 {
        let rank = self.rank as f32;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }

    /// Itself, where an adapter can have this shape; targets in a block's order, each once.
    pub(crate) fn checked(&self) -> Result<Self, Error> {
        let fault = |option, value: f64, reason| Err(Error::Option { option, value, reason });
        if self.rank == 0 || self.rank > 1024 {
            return fault("rank", self.rank as f64, "not from 1 to 1024");
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return fault("alpha", f64::from(self.alpha), "not a positive number");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fault("dropout", f64::from(self.dropout), "not from 0 to below 1");
        }
        let mut targets = self.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() {
            return fault("targets", 0.0, "no projection has a branch");
        }
        Ok(Self { targets, ..*self })
    }
}

/// A LoRA adapter for one base model.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{Adapter, LoadOptions, LoraConfig, Model, Projection};
///
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
/// let targets = vec![Projection::Query, Projection::Value];
/// let lora = LoraConfig { rank: 4, targets, ..LoraConfig::default() };
/// let adapter = Adapter::new(&model, &lora, 42)?;
/// assert_eq!(adapter.config().rank, 4);
/// // In each of two layers `rank (inputs + outputs)` numbers for q (64 to 64) and for v (64 to 32).
/// assert_eq!(adapter.parameter_count(), 2 * 4 * ((64 + 64) + (64 + 32)));
///
/// let folder = tempfile::tempdir()?;
/// adapter.with_base_model("HuggingFaceTB/SmolLM2-135M-Instruct").save(folder.path())?;
/// let read = Adapter::load_for(folder.path(), model.config())?; // without the model in memory
/// assert_eq!(read.config(), &lora);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Adapter {
    config: LoraConfig,
    /// The base model's name, as it is written into the adapter's files.
    base_model: String,
    /// Layer by layer, seven each.
    sites: Vec<Option<Factors>>,
}

impl Adapter {
    /// An untrained adapter, which changes nothing: A random, B zero, as PEFT begins.
    ///
    /// # Errors
    /// [`Error::Option`] where `config` cannot be an adapter's shape.
    pub fn new(model: &Model, config: &LoraConfig, seed: u64) -> Result<Self, Error> {
        let config = config.checked()?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let rank = config.rank;
        let sites = sites(model.config())
            .map(|(_, projection)| {
                config.targets.contains(&projection).then(|| {
                    let [inputs, outputs] = projection.shape(model.config());
                    // Kaiming uniform with a = sqrt(5), as PEFT's `reset_lora_parameters`.
                    let bound = 1.0 / (inputs as f32).sqrt();
                    let a =
                        (0..rank * inputs).map(|_| random.random_range(-bound..bound)).collect();
                    let b = vec![0.0; rank * outputs];
                    Factors::new(model.isa(), model.compute(), rank, [a, b])
                })
            })
            .collect();
        Ok(Self { config, base_model: model.name().to_owned(), sites })
    }

    /// Its shape.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// How many numbers are trained.
    pub fn parameter_count(&self) -> usize {
        self.factors().map(|factors| factors.a.len() + factors.b.len()).sum()
    }

    /// The branch beside a projection; masked by `dropout`'s key in training.
    pub(crate) fn branch(
        &self,
        layer: usize,
        projection: Projection,
        dropout: Option<u64>,
    ) -> Option<Branch<'_>> {
        let index = layer * Projection::ALL.len() + projection.index();
        let dropout = dropout
            .filter(|_| self.config.dropout > 0.0)
            .map(|key| Dropout::new(dropout::key(&[key, index as u64]), self.config.dropout));
        let scale = self.config.scale();
        let factors = self.sites.get(index)?.as_ref()?;
        Some(Branch { factors, scale, dropout })
    }

    /// All branches' weights, in a fixed order.
    pub(crate) fn factors(&self) -> impl Iterator<Item = &Factors> {
        self.sites.iter().flatten()
    }

    /// All branches' weights, to be changed and then packed again.
    pub(crate) fn factors_mut(&mut self) -> impl Iterator<Item = &mut Factors> {
        self.sites.iter_mut().flatten()
    }
}

/// Every place where a model can have a branch.
pub(crate) fn sites(config: &ModelConfig) -> impl Iterator<Item = (usize, Projection)> + use<> {
    (0..config.layers).flat_map(|layer| Projection::ALL.map(|projection| (layer, projection)))
}

/// The name of a projection's layer in Transformers: `model.layers.0.self_attn.q_proj`.
pub(crate) fn layer_name(layer: usize, projection: Projection) -> String {
    format!("model.layers.{layer}.{}.{projection}", projection.module())
}

/// The place that [`layer_name`] names.
pub(crate) fn place_of(name: &str) -> Option<(usize, Projection)> {
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (module, name) = rest.split_once('.')?;
    let fits = |part: &Projection| part.module() == module && part.name() == name;
    Some((layer.parse().ok()?, Projection::ALL.into_iter().find(fits)?))
}

/// The gradients by an adapter's weights, or anything else of that shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gradients {
    sites: Vec<Option<Pair>>,
}

impl Gradients {
    /// Zeros in the shape of `adapter`.
    pub(crate) fn zeros(adapter: &Adapter) -> Self {
        let zero = |factors: &Factors| Pair {
            a: vec![0.0; factors.a.len()],
            b: vec![0.0; factors.b.len()],
        };
        Self { sites: adapter.sites.iter().map(|site| site.as_ref().map(zero)).collect() }
    }

    /// Back to zeros.
    pub(crate) fn clear(&mut self) {
        parallel::each_of(self.pairs_mut().collect(), |pair: &mut Pair| {
            pair.a.fill(0.0);
            pair.b.fill(0.0);
        });
    }

    /// One block's.
    pub(crate) fn layer(&mut self, layer: usize) -> [&mut Option<Pair>; 7] {
        let first = layer * Projection::ALL.len();
        let mut sites = self.sites[first..first + Projection::ALL.len()].iter_mut();
        std::array::from_fn(|_| sites.next().expect("a block has as many sites as projections"))
    }

    /// All branches', in a fixed order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.sites.iter().flatten()
    }

    /// All branches', in a fixed order.
    pub(crate) fn pairs_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.sites.iter_mut().flatten()
    }
}

/// `[rows, columns]` to `[columns, rows]`: B between the files' order and the engine's.
pub(crate) fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    (0..matrix.len()).map(|i| matrix[i % rows * columns + i / rows]).collect()
}

/// Packs factors out of B as the files hold it, `[out, R]`.
fn factors_of_file((isa, compute): (Isa, Compute), rank: usize, a: Vec<f32>, b: &[f32]) -> Factors {
    Factors::new(isa, compute, rank, [a, transpose(b, rank)])
}
