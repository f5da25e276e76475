//! `evaluate rules`: how answers are read and what is measured, for whoever wants to check a number.

use cli::{Exit, Failure, Terminal};
use evaluation::choice::{Missing, Rule};
use evaluation::{Kind, Metric};
use serde::Serialize;

use crate::arguments::RulesArguments;
use crate::output;

#[derive(Debug, Serialize)]
struct Named {
    name: &'static str,
    means: &'static str,
}

#[derive(Debug, Serialize)]
struct Measured {
    name: &'static str,
    means: &'static str,
    interval: &'static str,
    /// `more`, `less`, or neither.
    better: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Told {
    rules: Vec<Named>,
    missing: Vec<Named>,
    metrics: Vec<Measured>,
}

pub(crate) fn run(
    arguments: &RulesArguments,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let told = Told {
        rules: Rule::ALL.map(|rule| Named { name: rule.name(), means: rule.meaning() }).into(),
        missing: Missing::ALL.map(|one| Named { name: one.name(), means: one.meaning() }).into(),
        metrics: Metric::ALL.map(measured).into(),
    };
    if arguments.json {
        write!(terminal.out, "{}", output::json(&told)?)?;
        return Ok(Exit::Done);
    }
    writeln!(terminal.out, "{READING}")?;
    for (at, rule) in told.rules.iter().enumerate() {
        writeln!(terminal.out, "  {}. {:<12}  {}", at + 1, rule.name, rule.means)?;
    }
    writeln!(terminal.out, "\nNo choice is read, and the answer is wrong, where\n")?;
    for missing in &told.missing {
        writeln!(terminal.out, "  {:<15}  {}", missing.name, missing.means)?;
    }
    writeln!(terminal.out, "\n{METRICS}")?;
    for metric in &told.metrics {
        let better =
            metric.better.map(|better| format!(", {better} is better")).unwrap_or_default();
        writeln!(
            terminal.out,
            "  {:<24}  {} ({}{better})",
            metric.name, metric.means, metric.interval
        )?;
    }
    Ok(Exit::Done)
}

fn measured(metric: Metric) -> Measured {
    let interval = match metric.kind() {
        Kind::Share => "share, Wilson",
        Kind::Mean => "mean, bootstrap",
    };
    let better = metric.more_is_better().map(|more| if more { "more" } else { "less" });
    Measured { name: metric.name(), means: metric.title(), interval, better }
}

const READING: &str = "\
How a choice is read out of an answer. Where the answer marks reasoning, only its final response is read. The first rule
that finds something decides, also where what it finds is no single choice; within a rule the last place counts. Every
problem counts, and a report says how often each rule applied. By log-likelihood nothing is read: the likeliest choice
is taken.
";

const METRICS: &str = "\
What is measured, by the names of --fail-if. A name alone stands for all sets together or for the only set that has it;
`medqa.accuracy` is of one set, `.low` and `.high` behind it are the ends of its 95 % interval. `compare` has
`.difference`, `.base`, `.tuned` and `.p`, and its `.low` and `.high` are of the difference.
";
