//! Records to training and validation JSONL.
