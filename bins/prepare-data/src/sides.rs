//! Which kept records are for training and which for validation.

use anyhow::Context;
use dataset::{Groups, Pair, Repeats, Role, Split, Spool, split_groups, split_stable};

use crate::arguments::Splitting;
use crate::config::Config;
use crate::gather::Gathered;
use crate::report::{NearPair, RepeatReport};

/// How many near repeats a report lists; all are counted.
const LISTED: usize = 1000;

/// Groups the kept records by their questions and splits the groups.
pub(crate) fn sides(
    config: &Config,
    gathered: &mut Gathered,
) -> anyhow::Result<(Split, RepeatReport)> {
    let repeats = std::mem::replace(&mut gathered.repeats, Repeats::new());
    let spool = &mut gathered.spool;
    let groups = repeats
        .groups(config.near_threshold, |number| question(spool, number))
        .context("the temporary file of examples")?;
    let split = match config.splitting {
        Splitting::Shuffle => split_groups(&groups.first, config.valid_fraction, config.seed),
        Splitting::Stable => {
            let keys: Vec<u64> =
                groups.first.iter().map(|&first| groups.questions[first]).collect();
            split_stable(&keys, config.valid_fraction, config.seed)
        }
    };
    let report = report(config, gathered, &groups);
    Ok((split, report))
}

fn question(spool: &mut Spool, number: usize) -> std::io::Result<String> {
    let messages = spool.example(number)?.messages;
    let question = messages.into_iter().find(|message| message.role == Role::User);
    Ok(question.map(|message| message.content).unwrap_or_default())
}

fn report(config: &Config, gathered: &Gathered, groups: &Groups) -> RepeatReport {
    let listed = |pair: &Pair| NearPair {
        first: gathered.place(config, pair.first),
        second: gathered.place(config, pair.second),
        similarity: (pair.similarity * 1000.0).round() / 1000.0,
    };
    let near = groups.first.iter().enumerate().filter(|(number, first)| number != *first).count();
    RepeatReport {
        exact: gathered.tally.by_reason.get(dataset::Reason::Repeat.code()).copied().unwrap_or(0),
        near: near as u64,
        threshold: config.near_threshold,
        near_pairs: groups.pairs.iter().take(LISTED).map(listed).collect(),
    }
}
