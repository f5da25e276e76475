//! The published rule for the number of epochs.

/// Epochs that a service trains where it is left to choose.
const TARGET_EPOCHS: u32 = 3;
/// Examples seen in a job that fewer than the target epochs would not reach.
const MIN_TARGET_EXAMPLES: u32 = 100;
/// Examples seen in a job that more than the target epochs would exceed.
const MAX_TARGET_EXAMPLES: u32 = 25_000;
/// At least one pass.
const MIN_DEFAULT_EPOCHS: u32 = 1;
/// At most this many passes, however few the examples.
const MAX_DEFAULT_EPOCHS: u32 = 25;

/// The number of epochs that the cookbook's rule chooses for a training file of `examples`.
///
/// The only rule that was ever published: `OpenAI` cookbook, "Data preparation and analysis for chat model fine-tuning"
/// (commit b774cbf, read 2026-11-22). A service may choose otherwise.
///
/// # Examples
///
/// ```
/// assert_eq!([10, 100, 25_000].map(tokens::default_epochs), [10, 3, 1]);
/// ```
pub fn default_epochs(examples: usize) -> u32 {
    let examples = u32::try_from(examples).unwrap_or(u32::MAX);
    let seen = examples.saturating_mul(TARGET_EPOCHS);
    if seen < MIN_TARGET_EXAMPLES {
        // Without any example the rule would divide by zero; it tends to its upper end.
        MIN_TARGET_EXAMPLES
            .checked_div(examples)
            .unwrap_or(MAX_DEFAULT_EPOCHS)
            .min(MAX_DEFAULT_EPOCHS)
    } else if seen > MAX_TARGET_EXAMPLES {
        (MAX_TARGET_EXAMPLES / examples).max(MIN_DEFAULT_EPOCHS)
    } else {
        TARGET_EPOCHS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_gives_the_notebooks_values() {
        let expected = [
            (1, 25),
            (4, 25),
            (5, 20),
            (10, 10),
            (20, 5),
            (33, 3),
            (34, 3),
            (8_333, 3),
            (8_334, 2),
            (12_501, 1),
            (25_000, 1),
            (90_000, 1),
        ];
        for (examples, epochs) in expected {
            assert_eq!(default_epochs(examples), epochs, "{examples} examples");
        }
    }

    #[test]
    fn no_number_of_examples_is_too_odd() {
        assert_eq!(default_epochs(0), 25);
        assert_eq!(default_epochs(usize::MAX), 1);
    }
}
