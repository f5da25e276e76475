//! Tests across crates: the pipeline over the libraries alone, and what a server of the dialect must do.
//!
//! The tests themselves stand beside this folder; [`conformance`] is a library because it runs against any server.

pub mod conformance;
