//! The longest run of words, with gaps, that two texts share.

/// ROUGE-L's F-measure of `candidate` against `reference`, 0 to 1, as `rouge-score` computes it without stemming.
///
/// Lin, 2004, "ROUGE: a package for automatic evaluation of summaries". Words are runs of `a` to `z` and digits in
/// lower case, as in the reference implementation: text in other scripts has none, and scores 0.
///
/// # Examples
///
/// ```
/// use evaluation::similarity::rouge_l;
///
/// assert_eq!(rouge_l("Give aspirin now.", "give aspirin, NOW"), 1.0);
/// assert_eq!(rouge_l("", "give aspirin"), 0.0);
/// ```
pub fn rouge_l(candidate: &str, reference: &str) -> f64 {
    let (candidate, reference) = (candidate.to_lowercase(), reference.to_lowercase());
    let (candidate, reference) = (words(&candidate), words(&reference));
    let common = longest_common(&candidate, &reference) as f64;
    if common == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (common / candidate.len() as f64, common / reference.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

fn words(lower: &str) -> Vec<&str> {
    let is_border = |c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit();
    lower.split(is_border).filter(|word| !word.is_empty()).collect()
}

/// The length of the longest common subsequence, one row at a time.
fn longest_common(first: &[&str], second: &[&str]) -> usize {
    let mut row = vec![0; second.len() + 1];
    for one in first {
        let mut diagonal = 0;
        for (at, other) in second.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if one == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[second.len()]
}
