//! Counts that grow while records are read.

use std::collections::BTreeMap;

use crate::against::Contamination;
use crate::overlong::{Excess, OverlongReport};
use crate::report::{ContaminatedRecord, RecordPlace, RejectedRecord, SideTokens};

/// How many rejected records a report lists; all are counted.
const LISTED: usize = 1000;

/// The tokens of one example: 16 bytes for each record that is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExampleTokens {
    question: u32,
    reasoning: u32,
    response: u32,
    total: u32,
}

impl ExampleTokens {
    /// The tokens of question, reasoning, response and of all that frames them too.
    pub(crate) fn new(counts: [usize; 4]) -> Self {
        let [question, reasoning, response, total] = counts.map(narrow);
        Self { question, reasoning, response, total }
    }

    pub(crate) fn question(&self) -> u64 {
        self.question.into()
    }

    pub(crate) fn reasoning(&self) -> u64 {
        self.reasoning.into()
    }

    pub(crate) fn response(&self) -> u64 {
        self.response.into()
    }

    pub(crate) fn total_u64(&self) -> u64 {
        self.total.into()
    }

    pub(crate) fn total(&self) -> usize {
        self.total as usize
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
    tokens: Vec<ExampleTokens>,
    /// The tokens of records that are left out because they are too long.
    left_out: Vec<ExampleTokens>,
}

impl Tally {
    pub(crate) fn keep(&mut self, tokens: ExampleTokens) {
        self.read += 1;
        self.tokens.push(tokens);
    }

    /// Counts a record that is too long; its `tokens` where it is left out.
    pub(crate) fn overlong(
        &mut self,
        record: RecordPlace,
        excess: Excess,
        left_out: Option<ExampleTokens>,
    ) {
        self.overlong.add(record, excess, LISTED);
        self.left_out.extend(left_out);
    }

    /// One figure of every example, also of those that are left out because they are too long.
    pub(crate) fn column(&self, part: impl Fn(&ExampleTokens) -> u64) -> Vec<u64> {
        self.tokens.iter().chain(&self.left_out).map(part).collect()
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

    /// The sums over the examples at `indices`; beyond `limit` tokens an example is cut by the service.
    pub(crate) fn side(&self, indices: &[usize], limit: Option<usize>) -> SideTokens {
        let mut side = SideTokens::default();
        for tokens in indices.iter().map(|&index| self.tokens[index]) {
            let total = u64::from(tokens.total);
            let billable = limit.map_or(total, |limit| total.min(limit as u64));
            side.question += u64::from(tokens.question);
            side.reasoning += u64::from(tokens.reasoning);
            side.response += u64::from(tokens.response);
            side.total += total;
            side.billable += billable;
            side.longest = side.longest.max(total);
            side.over_limit += u64::from(billable < total);
        }
        side
    }
}

/// A record's size limit keeps its tokens far below the greatest `u32`.
fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
