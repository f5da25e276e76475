//! Conditions on measures, for scripts that stop when a model is not good enough.

use std::fmt;
use std::str::FromStr;

/// A bound on something measured, such as `medqa.accuracy < 0.4`.
///
/// # Examples
///
/// ```
/// use evaluation::Condition;
///
/// let stop: Condition = "medqa.accuracy < 0.4".parse()?;
/// assert_eq!(stop.name(), "medqa.accuracy");
/// assert!(stop.holds(0.35) && !stop.holds(0.4) && !stop.holds(f64::NAN));
/// assert_eq!(stop.to_string(), "medqa.accuracy < 0.4");
/// # Ok::<(), evaluation::NotACondition>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    name: String,
    relation: Relation,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// A text that is no condition.
///
/// # Examples
///
/// ```
/// use evaluation::{Condition, NotACondition};
///
/// for text in ["accuracy", "accuracy = 0.4", "< 0.4", "accuracy < much"] {
///     assert_eq!(text.parse::<Condition>(), Err(NotACondition));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a condition (a measure's name, `<`, `<=`, `>` or `>=`, and a number: `accuracy < 0.4`)"
)]
pub struct NotACondition;

impl Condition {
    /// The name of what it bounds.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it holds for `value`; nothing that is not a number holds.
    pub fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::Below => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::Above => value > self.bound,
            Relation::AtLeast => value >= self.bound,
        }
    }
}

impl FromStr for Condition {
    type Err = NotACondition;

    fn from_str(text: &str) -> Result<Self, NotACondition> {
        let at = text.find(['<', '>']).ok_or(NotACondition)?;
        let (name, rest) = text.split_at(at);
        let (relation, bound) = if let Some(bound) = rest.strip_prefix("<=") {
            (Relation::AtMost, bound)
        } else if let Some(bound) = rest.strip_prefix(">=") {
            (Relation::AtLeast, bound)
        } else if let Some(bound) = rest.strip_prefix('<') {
            (Relation::Below, bound)
        } else {
            (Relation::Above, &rest[1..])
        };
        let name = name.trim();
        let bound: f64 = bound.trim().parse().map_err(|_| NotACondition)?;
        let is_name = |c: char| c.is_alphanumeric() || "._- ".contains(c);
        if name.is_empty() || !name.chars().all(is_name) || !bound.is_finite() {
            return Err(NotACondition);
        }
        Ok(Self { name: name.to_owned(), relation, bound })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = match self.relation {
            Relation::Below => "<",
            Relation::AtMost => "<=",
            Relation::Above => ">",
            Relation::AtLeast => ">=",
        };
        write!(f, "{} {relation} {}", self.name, self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_reads_back_and_anything_else_is_refused() {
        for text in ["accuracy < 0.4", "a.b.low <= -1", "x > 2", "loss >= 1.5"] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        for text in ["", "accuracy", "< 0.4", "a < b", "a < NaN", "a = 1", "a < 1 < 2", "a;b < 1"] {
            assert_eq!(text.parse::<Condition>(), Err(NotACondition), "{text}");
        }
    }

    #[test]
    fn bounds_hold_as_written_and_nothing_holds_for_no_number() {
        let holds = |text: &str, value| text.parse::<Condition>().unwrap().holds(value);
        assert_eq!([0.39, 0.4, 0.41].map(|value| holds("a<0.4", value)), [true, false, false]);
        assert_eq!([0.39, 0.4, 0.41].map(|value| holds("a>=0.4", value)), [false, true, true]);
        assert!(!holds("a<0.4", f64::NAN) && !holds("a>=0.4", f64::NAN));
    }
}
