//! What goes into a release beside the tools: manual pages and shell completions.
//!
//! Both are made from the definitions by which the tools read their command lines, so that they cannot say anything else.
//! [`write()`] lays them out as a prefix such as `/usr/local` or `~/.local` has them, where `man` and the shells look.

mod manual;
mod completion;
mod tool;

pub use crate::tool::{run, tools, write};
