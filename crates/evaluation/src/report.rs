//! The same numbers as JSON, as one HTML page, as a model card, and as text.

mod model;
mod format;
mod charts;
mod page;
mod card;
mod text;

pub use self::card::model_card;
pub use self::model::{
    Agreement, ComparisonReport, Data, JudgeInfo, ModelInfo, Report, ReportError, agreements,
    asked_differently, preference_agreement,
};
pub use self::page::{comparison_page, page};
pub use self::text::{comparison_text, text};
