//! What a run did, as a person reads it.

use std::fmt::Write;

use dataset::Written;

use crate::overlong::{Overlong, OverlongReport};
use crate::phi::{Phi, counts};
use crate::report::{Budget, Report, SideTokens};

/// The summary, which fits one screen.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let Report { inputs, template, seed, tokens, .. } = report;
    let from = match &inputs[..] {
        [input] => input.path.to_string(),
        _ => format!("{} inputs", inputs.len()),
    };
    writeln!(text, "Read {} from {from}", count(report.read, "record"))?;
    side(text, "training", report.train, report.train_file.as_ref())?;
    side(text, "validation", report.valid, report.valid_file.as_ref())?;
    side(text, "left out", report.rejected, None)?;
    for (reason, count) in &report.rejected_by_reason {
        writeln!(text, "    {:>8}  {reason}", number(*count))?;
    }
    writeln!(
        text,
        "Template {template}, seed {seed}, fingerprint {:.12}",
        report.fingerprint.to_string()
    )?;
    overlong(text, &report.overlong)?;
    if report.repeats.near > 0 {
        let near = count(report.repeats.near, "record");
        writeln!(
            text,
            "Near repeats: {near} with a question like an earlier one's, on the same side as that"
        )?;
    }
    if report.contamination.problems > 0 {
        let contamination = &report.contamination;
        let problems = count(contamination.problems, "benchmark problem");
        let records = count(contamination.contaminated, "record");
        let fate = if contamination.dropped { "left out" } else { "kept" };
        writeln!(text, "Contamination: {records} with one of {problems}, {fate}")?;
    }
    if report.identifiers.found > 0 {
        let fate = match report.identifiers.phi {
            Phi::Redact => "redacted",
            Phi::Report | Phi::Fail => "kept: --phi redact removes them, --report FILE lists them",
        };
        writeln!(text, "Identifiers: {}, {fate}", counts(&report.identifiers))?;
    }
    writeln!(text, "Tokens for {}, counted by {}", tokens.base_model, tokens.encoding)?;
    if let Some(doubt) = &tokens.doubt {
        writeln!(text, "  an estimate: {doubt}")?;
    }
    token_line(text, "training", &tokens.train, report.train)?;
    if report.valid > 0 {
        token_line(text, "validation", &tokens.valid, report.valid)?;
    }
    budget(text, &report.budget)?;
    if let Some(asking) = &report.asking {
        writeln!(
            text,
            "Asking it costs about ${:.2} for {}, each {} tokens in and {} out",
            asking.usd,
            count(asking.questions, "question"),
            number(asking.input_tokens),
            number(asking.output_tokens),
        )?;
    }
    Ok(())
}

/// What records that are too long would lose, and what became of them.
fn overlong(text: &mut String, overlong: &OverlongReport) -> std::fmt::Result {
    let (Some(limit), 1..) = (overlong.limit, overlong.records) else { return Ok(()) };
    let losses = [
        (overlong.lose_response_end, "the end of the response"),
        (overlong.lose_response, "all of the response"),
        (overlong.lose_reasoning, "reasoning as well"),
        (overlong.lose_question, "even of the question"),
    ];
    let losses = losses.into_iter().filter(|(count, _)| *count > 0);
    let losses: Vec<String> =
        losses.map(|(count, what)| format!("{} {what}", number(count))).collect();
    let fate = match overlong.policy {
        _ if !overlong.applied => "kept, since their length is an estimate".to_owned(),
        Overlong::Reject => "left out".to_owned(),
        Overlong::Fail => "nothing written".to_owned(),
        Overlong::TrimReasoning => format!("reasoning of {} shortened", number(overlong.trimmed)),
    };
    writeln!(
        text,
        "Overlong: {} over {} tokens would lose: {}; {fate}",
        count(overlong.records, "record"),
        number(limit as u64),
        losses.join(", "),
    )
}

fn side(text: &mut String, name: &str, count: u64, file: Option<&Written>) -> std::fmt::Result {
    write!(text, "  {name:<10}{:>8}", number(count))?;
    if let Some(file) = file {
        write!(text, "  {} ({} bytes)", file.path.display(), number(file.bytes))?;
    }
    writeln!(text)
}

fn token_line(text: &mut String, name: &str, side: &SideTokens, examples: u64) -> std::fmt::Result {
    let percent = |part: u64| (part * 100 + side.total / 2) / side.total.max(1);
    let frame = side.total.saturating_sub(side.question + side.reasoning + side.response);
    writeln!(
        text,
        "  {name:<10}{:>12}  mean {}, longest {} (question {} %, reasoning {} %, response {} %, frame {} %)",
        number(side.total),
        number(side.total / examples.max(1)),
        number(side.longest),
        percent(side.question),
        percent(side.reasoning),
        percent(side.response),
        percent(frame),
    )
}

fn budget(text: &mut String, budget: &Budget) -> std::fmt::Result {
    match budget {
        Budget::Cost { model, tokens, epochs, usd_per_million, usd, as_of } => writeln!(
            text,
            "Training {model} costs {} x {} x ${usd_per_million:.2} a million = ${usd:.2} \
             (prices of {as_of}, epochs by the published rule)",
            count(*tokens, "token"),
            count(u64::from(*epochs), "epoch"),
        ),
        Budget::Time { tokens, tokens_per_second, seconds_per_epoch, epochs } => writeln!(
            text,
            "Training here takes about {} an epoch, {} for {}: {} tokens at {tokens_per_second:.0} tokens/s",
            duration(*seconds_per_epoch),
            duration(*seconds_per_epoch * f64::from(*epochs)),
            count(u64::from(*epochs), "epoch"),
            number(*tokens),
        ),
        Budget::Unknown { reason } => writeln!(text, "Training: {reason}"),
    }
}

/// A number of things by their name in the singular.
pub(crate) fn count(number_of: u64, thing: &str) -> String {
    let plural = if number_of == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", number(number_of))
}

/// A number with its digits in groups of three.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0} s"),
        ..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn durations_have_a_unit_that_fits() {
        assert_eq!([4.4, 90.0, 3600.0, 9000.0].map(duration), ["4 s", "2 min", "60 min", "2.5 h"]);
    }
}
