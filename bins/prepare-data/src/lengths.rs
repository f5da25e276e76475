//! How long the examples are, and what a limit would cut off.

use serde::Serialize;

use crate::counts::Counts;
use crate::spread::Spread;
use crate::tally::Tally;

/// Limits that models are trained with.
const LIMITS: [u64; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// The tokens of the examples, those that are left out for their length included.
#[derive(Clone, Debug, Serialize)]
pub struct Lengths {
    /// Of the questions alone.
    pub question: Option<Spread>,
    /// Of the reasoning alone.
    pub reasoning: Option<Spread>,
    /// Of the responses alone.
    pub response: Option<Spread>,
    /// Of everything, with what frames the messages.
    pub total: Option<Spread>,
    /// What some limits would cut off.
    pub cuts: Vec<Cut>,
}

/// What a limit would cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The most tokens of an example.
    pub limit: u64,
    /// How many examples are longer.
    pub examples: u64,
    /// How many tokens they have beyond it, all together.
    pub tokens: u64,
}

impl Lengths {
    /// The lengths of all examples of `tally`; `limit` is one of the limits looked at.
    pub(crate) fn of(tally: &Tally, limit: Option<usize>) -> Self {
        let [question, reasoning, response, total] = tally.lengths.each_ref().map(Spread::of);
        let cuts = cuts(&tally.lengths[3], limit.map(|limit| limit as u64));
        Self { question, reasoning, response, total, cuts }
    }
}

/// The cuts at the usual limits, up to the first that cuts nothing, and at `own`.
fn cuts(totals: &Counts, own: Option<u64>) -> Vec<Cut> {
    let cut = |limit: u64| {
        let beyond = totals.iter().filter(|(total, _)| *total > limit);
        Cut {
            limit,
            examples: beyond.clone().map(|(_, times)| times).sum(),
            tokens: beyond.map(|(total, times)| (total - limit) * times).sum(),
        }
    };
    let mut cuts: Vec<Cut> = Vec::new();
    for limit in LIMITS {
        cuts.push(cut(limit));
        if cuts.last().is_some_and(|cut| cut.examples == 0) {
            break;
        }
    }
    cuts.extend(own.filter(|own| cuts.iter().all(|cut| cut.limit != *own)).map(cut));
    cuts.sort_by_key(|cut| cut.limit);
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_go_up_to_the_first_limit_that_cuts_nothing() {
        let shown: Vec<String> = cuts(&[100, 600, 1500].into_iter().collect(), Some(65_536))
            .iter()
            .map(|cut| format!("{}: {} -{}", cut.limit, cut.examples, cut.tokens))
            .collect();
        assert_eq!(shown, ["512: 2 -1076", "1024: 1 -476", "2048: 0 -0", "65536: 0 -0"]);
    }
}
