//! Ask the fine-tuned model, reasoning and response apart.
