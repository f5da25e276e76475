//! From a model's name to the base model that it was tuned from.

/// The base model of a fine-tuned model's id; any other id as it is.
///
/// `ft:gpt-4.1-mini-2025-04-14:org:suffix:id` is tuned from `gpt-4.1-mini-2025-04-14`. The prefix has to go before a
/// name is looked up anywhere: Python's table finds `ft:gpt-4` in front of `ft:gpt-4.1` and so the wrong encoding.
///
/// # Examples
///
/// ```
/// assert_eq!(tokens::base_model("ft:gpt-4.1:org::id"), "gpt-4.1");
/// assert_eq!(tokens::base_model("gpt-4o-mini"), "gpt-4o-mini");
/// ```
pub fn base_model(model: &str) -> &str {
    match model.strip_prefix("ft:") {
        Some(tuned) => tuned.split_once(':').map_or(tuned, |(base, _)| base),
        None => model,
    }
}

/// Whether `model` is `family` itself, or a member of it such as `family-mini` or a dated snapshot.
pub(crate) fn is_of_family(model: &str, family: &str) -> bool {
    model.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
