//! The default system prompt.

/// The system prompt of the original project, word for word.
///
/// Models that were trained with the original Python scripts carry exactly this text, so it must not be reworded.
///
/// # Examples
///
/// ```
/// assert!(template::SYSTEM_PROMPT.starts_with("You are an expert medical AI assistant."));
/// ```
pub const SYSTEM_PROMPT: &str = concat!(
    "You are an expert medical AI assistant. Given a question, first provide a ",
    "detailed chain of thought (Complex_CoT) explaining your reasoning step-by-step. ",
    "After the chain of thought, conclude with a concise final Response."
);
