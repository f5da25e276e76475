//! The dataset fetched from a server that speaks the hub's protocol.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

#[path = "../../../crates/hub/tests/server/mod.rs"]
mod server;

use std::ffi::OsString;
use std::fs;

use cli::{Environment, Terminal};
use server::Hub;
use tempfile::TempDir;

fn records() -> Vec<u8> {
    let record = |number: usize| {
        format!(
            r#"{{"Question": "Q{number}?", "Complex_CoT": "C{number}", "Response": "R{number}"}}"#
        )
    };
    let all: Vec<String> = (0..2000).map(record).collect();
    format!("[{}]", all.join(",\n")).into_bytes()
}

fn hub() -> Hub {
    Hub { content: records(), ..Hub::new() }
}

fn run(folder: &TempDir, hub: &Hub, more: &[&str]) -> String {
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let fixed = [
        ("--dataset", "owner/records".to_owned()),
        ("--dataset-file", "data/records.json".to_owned()),
        ("--train-output", path("t.jsonl")),
        ("--valid-output", path("v.jsonl")),
    ];
    let mut arguments: Vec<OsString> = vec!["--download".into()];
    let input = ("--input", path("records.json"));
    for (flag, value) in fixed.into_iter().chain([input]).filter(|(flag, _)| !more.contains(flag)) {
        arguments.extend([OsString::from(flag), value.into()]);
    }
    arguments.extend(more.iter().map(OsString::from));
    let environment = Environment::from_pairs([("HF_ENDPOINT", hub.address.as_str())]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = &mut Terminal::plain(&mut out, &mut err);
    let exit = prepare_data::run(arguments, &environment, terminal);
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    let text = format!("exit {}\n--- out\n{out}--- err\n{err}", exit as u8);
    text.replace(folder.path().to_str().unwrap(), "~").replace(&hub.address, "[hub]")
}

fn ends(text: &str) -> (&str, &str) {
    (text.lines().next().unwrap(), text.split("--- err\n").nth(1).unwrap())
}

#[test]
fn the_file_is_fetched_named_in_the_manifest_and_prepared() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let hub = hub().start();
    let text = run(&folder, &hub, &[]);
    insta::assert_snapshot!(ends(&text).1, @"~/records.json: 134,670 bytes of owner/records at 01234567");
    assert_eq!(ends(&text).0, "exit 0");
    assert_eq!(fs::read(folder.path().join("records.json"))?, records());
    let manifest = fs::read(folder.path().join("medical_dataset.manifest.json"))?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    insta::assert_snapshot!(manifest["inputs"][0]["origin"], @r#"{"dataset":"owner/records","file":"data/records.json","commit":"0123456789abcdef0123456789abcdef01234567"}"#);
    assert_eq!(manifest["inputs"][0]["sha256"], server::sha256(&records()));
    let again = run(&folder, &hub, &[]);
    insta::assert_snapshot!(ends(&again).1, @"~/records.json: 134,670 bytes of owner/records at 01234567, which was here");
    assert_eq!(hub.sent(), records().len());
    Ok(())
}

#[test]
fn a_download_that_breaks_off_goes_on_with_the_next_command() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut hub = Hub { break_after: 20_000, break_always: true, ..hub() }.start();
    let text = run(&folder, &hub, &[]);
    insta::assert_snapshot!(text, @r"
    exit 4
    --- out
    --- err
    error: the Hugging Face hub at [hub] cannot be used: end of file before message length reached
    hint: the same command again goes on where it broke off; HF_ENDPOINT names a mirror
    ");
    let sent = hub.sent();
    hub.break_after = usize::MAX;
    let whole = hub.start();
    let text = run(&folder, &whole, &[]);
    assert_eq!(ends(&text).0, "exit 0", "{text}");
    assert_eq!((sent > 0, whole.sent()), (true, records().len()));
    Ok(())
}

#[test]
fn what_cannot_be_fetched_is_named_with_what_to_do() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let hub = hub().start();
    let missing = run(&folder, &hub, &["--dataset-file", "none.json"]);
    let named = run(&folder, &hub, &["--dataset", "records"]);
    let two = run(&folder, &hub, &["--input", "a.json", "b.json"]);
    fs::write(folder.path().join("records.json"), "mine")?;
    let other = run(&folder, &hub, &[]);
    insta::assert_snapshot!([missing, named, two, other].join("\n"), @r"
    exit 4
    --- out
    --- err
    error: the Hugging Face hub at [hub] has no `none.json` of owner/records
    hint: --dataset, --dataset-file and --revision say which file is meant

    exit 2
    --- out
    --- err
    error: --dataset: `records` is no repository of the hub: expected `owner/name`

    exit 2
    --- out
    --- err
    error: --download needs a single file as --input

    exit 1
    --- out
    --- err
    error: ~/records.json is there already and is another file
    hint: move it away, or name another place with --input
    ");
    assert_eq!(fs::read_to_string(folder.path().join("records.json"))?, "mine");
    Ok(())
}
