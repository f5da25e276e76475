//! Identifiers of patients: reported by place, redacted, or a reason to write nothing, and never repeated.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

use std::ffi::OsString;
use std::fs;

use cli::{Environment, Terminal};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is planted in the records; no output may hold any of it.
const PLANTED: [&str; 3] = ["ana@example.org", "(617) 555-0143", "219-09-4321"];

/// A folder with 20 records, of which the fourth and the last hold identifiers.
fn folder() -> TempDir {
    let records: Vec<Value> = (0..20).map(record).collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.json"), Value::from(records).to_string()).unwrap();
    folder
}

fn record(number: usize) -> Value {
    let words: Vec<String> = (0..6).map(|word| format!("w{}", (number * 6 + word) * 7)).collect();
    let [mail, phone, ssn] = PLANTED;
    let response = match number {
        3 => format!("Write to {mail}, or call {phone}."),
        19 => format!("SSN {ssn}"),
        _ => "Puncture.".to_owned(),
    };
    let question = if number == 19 { format!("é {mail}?") } else { "Fever?".to_owned() };
    json!({
        "Question": format!("{} {question}", words.join(" ")),
        "Complex_CoT": "Think of meningitis.",
        "Response": response,
    })
}

/// Runs the tool in `folder` and returns what it printed, with the folder's path as `~`.
fn run(folder: &TempDir, arguments: &[&str]) -> String {
    let home = folder.path().to_str().unwrap();
    let arguments = arguments.iter().map(|text| OsString::from(text.replace('~', home))).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = &mut Terminal::plain(&mut out, &mut err);
    let exit = prepare_data::run(arguments, &Environment::default(), terminal);
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    format!("exit {}\n--- out\n{out}--- err\n{err}", exit as u8).replace(home, "~")
}

