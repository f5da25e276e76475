//! Records that were held out of the training.

mod record;
mod compliance;
mod measured;

pub use self::compliance::Compliance;
pub use self::measured::{measured, with_tokens};
pub use self::record::{Holdout, HoldoutError, read_holdout};
