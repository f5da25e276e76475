//! What is measured, against whom.

pub mod prose;
pub mod records;
