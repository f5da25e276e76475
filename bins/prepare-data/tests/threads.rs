//! Any number of threads gives the same bytes, and says the same.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use cli::{Environment, Terminal};

/// 500 records, of which some repeat others, some are nearly alike and some are no records.
fn records() -> String {
    let record = |number: usize| match number {
        50 | 333 => "{\"Question\": null}".to_owned(),
        51 => "7".to_owned(),
        number => {
            let same = if number % 40 == 39 { number - 7 } else { number };
            let words: Vec<String> = (0..12).map(|word| format!("w{}", same * 12 + word)).collect();
            let words = words.join(" ");
            format!(
                "{{\"Question\": \"Fever, {words}?\", \"Complex_CoT\": \"It is {number} °C. {}\", \"Response\": \"Rest. {}\"}}",
                "So it goes on. ".repeat(number % 29),
                if number % 100 == 3 { "See ana@example.org" } else { "" },
            )
        }
    };
    let lines: Vec<String> =
        (0..500).map(|number| record(if number % 90 == 89 { 4 } else { number })).collect();
    lines.join("\n") + "\n"
}

/// Everything that a run with `threads` threads writes and prints.
fn check(threads: &str) -> anyhow::Result<Vec<(String, String)>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("in.jsonl"), records())?;
    fs::write(path("problems.txt"), "fever w1200 w1201 w1202 w1203 w1204 w1205\n")?;
    let mut arguments = vec!["--base-model".to_owned(), "gpt-4.1-mini".to_owned()];
    for (flag, name) in [
        ("--input", "in.jsonl"),
        ("--train-output", "t.jsonl"),
        ("--valid-output", "v.jsonl"),
        ("--rejects", "rejects.jsonl"),
        ("--report", "report.json"),
        ("--against", "problems.txt"),
    ] {
        arguments.extend([flag.to_owned(), path(name)]);
    }
    arguments.extend(["--drop-contaminated", "--threads", threads].map(str::to_owned));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.into_iter().map(OsString::from).collect();
    let terminal = &mut Terminal::plain(&mut out, &mut err);
    let exit = prepare_data::run(arguments, &Environment::default(), terminal);
    assert_eq!(exit as u8, 0, "{}", String::from_utf8_lossy(&err));
    let clean = |text: String| text.replace(&folder.path().display().to_string(), "~");
    let mut all = vec![
        ("out".to_owned(), clean(String::from_utf8(out)?)),
        ("err".to_owned(), clean(String::from_utf8(err)?)),
    ];
    for entry in fs::read_dir(folder.path())? {
        let path = entry?.path();
        let name = path.file_name().map_or(path.as_path(), Path::new).display().to_string();
        all.push((name, clean(fs::read_to_string(&path)?)));
    }
    all.sort();
    Ok(all)
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() -> anyhow::Result<()> {
    let one = check("1")?;
    assert_eq!(one.len(), 9);
    let report = one.iter().find(|(name, _)| name == "report.json").map(|(_, text)| text);
    let report: serde_json::Value = serde_json::from_str(report.map_or("", |text| text))?;
    let reasons = report["rejected_by_reason"].to_string();
    assert_eq!(reasons, r#"{"contaminated":1,"not_an_object":1,"null_field":2,"repeat":5}"#);
    for threads in ["2", "5"] {
        assert!(check(threads)? == one, "{threads}");
    }
    Ok(())
}
