//! What the user should know beside the summary.

use cli::Terminal;
use tokens::PriceTable;

use crate::arguments::Splitting;
use crate::budget;
use crate::config::Config;
use crate::report::Report;
use crate::summary::{count, number};
use crate::tally::Tally;

/// How many rejected records are named one by one.
const NAMED: usize = 5;

/// The fewest training examples that a hosted service accepts.
const SERVICE_MINIMUM: u64 = 10;

/// Names the first rejected records by place and reason.
pub(crate) fn rejections(tally: &Tally, terminal: &mut Terminal<'_>) {
    for rejected in tally.listed.iter().take(NAMED) {
        warn(terminal, &format!("{}: {}", rejected.source, rejected.rejection));
    }
    let rest = tally.rejected.saturating_sub(NAMED as u64);
    if rest > 0 {
        warn(terminal, &format!("and {} more left out", count(rest, "record")));
    }
}

/// Says what may surprise in the files that were written.
pub(crate) fn files(
    config: &Config,
    report: &Report,
    prices: &PriceTable,
    terminal: &mut Terminal<'_>,
) {
    if report.removed_valid_file {
        let path = config.outputs.valid.display();
        warn(
            terminal,
            &format!("{path} of an earlier run is removed: this one has no validation examples"),
        );
    }
    let wanted =
        config.valid_fraction.of(usize::try_from(report.train + report.valid).unwrap_or(0)) as u64;
    if report.split == Splitting::Shuffle && report.train > SERVICE_MINIMUM && report.valid < wanted
    {
        let found = count(report.valid, "validation example");
        warn(terminal, &format!("{found} instead of {wanted}: near repeats stay together"));
    }
    if report.ambiguous > 0 {
        let examples = count(report.ambiguous, "example");
        warn(terminal, &format!("{examples} with a heading of the template in its own text"));
    }
    if report.tokens.train.over_limit > 0 {
        let examples = count(report.tokens.train.over_limit, "training example");
        let limit = number(report.tokens.limit.unwrap_or(0) as u64);
        warn(terminal, &format!("{examples} longer than {limit} tokens, which will lose the end"));
    }
    let Some(row) = prices.model(&report.tokens.base_model) else {
        return;
    };
    if report.train < SERVICE_MINIMUM {
        let examples = count(report.train, "training example");
        let refused = format!("the service refuses a file with fewer than {SERVICE_MINIMUM}");
        warn(terminal, &format!("{examples}: {refused}"));
    }
    for objection in budget::objections(row, prices) {
        warn(terminal, &objection);
    }
}

fn warn(terminal: &mut Terminal<'_>, text: &str) {
    // Whoever closed the stream does not want to know.
    let _ = writeln!(terminal.err, "warning: {text}");
}
