//! `evaluate score`: recorded answers, marked without asking anybody.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt, Terminal};
use evaluation::choice::{Marked, Prediction, Problem, Score, mark, read_predictions};
use serde::Serialize;
use template::Template;

use crate::arguments::ScoreArguments;
use crate::{input, output};

/// The score of a set.
#[derive(Debug, Serialize)]
struct SetScore {
    set: String,
    #[serde(flatten)]
    score: Score,
}

pub(crate) fn run(
    arguments: &ScoreArguments,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let template =
        Template::open(&arguments.template).context("--template").or_exit(Exit::Usage)?;
    let mut problems = Vec::new();
    for path in &arguments.choices {
        let sets = input::problems(path, arguments.set.as_deref())?;
        problems.extend(sets.into_iter().flat_map(|(_, problems)| problems));
    }
    let predictions = read(&arguments.predictions)?;
    let marked = paired(problems, predictions, &template)
        .with_context(|| arguments.predictions.display().to_string())
        .or_exit(Exit::BadData)?;
    let scores = scores(&marked);
    if arguments.outcome.json {
        write!(terminal.out, "{}", output::json(&scores)?)?;
    } else {
        print(&scores, terminal)?;
    }
    output::conditions(&arguments.outcome.fail_if, |name| find(&scores, name), terminal)
}

/// The predictions of a file, or of a folder's files that are named by a split and a problem's id (`test_0001.json`).
fn read(path: &Path) -> Result<Vec<Prediction>, Failure> {
    let of = |path: &Path| {
        let text = input::read(path)?;
        read_predictions(&text).with_context(|| path.display().to_string()).or_exit(Exit::BadData)
    };
    if !path.is_dir() {
        return of(path);
    }
    let mut files: Vec<_> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(|| path.display().to_string())
        .or_exit(Exit::BadData)?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    let mut predictions = Vec::with_capacity(files.len());
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let id = stem.split_once('_').map_or(stem.as_str(), |(_, id)| id).to_owned();
        // The first of several answers is the one that counts.
        let text = of(&file)?.into_iter().next().map(|first| first.text).unwrap_or_default();
        predictions.push(Prediction { id: Some(id), set: None, text });
    }
    Ok(predictions)
}

/// Each problem with its prediction, by id, or by order where predictions name none.
fn paired(
    problems: Vec<Problem>,
    predictions: Vec<Prediction>,
    template: &Template,
) -> anyhow::Result<Vec<Marked>> {
    let by_order = predictions.first().is_some_and(|first| first.id.is_none());
    if by_order {
        if predictions.len() != problems.len() {
            anyhow::bail!(
                "holds {} answers without ids, but there are {} problems",
                predictions.len(),
                problems.len()
            );
        }
        let pairs = problems.into_iter().zip(predictions);
        return Ok(pairs.map(|(problem, one)| mark(problem, Some(&one.text), template)).collect());
    }
    let mut by_id: HashMap<(Option<String>, String), String> = HashMap::new();
    for Prediction { id, set, text } in predictions {
        let id = id.unwrap_or_default();
        if by_id.insert((set, id.clone()), text).is_some() {
            anyhow::bail!("holds two answers to problem `{id}`");
        }
    }
    let ids: std::collections::HashSet<(&str, &str)> =
        problems.iter().map(|problem| (problem.set.as_str(), problem.id.as_str())).collect();
    let stray = by_id.keys().find(|(set, id)| {
        !ids.iter()
            .any(|(of_set, of_id)| of_id == id && set.as_deref().is_none_or(|set| set == *of_set))
    });
    if let Some((_, id)) = stray {
        return Err(anyhow!("holds an answer to problem `{id}`, which is in no set"));
    }
    let text = |problem: &Problem| {
        let named = (Some(problem.set.clone()), problem.id.clone());
        by_id.get(&named).or_else(|| by_id.get(&(None, problem.id.clone())))
    };
    let marked = problems.into_iter().map(|problem| {
        let text = text(&problem).cloned();
        mark(problem, text.as_deref(), template)
    });
    Ok(marked.collect())
}

/// The scores set by set, and of all together where there are several.
fn scores(marked: &[Marked]) -> Vec<SetScore> {
    let mut sets: Vec<&str> = Vec::new();
    for one in marked {
        if !sets.contains(&one.problem.set.as_str()) {
            sets.push(&one.problem.set);
        }
    }
    let of = |set: &str, marked: Vec<&Marked>| {
        Score::of(marked).map(|score| SetScore { set: set.to_owned(), score })
    };
    let mut scores: Vec<SetScore> = sets
        .iter()
        .filter_map(|set| of(set, marked.iter().filter(|one| one.problem.set == *set).collect()))
        .collect();
    if scores.len() > 1 {
        scores.extend(of("all", marked.iter().collect()));
    }
    scores
}

fn find(scores: &[SetScore], name: &str) -> Option<f64> {
    let (set, part) = name.rsplit_once('.').unwrap_or((name, "accuracy"));
    let (set, part) = match part {
        "low" | "high" => (set.strip_suffix(".accuracy").unwrap_or(set), part),
        _ => (set, part),
    };
    let found =
        if set == "accuracy" { scores.last() } else { scores.iter().find(|one| one.set == set) };
    let score = &found?.score;
    match part {
        "accuracy" => Some(score.accuracy),
        "low" => Some(score.interval.low),
        "high" => Some(score.interval.high),
        _ => None,
    }
}

fn print(scores: &[SetScore], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    for SetScore { set, score } in scores {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        writeln!(
            terminal.out,
            "{set}: {} right ({} of {}), 95 % interval {} to {}, standard error {}, chance {}",
            percent(score.accuracy),
            score.correct,
            score.items,
            percent(score.interval.low),
            percent(score.interval.high),
            score.standard_error.map_or_else(|| "unknown".to_owned(), percent),
            percent(score.chance)
        )?;
        let ways: Vec<_> =
            score.read_by.iter().map(|(way, count)| format!("{way} {count}")).collect();
        writeln!(terminal.out, "  read by {}", ways.join(", "))?;
    }
    Ok(())
}
