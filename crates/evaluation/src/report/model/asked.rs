//! Whether two runs differ in the model alone.

use super::ModelInfo;

/// In what else than the model two runs differ.
///
/// A difference of their numbers may come of it.
///
/// # Examples
///
/// ```
/// use evaluation::report::{Report, asked_differently};
///
/// let json = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/report.json"));
/// let base = Report::parse(json)?.model;
/// let mut tuned = base.clone();
/// tuned.temperature = Some(0.7);
/// assert_eq!(asked_differently(&base, &tuned), ["the temperature (0 and 0.7)"]);
/// # Ok::<(), evaluation::report::ReportError>(())
/// ```
pub fn asked_differently(base: &ModelInfo, tuned: &ModelInfo) -> Vec<String> {
    let number =
        |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let whole =
        |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let mut differences = Vec::new();
    if base.system_prompt != tuned.system_prompt {
        differences.push("the system prompt".to_owned());
    }
    let mut differ = |what: &str, [base, tuned]: [String; 2]| {
        if base != tuned {
            differences.push(format!("the {what} ({base} and {tuned})"));
        }
    };
    differ("template", [base.template.clone(), tuned.template.clone()]);
    differ("temperature", [number(base.temperature), number(tuned.temperature)]);
    differ("most tokens of an answer", [whole(base.max_tokens), whole(tuned.max_tokens)]);
    differ("parameters left out", [base.left_out.join(", "), tuned.left_out.join(", ")]);
    differences
}
