//! What tokens cost and which limits apply, as a dated table that the user can replace.

use std::fmt;

use serde::Deserialize;

use crate::{Day, Error, base_model};

/// The table that comes with this crate.
const BUNDLED: &str = include_str!("../data/prices.toml");
/// The version of the table's format.
const VERSION: u32 = 1;

/// Prices, limits and shutdown dates of models, as known on one day.
///
/// # Examples
///
/// ```
/// let prices = tokens::PriceTable::bundled();
/// let row = prices.model("gpt-4.1-mini").expect("the table holds this model");
/// assert_eq!(row.max_training_tokens, Some(65_536));
/// assert!(row.is_shut_down("2027-01-14".parse()?));
/// # Ok::<(), tokens::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    version: u32,
    /// The day on which the table was true.
    pub as_of: Day,
    /// From this day nobody can start training with `OpenAI`.
    pub training_ends: Option<Day>,
    /// One row for a model.
    #[serde(rename = "model", default)]
    pub models: Vec<ModelRow>,
}

/// What is known of one model; prices are in US dollars for a million tokens.
///
/// # Examples
///
/// ```
/// use tokens::{Day, PriceTable};
///
/// let prices = PriceTable::bundled();
/// let row = prices.model("gpt-4.1-mini").expect("the table holds this model");
/// assert_eq!(row.id, "gpt-4.1-mini-2025-04-14");
/// // An example is trained and charged up to the limit.
/// assert_eq!(row.billable_tokens(70_000), 65_536);
/// assert_eq!(row.training_cost(1_000_000, 3).map(|cost| cost.to_string()).as_deref(), Some("$15.00"));
/// assert_eq!(row.inference_cost(1_000_000, 500_000).map(|cost| cost.to_string()).as_deref(), Some("$2.40"));
/// let day: Day = "2026-11-26".parse()?;
/// assert!(!row.is_shut_down(day));
/// # Ok::<(), tokens::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRow {
    /// The model's dated name.
    pub id: String,
    /// Other names of the same model.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Price of training, for each token of the file and each epoch.
    pub training_usd_per_million: Option<f64>,
    /// Price of what the tuned model reads.
    pub input_usd_per_million: Option<f64>,
    /// Price of what the tuned model reads again.
    pub cached_input_usd_per_million: Option<f64>,
    /// Price of what the tuned model writes.
    pub output_usd_per_million: Option<f64>,
    /// Price of what the tuned model reads in a batch.
    pub batch_input_usd_per_million: Option<f64>,
    /// Price of what the tuned model writes in a batch.
    pub batch_output_usd_per_million: Option<f64>,
    /// Longer training examples are cut at the end.
    pub max_training_tokens: Option<usize>,
    /// What the tuned model reads and writes at most.
    pub context_tokens: Option<usize>,
    /// From this day the model and what was tuned from it no longer answer.
    pub shutdown_date: Option<Day>,
    /// Whether the service trained the model on the table's day.
    pub fine_tunable: bool,
    /// Where the row is from.
    pub source: String,
}

/// An amount of US dollars.
///
/// # Examples
///
/// ```
/// use tokens::Usd;
///
/// assert_eq!(Usd(30.0).to_string(), "$30.00");
/// assert_eq!(Usd(0.0012).to_string(), "$0.0012");
/// assert!(Usd(0.5) < Usd(30.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Usd(pub f64);

impl PriceTable {
    /// The table that comes with this crate.
    ///
    /// # Panics
    ///
    /// Never: a test reads the bundled table.
    pub fn bundled() -> Self {
        Self::from_toml(BUNDLED).expect("the bundled table is read by a test")
    }

