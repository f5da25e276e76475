//! What is measured, against whom.

pub mod prose;
