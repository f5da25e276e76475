//! Prepares training files out of another program's own data, such as rows of a database.
//!
//! `cargo run --package medtune-examples --example prepare_from_rust [FOLDER]`

#![expect(clippy::print_stdout, reason = "an example shows what it made")]

use std::path::PathBuf;

use dataset::{Example, Fraction, Place, Record, Spool, split};
use template::{SYSTEM_PROMPT, Template};

/// A row as some other program has it.
struct Case {
    complaint: &'static str,
    thoughts: &'static str,
    advice: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        complaint: "A runner has pain under the heel that is worst with the first steps of the day. What is it?",
        thoughts: "Pain at the first steps that eases with walking points to the plantar fascia; a stress fracture \
                   would hurt more with every step, and a trapped nerve would burn at rest.",
        advice: "Plantar fasciitis: stretching, cushioning and patience.",
    },
    Case {
        complaint: "A child barks when coughing at night and is hoarse. What helps?",
        thoughts: "A barking cough with hoarseness at night is croup. No drooling and no toxic look, so epiglottitis \
                   is unlikely; stridor at rest would change the urgency.",
        advice: "Croup: one dose of dexamethasone, calm, and watch for stridor at rest.",
    },
];

fn main() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or(temporary.path().to_owned(), PathBuf::from);
    let (train, valid) = (folder.join("train.jsonl"), folder.join("valid.jsonl"));

    let mut spool = Spool::new_in(&folder)?;
    for case in &CASES {
        let record = Record {
            place: Place::default(),
            question: case.complaint.to_owned(),
            reasoning: case.thoughts.to_owned(),
            response: case.advice.to_owned(),
        };
        spool.push(&Example::new(&record, &Template::Headed, SYSTEM_PROMPT)?)?;
    }
    let files = spool.write(&split(CASES.len(), Fraction::TENTH, 42), &train, &valid)?;

    println!("{}: {} examples to train on", files.train.path.display(), files.train.lines);
    // So few examples all train; from 11 on there is a validation file too.
    println!("{} examples to validate on", files.valid.map_or(0, |file| file.lines));
    Ok(())
}
