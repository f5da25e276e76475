//! Ask a model and split its reasoning from its answer.
