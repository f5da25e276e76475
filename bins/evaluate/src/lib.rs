//! Measure a model, compare two, and say how sure the numbers are.
//!
//! `evaluate run` asks a model about held-out records, multiple-choice problems, rubrics and a small safety set, and
//! leaves a folder with every answer, a JSON report, an HTML page and a model card. `evaluate compare` puts two such
//! folders side by side in pairs. `evaluate score` marks answers that were recorded elsewhere, and asks nobody.

mod arguments;
mod input;
mod model;
mod guards;
mod asking;
mod judging;
mod measuring;
mod output;
mod run_command;
mod score_command;
mod compare_command;
mod rules_command;
mod tool;

pub use crate::tool::{command, run};
