//! Tests across crates: the pipeline over the libraries alone, and what a server of the dialect must do.
//!
//! The tests themselves stand beside this folder; [`conformance`] and [`client`], its other half, are a library because they
//! run against any server.

pub mod conformance;
pub mod client;