fn prepare(folder: &TempDir, more: &[&str]) -> String {
    let mut arguments = vec!["--input", "~/in.json", "--train-output", "~/t.jsonl"];
    arguments.extend(["--valid-output", "~/v.jsonl", "--base-model", "gpt-4.1-mini"]);
    arguments.extend(more);
    run(folder, &arguments)
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn assert_silent(text: &str) {
    assert!(PLANTED.iter().all(|planted| !text.contains(planted)), "{text}");
}

#[test]
fn identifiers_are_counted_by_kind_and_listed_by_place() -> anyhow::Result<()> {
    let folder = folder();
    let shown = prepare(&folder, &["--report", "~/r.json"]);
    assert_silent(&shown);
    let line = shown.lines().find(|line| line.starts_with("Identifiers")).unwrap_or_default();
    insta::assert_snapshot!(line, @"Identifiers: 4 in 2 records (EMAIL 2, PHONE 1, SSN 1), kept: --phi redact removes them, --report FILE lists them");
    let report = read(&folder, "r.json").replace(folder.path().to_str().unwrap(), "~");
    assert_silent(&report);
    let report: Value = serde_json::from_str(&report)?;
    insta::assert_snapshot!(report["identifiers"], @r#"{"phi":"report","found":4,"records":2,"by_kind":{"EMAIL":2,"PHONE":1,"SSN":1},"places":[{"source":"~/in.json","index":3,"field":"response","kind":"EMAIL","start":9,"end":24},{"source":"~/in.json","index":3,"field":"response","kind":"PHONE","start":34,"end":48},{"source":"~/in.json","index":19,"field":"question","kind":"EMAIL","start":33,"end":48},{"source":"~/in.json","index":19,"field":"response","kind":"SSN","start":4,"end":15}]}"#);
    let rows = read(&folder, "t.jsonl") + &read(&folder, "v.jsonl");
    assert!(PLANTED.iter().all(|planted| rows.contains(planted)));
    Ok(())
}

#[test]
fn a_place_is_where_the_identifier_stands() -> anyhow::Result<()> {
    let folder = folder();
    prepare(&folder, &["--report", "~/r.json"]);
    let report: Value = serde_json::from_str(&read(&folder, "r.json"))?;
    let mut found = Vec::new();
    for place in report["identifiers"]["places"].as_array().unwrap() {
        let at = |field: &str| usize::try_from(place[field].as_u64().unwrap()).unwrap();
        let record = record(at("index"));
        let field = if place["field"] == "question" { "Question" } else { "Response" };
        let text = record[field].as_str().unwrap();
        found.push(text[at("start")..at("end")].to_owned());
    }
    let [mail, phone, ssn] = PLANTED;
    assert_eq!(found, [mail, phone, mail, ssn]);
    Ok(())
}

#[test]
fn redacted_files_hold_the_kinds_instead() {
    let folder = folder();
    let shown = prepare(&folder, &["--phi", "redact"]);
    let line = shown.lines().find(|line| line.starts_with("Identifiers")).unwrap_or_default();
    insta::assert_snapshot!(line, @"Identifiers: 4 in 2 records (EMAIL 2, PHONE 1, SSN 1), redacted");
    let rows = read(&folder, "t.jsonl") + &read(&folder, "v.jsonl");
    assert_silent(&rows);
    for clean in ["Write to [EMAIL], or call [PHONE].", "é [EMAIL]?", "SSN [SSN]", "Puncture."] {
        assert!(rows.contains(clean), "{clean}");
    }
    assert_eq!(prepare(&folder, &["--phi", "redact"]), shown);
}

#[test]
fn records_that_differ_only_in_what_is_redacted_are_repeats() -> anyhow::Result<()> {
    let folder = folder();
    let mut records: Vec<Value> = serde_json::from_str(&read(&folder, "in.json"))?;
    let mut twin = records[3].clone();
    twin["Response"] = "Write to bo@example.org, or call (617) 555-0199.".into();
    records.push(twin);
    fs::write(folder.path().join("in.json"), Value::from(records).to_string())?;
    assert!(prepare(&folder, &[]).contains("left out         0"));
    assert!(prepare(&folder, &["--phi", "redact"]).contains("1  repeat"));
    Ok(())
}

#[test]
fn a_run_that_must_not_find_one_names_places_and_writes_only_its_report() -> anyhow::Result<()> {
    let folder = folder();
    fs::write(folder.path().join("t.jsonl"), "old")?;
    let shown = prepare(&folder, &["--phi", "fail", "--report", "~/r.json"]);
    assert_silent(&shown);
    insta::assert_snapshot!(shown, @r"
    exit 3
    --- out
    --- err
    warning: ~/in.json: index 3, response: EMAIL at bytes 9..24
    warning: ~/in.json: index 3, response: PHONE at bytes 34..48
    warning: ~/in.json: index 19, question: EMAIL at bytes 33..48
    warning: ~/in.json: index 19, response: SSN at bytes 4..15
    error: identifiers of patients: 4 in 2 records (EMAIL 2, PHONE 1, SSN 1)
    hint: --phi redact puts the kind in the place of each; --report FILE lists them
    ");
    assert_eq!(read(&folder, "t.jsonl"), "old");
    let report: Value = serde_json::from_str(&read(&folder, "r.json"))?;
    assert_eq!((&report["train_file"], &report["identifiers"]["found"]), (&Value::Null, &json!(4)));
    let mut names: Vec<_> = fs::read_dir(folder.path())?
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    assert_eq!(names, ["in.json", "r.json", "t.jsonl"]);
    Ok(())
}

#[test]
fn a_clean_file_passes_where_none_may_be_found() -> anyhow::Result<()> {
    let folder = folder();
    let clean: Vec<Value> = (4..19).map(record).collect();
    fs::write(folder.path().join("in.json"), Value::from(clean).to_string())?;
    let shown = prepare(&folder, &["--phi", "fail"]);
    assert!(shown.starts_with("exit 0") && !shown.contains("Identifiers"), "{shown}");
    Ok(())
}

#[test]
fn a_chat_file_is_searched_when_it_is_checked() {
    let folder = folder();
    prepare(&folder, &[]);
    let check = ["check", "~/t.jsonl", "~/v.jsonl", "--base-model", "gpt-4.1-mini"];
    let shown = run(&folder, &check);
    assert_silent(&shown);
    assert!(shown.starts_with("exit 0"), "{shown}");
    insta::assert_snapshot!(shown.lines().filter(|l| l.contains("identifiers")).collect::<Vec<_>>().join("\n"), @"  identifiers of patients: 4 in 2 records (EMAIL 2, PHONE 1, SSN 1)");
    let shown = run(&folder, &[&check[..], &["--phi", "fail"]].concat());
    assert_silent(&shown);
    assert!(shown.starts_with("exit 3"), "{shown}");
    insta::assert_snapshot!(shown.lines().filter(|l| l.contains(" at bytes ")).collect::<Vec<_>>().join("\n"), @r"
    warning: ~/t.jsonl: index 6, /messages/2/content: EMAIL at bytes 63..78
    warning: ~/t.jsonl: index 6, /messages/2/content: PHONE at bytes 88..102
    warning: ~/t.jsonl: index 11, /messages/1/content: EMAIL at bytes 33..48
    warning: ~/t.jsonl: index 11, /messages/2/content: SSN at bytes 58..69
    ");
    let shown = run(&folder, &[&check[..], &["--phi", "redact"]].concat());
    assert!(shown.starts_with("exit 2"), "{shown}");
    let write =
        ["check", "~/t.jsonl", "--base-model", "gpt-4.1-mini", "--phi", "fail", "--write", "~/w"];
    assert!(run(&folder, &write).starts_with("exit 3"));
    assert!(!folder.path().join("w").exists());
}