    /// Reads a table from the text of a TOML file.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokens::{Error, PriceTable};
    ///
    /// let toml = r#"
    /// version = 1
    /// as_of = "2026-11-22"
    ///
    /// [[model]]
    /// id = "hospital-7b"
    /// training_usd_per_million = 0.5
    /// fine_tunable = true
    /// source = "our own price list"
    /// "#;
    /// let prices = PriceTable::from_toml(toml)?;
    /// let cost = prices.model("hospital-7b").and_then(|row| row.training_cost(4_000_000, 2));
    /// assert_eq!(cost.map(|cost| cost.0), Some(4.0));
    /// let wrong = PriceTable::from_toml(&toml.replace("0.5", "-0.5"));
    /// assert!(matches!(wrong, Err(Error::PriceRow { field: "training_usd_per_million", .. })));
    /// # Ok::<(), tokens::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PriceTable`] when the text is not such a table, [`Error::PriceTableVersion`] when it is a later one,
    /// and [`Error::PriceRow`] when a row contradicts itself or another row.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let table: Self = toml::from_str(text).map_err(|error| Error::PriceTable {
            message: error.to_string().trim_end().to_owned(),
        })?;
        if table.version != VERSION {
            return Err(Error::PriceTableVersion { found: table.version, expected: VERSION });
        }
        table.models.iter().try_for_each(ModelRow::check)?;
        for (index, row) in table.models.iter().enumerate() {
            let taken =
                |name: &str| table.models[..index].iter().any(|earlier| earlier.is_named(name));
            if row.names().any(taken) {
                return Err(row.error("id", "is the name of an earlier row"));
            }
        }
        Ok(table)
    }

    /// The row of `model`, which may be a fine-tuned model's id.
    pub fn model(&self, model: &str) -> Option<&ModelRow> {
        let base = base_model(model);
        self.models.iter().find(|row| row.is_named(base))
    }
}

impl ModelRow {
    /// What it costs to train on a file of `tokens` for `epochs`, where a price is known.
    ///
    /// Tokens of validation files are not charged.
    pub fn training_cost(&self, tokens: u64, epochs: u32) -> Option<Usd> {
        self.training_usd_per_million.map(|price| Usd(cost(tokens, price).0 * f64::from(epochs)))
    }

    /// What it costs to ask the tuned model: `input` tokens read and `output` tokens written.
    pub fn inference_cost(&self, input: u64, output: u64) -> Option<Usd> {
        let read = cost(input, self.input_usd_per_million?);
        let written = cost(output, self.output_usd_per_million?);
        Some(Usd(read.0 + written.0))
    }

    /// The tokens of an example that are trained and charged: what is beyond the limit is cut.
    pub fn billable_tokens(&self, example_tokens: usize) -> usize {
        self.max_training_tokens.map_or(example_tokens, |limit| example_tokens.min(limit))
    }

    /// Whether the model no longer answers on `day`.
    pub fn is_shut_down(&self, day: Day) -> bool {
        self.shutdown_date.is_some_and(|shutdown| shutdown <= day)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    fn is_named(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    fn check(&self) -> Result<(), Error> {
        let prices = [
            ("training_usd_per_million", self.training_usd_per_million),
            ("input_usd_per_million", self.input_usd_per_million),
            ("cached_input_usd_per_million", self.cached_input_usd_per_million),
            ("output_usd_per_million", self.output_usd_per_million),
            ("batch_input_usd_per_million", self.batch_input_usd_per_million),
            ("batch_output_usd_per_million", self.batch_output_usd_per_million),
        ];
        let impossible =
            |price: Option<f64>| price.is_some_and(|price| !price.is_finite() || price < 0.0);
        if let Some(&(field, _)) = prices.iter().find(|(_, price)| impossible(*price)) {
            return Err(self.error(field, "is not a price"));
        }
        if self.max_training_tokens == Some(0) {
            return Err(self.error("max_training_tokens", "is zero"));
        }
        if self.names().any(str::is_empty) {
            return Err(self.error("id", "is empty"));
        }
        Ok(())
    }

    fn error(&self, field: &'static str, problem: &'static str) -> Error {
        Error::PriceRow { model: self.id.clone(), field, problem }
    }
}

fn cost(tokens: u64, usd_per_million: f64) -> Usd {
    Usd(tokens as f64 * usd_per_million / 1e6)
}

impl fmt::Display for Usd {
    /// Cents, and four places where cents would show next to nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.0 > 0.0 && self.0 < 0.1 { 4 } else { 2 };
        write!(f, "${:.places$}", self.0)
    }
}

#[cfg(test)]
mod tests;
