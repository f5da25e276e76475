//! How far two judges agree beyond chance.

/// Cohen's kappa of two judges' verdicts on the same items.
///
/// There is none where there are no items, or where chance alone agrees. Cohen, 1960: `(p_o - p_e) / (1 - p_e)`, where
/// `p_o` is the share of equal verdicts and `p_e` the share that judges with these habits would have by chance. 1 is
/// full agreement, 0 that of chance. Where both judges give one and the same verdict throughout, nothing can be said.
///
/// # Examples
///
/// ```
/// use evaluation::statistics::cohens_kappa;
///
/// assert_eq!(cohens_kappa(&[(true, true), (false, false)]), Some(1.0));
/// assert_eq!(cohens_kappa(&[(true, true), (true, true)]), None);
/// ```
pub fn cohens_kappa<T: PartialEq>(verdicts: &[(T, T)]) -> Option<f64> {
    let count = verdicts.len() as f64;
    let mut labels: Vec<&T> = Vec::new();
    for label in verdicts.iter().flat_map(|(first, second)| [first, second]) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let share = |holds: &dyn Fn(&(T, T)) -> bool| {
        verdicts.iter().filter(|pair| holds(pair)).count() as f64 / count
    };
    let observed = share(&|(first, second)| first == second);
    let chance: f64 = labels
        .iter()
        .map(|label| share(&|pair| &pair.0 == *label) * share(&|pair| &pair.1 == *label))
        .sum();
    (labels.len() > 1).then(|| (observed - chance) / (1.0 - chance))
}
