//! Text to token counts, limits and prices.
//!
//! A count is what `tiktoken-rs` says it is: [`Encoding`] names the vocabulary of a model and counts with it, and
//! [`Counter`] is the same for a thread that counts much. [`ChatConstants`] adds what a chat costs beyond its text,
//! [`PriceTable`] says what tokens cost and which limits apply, and [`default_epochs`] is the published epochs rule.
//!
//! # Examples
//!
//! ```
//! use tokens::{Encoding, PriceTable, count_chat};
//!
//! let model = "ft:gpt-4.1-mini-2025-04-14:clinic::abc";
//! let encoding = Encoding::for_model(model)?;
//! let chat = [("system", "You are a doctor."), ("user", "Why the fever?"), ("assistant", "An infection.")];
//! let tokens = count_chat(&encoding, chat);
//! assert_eq!((encoding.name(), tokens.total), ("o200k_base", 27));
//!
//! let prices = PriceTable::bundled();
//! let row = prices.model(model).expect("the table holds this model");
//! assert_eq!(row.training_cost(2_000_000, 3).map(|cost| cost.to_string()), Some("$30.00".to_owned()));
//! # Ok::<(), tokens::Error>(())
//! ```

mod error;
mod model;
mod encoding;
mod layout;
mod class;
mod split;
mod vocabulary;
mod merge;
mod cache;
mod counter;
mod piece_counts;
mod chat;
mod day;
mod price;
mod epochs;

pub use chat::{ChatConstants, ChatTokens, Message, count_chat};
pub use counter::Counter;
pub use day::Day;
pub use encoding::{Count, Encoding};
pub use epochs::default_epochs;
pub use error::Error;
pub use model::base_model;
pub use piece_counts::PieceCounts;
pub use price::{ModelRow, PriceTable, Usd};
