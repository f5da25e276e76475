//! The same numbers as JSON, as one HTML page, as a model card, and as text.
//!
//! # Examples
//!
//! ```
//! use evaluation::report::{ComparisonReport, Report};
//! use evaluation::report::{asked_differently, comparison_page, comparison_text, model_card, page, text};
//! use evaluation::{Comparison, Metric, Value};
//!
//! let json = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/report.json"));
//! let tuned = Report::parse(json)?;
//! assert_eq!((tuned.find("accuracy"), tuned.find("medqa.accuracy.low")), (Some(0.5), Some(0.0945)));
//! assert!(text(&tuned).contains("50.0 %"));
//! assert!(page(&tuned).starts_with("<!doctype html>"));
//! assert!(model_card(&tuned).contains("not-for-clinical-use"));
//!
//! // The same run for the base model, which got no problem right.
//! let mut base = tuned.clone();
//! base.model.id = base.model.base_model.clone();
//! for item in &mut base.items {
//!     item.values.insert(Metric::Accuracy, Value::yes(false));
//! }
//! let report = ComparisonReport {
//!     version: Report::VERSION,
//!     tool: tuned.tool.clone(),
//!     notice: tuned.notice.clone(),
//!     asked_differently: asked_differently(&base.model, &tuned.model),
//!     seed: tuned.seed,
//!     guards: [base.guard, tuned.guard],
//!     comparison: Comparison::of(&base.items, &tuned.items, tuned.seed),
//!     base: base.model,
//!     tuned: tuned.model,
//!     judges: Vec::new(),
//!     preferred: Vec::new(),
//!     agreement: None,
//! };
//! assert_eq!(report.find("accuracy.difference"), Some(0.5));
//! assert!(comparison_text(&report).contains("1 gained, 0 lost"));
//! assert!(comparison_page(&report).contains("+50.0"));
//! # Ok::<(), evaluation::report::ReportError>(())
//! ```

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
