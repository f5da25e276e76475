//! From values to places on the paper.

use crate::text::number;

/// A range of values laid over a stretch of paper, with round values to mark.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    step: f64,
    start: f64,
    end: f64,
}

/// The smallest of 1, 2, 5, 10, ... times a power of ten that is not below `width`.
pub(crate) fn round_up(width: f64) -> f64 {
    let power = 10_f64.powf(width.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= width * 0.999);
    factor.unwrap_or(10.0) * power
}

impl Scale {
    /// A scale from `low` to `high`, widened to round values, over the paper from `start` to `end`.
    pub(crate) fn around(range: [f64; 2], paper: [f64; 2], marks: usize) -> Self {
        let Self { low, high, step, start, end } = Self::exact(range, paper, marks);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { low, high, step, start, end }
    }

    /// A scale from `low` to `high` over the paper from `start` to `end`.
    ///
    /// About `marks` values are marked. A range without width or that is no range becomes one around its value.
    pub(crate) fn exact([low, high]: [f64; 2], [start, end]: [f64; 2], marks: usize) -> Self {
        let ordered = drawable(low) && drawable(high) && low <= high;
        let (low, high) = if ordered { (low, high) } else { (0.0, 1.0) };
        let wide = high - low > (high.abs().max(low.abs()) * 1e-9).max(1e-90);
        let spare = if wide { 0.0 } else { (high.abs() * 0.1).max(0.5) };
        let (low, high) = (low - spare, high + spare);
        let step = round_up((high - low) / marks as f64);
        Self { low, high, step, start, end }
    }

    /// Where `value` stands; what lies outside stands at the edge.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.start + share * (self.end - self.start)
    }

    /// Whether `value` lies in the range.
    pub(crate) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The values to mark, each as text.
    pub(crate) fn marks(&self) -> Vec<(f64, String)> {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
        let decimals = decimals as usize;
        // A little more than nothing is spared, since sums of steps are not exact.
        let first = (self.low / self.step - 1e-6).ceil() * self.step;
        let count = ((self.high - first) / self.step + 1e-6).floor().clamp(0.0, 100.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let count = count as usize;
        (0..=count)
            .map(|index| {
                let value = first + index as f64 * self.step;
                let text = if self.step >= 1e15 || self.step < 1e-9 {
                    format!("{value:.1e}")
                } else {
                    number(value, decimals)
                };
                (value, text)
            })
            .collect()
    }
}

/// Whether `value` is a number of a size that leaves room to calculate with.
pub(crate) fn drawable(value: f64) -> bool {
    value.abs() < 1e90
}

/// The least and the greatest of the values that can be drawn.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values
        .filter(|&value| drawable(value))
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(low: f64, high: f64) -> String {
        let scale = Scale::around([low, high], [0.0, 100.0], 5);
        let mark = |(value, text): (f64, String)| format!("{text}@{:.0}", scale.place(value));
        scale.marks().into_iter().map(mark).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn marks_are_round_and_lie_around_the_values() {
        insta::assert_snapshot!(check(0.0, 9.3), @"0@0 2@20 4@40 6@60 8@80 10@100");
        insta::assert_snapshot!(check(1.37, 2.21), @"1.2@0 1.4@17 1.6@33 1.8@50 2.0@67 2.2@83 2.4@100");
        insta::assert_snapshot!(check(-0.04, 0.11), @"-0.05@0 0.00@25 0.05@50 0.10@75 0.15@100");
        insta::assert_snapshot!(check(0.0, 43_210.0), @"0@0 10,000@20 20,000@40 30,000@60 40,000@80 50,000@100");
        insta::assert_snapshot!(check(3.0, 3.0), @"2.4@0 2.6@17 2.8@33 3.0@50 3.2@67 3.4@83 3.6@100");
        insta::assert_snapshot!(check(f64::INFINITY, f64::NEG_INFINITY), @"0.0@0 0.2@20 0.4@40 0.6@60 0.8@80 1.0@100");
    }
}
