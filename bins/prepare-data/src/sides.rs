//! Which kept records are for training and which for validation.

use anyhow::Context;
use dataset::{Column, Groups, Pair, Repeats, Role, Split, Spool, split_groups, split_stable};

use crate::arguments::Splitting;
use crate::config::{Config, folder_of};
use crate::gather::{Gathered, TEMPORARY};
use crate::ledger::Ledger;
use crate::manifest::Side;
use crate::report::{NearPair, RepeatReport, SideTokens};

/// How many near repeats a report lists; all are counted.
const LISTED: usize = 1000;

/// Groups the kept records by their questions and splits the groups.
pub(crate) fn sides(
    config: &Config,
    gathered: &mut Gathered,
) -> anyhow::Result<(Split, RepeatReport)> {
    let empty = Repeats::new_in(folder_of(&config.outputs.train));
    let repeats = std::mem::replace(&mut gathered.repeats, empty);
    let spool = &mut gathered.spool;
    let groups = repeats
        .groups(config.near_threshold, |number| question(spool, number))
        .context(TEMPORARY)?;
    let report = report(config, gathered, &groups)?;
    let Groups { first, questions, .. } = groups;
    let split = match config.splitting {
        Splitting::Shuffle => split_groups(&first, config.valid_fraction, config.seed),
        Splitting::Stable => {
            let keys = keys(&first, &questions).context(TEMPORARY)?;
            drop(first);
            split_stable(&keys, config.valid_fraction, config.seed)
        }
    };
    Ok((split, report))
}

/// For each record the hash of the question that its group begins with.
fn keys(first: &[u32], questions: &Column<8>) -> std::io::Result<Vec<u64>> {
    let mut keys = Vec::with_capacity(first.len());
    for (number, (&first, question)) in (0_u32..).zip(first.iter().zip(questions.rows())) {
        let question = u64::from_le_bytes(question?);
        // The first of a group stands before the others.
        keys.push(if first == number { question } else { keys[first as usize] });
    }
    Ok(keys)
}

/// For each of `count` kept records its side.
pub(crate) fn each_side(split: &Split, count: usize) -> Vec<Side> {
    let mut sides = vec![Side::Train; count];
    for &number in &split.valid {
        sides[number as usize] = Side::Valid;
    }
    sides
}

/// The tokens of both sides, training first; `limit` is the most of an example that the service reads.
pub(crate) fn side_tokens(
    kept: &Ledger,
    sides: &[Side],
    limit: Option<usize>,
) -> std::io::Result<[SideTokens; 2]> {
    let [mut train, mut valid] = [SideTokens::default(); 2];
    for (kept, side) in kept.iter().zip(sides) {
        let sum = if *side == Side::Train { &mut train } else { &mut valid };
        sum.add(kept?.tokens, limit);
    }
    Ok([train, valid])
}

fn question(spool: &mut Spool, number: usize) -> std::io::Result<String> {
    let messages = spool.example(number)?.messages;
    let question = messages.into_iter().find(|message| message.role == Role::User);
    Ok(question.map(|message| message.content).unwrap_or_default())
}

fn report(config: &Config, gathered: &Gathered, groups: &Groups) -> anyhow::Result<RepeatReport> {
    let listed = |pair: &Pair| {
        anyhow::Ok(NearPair {
            first: gathered.place(config, pair.first as usize)?,
            second: gathered.place(config, pair.second as usize)?,
            similarity: (pair.similarity * 1000.0).round() / 1000.0,
        })
    };
    let near = (0_u32..).zip(&groups.first).filter(|(number, first)| number != *first).count();
    Ok(RepeatReport {
        exact: gathered.tally.by_reason.get(dataset::Reason::Repeat.code()).copied().unwrap_or(0),
        near: near as u64,
        threshold: config.near_threshold,
        near_pairs: groups.pairs.iter().take(LISTED).map(listed).collect::<Result<_, _>>()?,
    })
}
