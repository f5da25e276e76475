//! How often each of many numbers came.

use std::collections::BTreeMap;

/// Numbers that are counted and not kept, so that memory grows with the different ones only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<u64, u64>);

impl Counts {
    pub(crate) fn add(&mut self, number: u64) {
        *self.0.entry(number).or_default() += 1;
    }

    /// Each different number in ascending order, and how often it came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + Clone {
        self.0.iter().map(|(&number, &times)| (number, times))
    }

    /// How many numbers there were.
    pub(crate) fn len(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn sum(&self) -> u64 {
        self.iter().map(|(number, times)| number * times).sum()
    }
}

impl FromIterator<u64> for Counts {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut counts = Self::default();
        numbers.into_iter().for_each(|number| counts.add(number));
        counts
    }
}
