//! Counts that grow while records are read.

use std::collections::BTreeMap;

use crate::against::Contamination;
use crate::counts::Counts;
use crate::overlong::{Excess, OverlongReport};
use crate::report::{ContaminatedRecord, RecordPlace, RejectedRecord, SideTokens};

/// How many rejected records a report lists; all are counted.
const LISTED: usize = 1000;

/// The tokens of one example: of question, reasoning and response, and all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExampleTokens(pub(crate) [u32; 4]);

impl ExampleTokens {
    /// The tokens of question, reasoning, response and of all that frames them too.
    pub(crate) fn new(counts: [usize; 4]) -> Self {
        // A record's size limit keeps its tokens far below the greatest `u32`.
        Self(counts.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
    }

    pub(crate) fn total(&self) -> usize {
        self.0[3] as usize
    }
}

/// What is known of the records read so far, and none of their text.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) rejected: u64,
    pub(crate) by_reason: BTreeMap<&'static str, u64>,
    pub(crate) listed: Vec<RejectedRecord>,
    /// Examples that hold the template's headings themselves, so that an answer like them is not split as it was joined.
    pub(crate) ambiguous: u64,
    /// Records that hold a problem of a benchmark, and the first of them by place.
    pub(crate) contaminated: u64,
    pub(crate) contaminations: Vec<ContaminatedRecord>,
    /// Records that are too long, kept or not.
    pub(crate) overlong: OverlongReport,
    /// The tokens of all examples, also of those that are left out because they are too long: of questions, reasoning,
    /// responses and all of them.
    pub(crate) lengths: [Counts; 4],
}

impl Tally {
    pub(crate) fn keep(&mut self, tokens: ExampleTokens) {
        self.read += 1;
        self.measure(tokens);
    }

    /// Counts a record that is too long; its `tokens` where it is left out.
    pub(crate) fn overlong(
        &mut self,
        record: RecordPlace,
        excess: Excess,
        left_out: Option<ExampleTokens>,
    ) {
        self.overlong.add(record, excess, LISTED);
        if let Some(tokens) = left_out {
            self.measure(tokens);
        }
    }

    fn measure(&mut self, tokens: ExampleTokens) {
        for (counts, tokens) in self.lengths.iter_mut().zip(tokens.0) {
            counts.add(tokens.into());
        }
    }

    pub(crate) fn contaminate(&mut self, record: RecordPlace, contamination: &Contamination) {
        self.contaminated += 1;
        if self.contaminations.len() < LISTED {
            self.contaminations
                .push(ContaminatedRecord { record, contamination: contamination.clone() });
        }
    }

    pub(crate) fn reject(&mut self, rejected: RejectedRecord) {
        self.read += 1;
        self.rejected += 1;
        *self.by_reason.entry(rejected.rejection.reason.code()).or_default() += 1;
        if self.listed.len() < LISTED {
            self.listed.push(rejected);
        }
    }
}

impl SideTokens {
    /// Adds an example, of which the service reads `limit` tokens.
    pub(crate) fn add(&mut self, tokens: ExampleTokens, limit: Option<usize>) {
        let [question, reasoning, response, total] = tokens.0.map(u64::from);
        let billable = limit.map_or(total, |limit| total.min(limit as u64));
        self.question += question;
        self.reasoning += reasoning;
        self.response += response;
        self.total += total;
        self.billable += billable;
        self.longest = self.longest.max(total);
        self.over_limit += u64::from(billable < total);
    }
}
