//! The ways of joining reasoning and response, from the command line to the files.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

use std::ffi::OsString;
use std::fs;

use cli::{Environment, Terminal};
use serde_json::Value;
use tempfile::TempDir;
use template::{Jinja, Template, fingerprint};

const RECORDS: &str = r#"[
    {"Question": "Fever?", "Complex_CoT": "Think.", "Response": "Rest."},
    {"Question": "Cough?", "Complex_CoT": "Odd <b>.", "Response": "Drink."}
]"#;

/// Runs the tool on two records with `template`; the folder and what was printed, the folder's path as `~`.
fn run(template: &str, file: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    fs::write(folder.path().join("in.json"), RECORDS).unwrap();
    fs::write(folder.path().join("mine.jinja"), file).unwrap();
    let arguments = [
        ["--input", "~/in.json"],
        ["--train-output", "~/t.jsonl"],
        ["--valid-output", "~/v.jsonl"],
        ["--base-model", "gpt-4.1-mini"],
        ["--system-prompt", "Be brief."],
        ["--template", template],
    ];
    let arguments: Vec<OsString> =
        arguments.concat().iter().map(|text| text.replace('~', home).into()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = &mut Terminal::plain(&mut out, &mut err);
    let exit = prepare_data::run(arguments, &Environment::default(), terminal);
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    let shown = format!("exit {}\n--- out\n{out}--- err\n{err}", exit as u8).replace(home, "~");
    (folder, shown)
}

/// What the assistant is trained to say, sorted.
fn answers(folder: &TempDir) -> Vec<String> {
    let rows = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    let row = |row: &str| serde_json::from_str::<Value>(row).unwrap()["messages"][2].clone();
    let mut answers: Vec<String> =
        rows.lines().map(|line| row(line)["content"].as_str().unwrap().to_owned()).collect();
    answers.sort();
    answers
}

#[test]
fn thinking_stands_in_tags() {
    let (folder, shown) = run("think", "");
    assert!(shown.contains("Template think,"), "{shown}");
    assert_eq!(
        answers(&folder),
        ["<think>\nOdd <b>.\n</think>\n\nDrink.", "<think>\nThink.\n</think>\n\nRest."]
    );
}

#[test]
fn a_users_file_is_rendered_and_recorded_with_its_fingerprint() -> anyhow::Result<()> {
    let source = "{{ question }} {{ reasoning }} So: {{ response }}\n";
    for template in ["~/mine.jinja", "@~/mine.jinja"] {
        let (folder, shown) = run(template, source);
        assert!(shown.contains("Template jinja,") && !shown.contains("own text"), "{shown}");
        assert_eq!(answers(&folder), ["Cough? Odd <b>. So: Drink.", "Fever? Think. So: Rest."]);
        let manifest = fs::read(folder.path().join("medical_dataset.manifest.json"))?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        assert_eq!(manifest["template"]["jinja"], source);
        let expected = fingerprint(&Template::Jinja(Jinja::new(source)?), "Be brief.");
        assert_eq!(manifest["fingerprint"], expected.to_string());
    }
    Ok(())
}

#[test]
fn a_template_that_cannot_be_used_is_a_usage_error() {
    insta::assert_snapshot!(run("alpaca", "").1, @r"
    exit 2
    --- out
    --- err
    error: --template: unknown template `alpaca` (there are `headed`, `plain` and `think`, and files: `@FILE` or `FILE.jinja`)
    ");
    insta::assert_snapshot!(run("~/none.jinja", "").1, @r"
    exit 2
    --- out
    --- err
    error: --template: ~/none.jinja: cannot be read: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(run("~/mine.jinja", "{{ reasoning }}").1, @r"
    exit 2
    --- out
    --- err
    error: --template: template: does not write the response
    ");
    insta::assert_snapshot!(run("~/mine.jinja", "{{ response }}\n{{ answer }}").1, @r"
    exit 2
    --- out
    --- err
    error: --template: template: fails on a sample: `answer` is undefined: template, line 2: a variable that does not exist
    ");
}

#[test]
fn a_record_that_a_template_fails_on_is_named_and_not_quoted() {
    let (folder, shown) = run(
        "~/mine.jinja",
        "{{ response }}{% if '<b>' in reasoning %}{{ reasoning - 1 }}{% endif %}",
    );
    insta::assert_snapshot!(shown, @r"
    exit 3
    --- out
    --- err
    error: ~/in.json: index 1, line 3: template, line 1: an operation that is not possible
    ");
    assert!(!folder.path().join("t.jsonl").exists());
}
