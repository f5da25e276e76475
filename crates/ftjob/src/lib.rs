//! Upload, create, follow and resume a fine-tuning job.
