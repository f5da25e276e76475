//! Records to training and validation JSONL.
//!
//! The tool reads records of question, reasoning and response, checks each, and writes chat examples for fine-tuning,
//! with what was left out and why, how many tokens there are by the base model's own encoding, and what training on
//! them will cost. The summary is the tool's product and goes to standard output (with `--json` as JSON); warnings,
//! rejected records and progress go to standard error.

mod arguments;
mod download;
mod config;
mod input;
mod against;
mod phi;
mod local;
mod counter;
mod counts;
mod tally;
mod ledger;
mod meter;
mod overlong;
mod judge;
mod workers;
mod gather;
mod sides;
mod spread;
mod lengths;
mod budget;
mod report;
mod manifest;
mod summary;
mod page;
mod warnings;
mod check;
mod tool;

pub use crate::against::Contamination;
pub use crate::arguments::Splitting;
pub use crate::download::Origin;
pub use crate::input::Source;
pub use crate::lengths::{Cut, Lengths};
pub use crate::manifest::MANIFEST_VERSION;
pub use crate::overlong::{Loss, Overlong, OverlongRecord, OverlongReport};
pub use crate::phi::Phi;
pub use crate::report::{
    Asking, Budget, ContaminatedRecord, ContaminationReport, IdentifierPlace, IdentifierReport,
    InputReport, NearPair, REPORT_VERSION, RecordPlace, RejectedRecord, RepeatReport, Report,
    SideTokens, TokenReport,
};
pub use crate::spread::Spread;
pub use crate::tool::{command, run};
