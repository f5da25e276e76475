//! What a user of the tool sees: exit codes, both streams and the files.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use cli::{Environment, Terminal};
use tempfile::TempDir;

/// A working folder with an input file.
struct Bench(TempDir);

impl Bench {
    fn new(input: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("in.json"), input).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the tool on the folder's files with `more` arguments; everything printed, with the folder's path as `~`.
    fn run(&self, more: &[&str]) -> String {
        let paths =
            [("--input", "in.json"), ("--train-output", "t.jsonl"), ("--valid-output", "v.jsonl")];
        let paths = paths.iter().flat_map(|(flag, name)| [(*flag).to_owned(), self.path(name)]);
        let given = |flag: &str| more.contains(&flag);
        let mut arguments: Vec<OsString> = Vec::new();
        let paths: Vec<String> = paths.collect();
        for pair in paths.chunks(2).filter(|pair| !given(&pair[0])) {
            arguments.extend(pair.iter().map(OsString::from));
        }
        arguments.extend(more.iter().map(OsString::from));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = &mut Terminal::plain(&mut out, &mut err);
        let exit = prepare_data::run(arguments, &Environment::default(), terminal);
        let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
        let text = format!("exit {}\n--- out\n{out}--- err\n{err}", exit as u8);
        text.replace(self.0.path().to_str().unwrap(), "~")
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn record(number: usize) -> String {
    format!(
        r#"{{"Question": "Q{number}: fever of 39 °C and a stiff neck?", "Complex_CoT": "Think of meningitis.", "Response": "Puncture."}}"#
    )
}

fn records(count: usize) -> String {
    let records: Vec<_> = (0..count).map(record).collect();
    format!("[\n{}\n]\n", records.join(",\n"))
}

#[test]
fn good_records_become_two_files() {
    let bench = Bench::new(&records(20));
    insta::assert_snapshot!(bench.run(&["--base-model", "gpt-4.1-mini"]), @r#"
    exit 0
    --- out
    Read 20 records from ~/in.json
      training        15  ~/t.jsonl (6,549 bytes)
      validation       5  ~/v.jsonl (2,181 bytes)
      left out         0
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Tokens for gpt-4.1-mini (o200k_base)
      training         1,350  mean 90, longest 90 (question 16 %, reasoning 6 %, response 4 %, frame 74 %)
      validation         450  mean 90, longest 90 (question 16 %, reasoning 6 %, response 4 %, frame 74 %)
    Training gpt-4.1-mini-2025-04-14 costs 1,350 tokens x 6 epochs x $5.00 a million = $0.04 (prices of 2026-11-22, epochs as the service chooses them)
    --- err
    warning: gpt-4.1-mini-2025-04-14 and models tuned from it stop answering on 2027-01-14
    "#);
    assert_eq!(bench.files(), ["in.json", "t.jsonl", "v.jsonl"]);
    insta::assert_snapshot!(bench.read("v.jsonl").lines().next().unwrap(), @r###"{"messages":[{"role":"system","content":"You are an expert medical AI assistant. Given a question, first provide a detailed chain of thought (Complex_CoT) explaining your reasoning step-by-step. After the chain of thought, conclude with a concise final Response."},{"role":"user","content":"Q2: fever of 39 °C and a stiff neck?"},{"role":"assistant","content":"## Thinking\n\nThink of meningitis.\n\n## Final Response\n\nPuncture."}]}"###);
    let both = bench.read("t.jsonl") + &bench.read("v.jsonl");
    for number in 0..20 {
        assert_eq!(both.matches(&format!("\"Q{number}: fever of 39 °C")).count(), 1);
    }
}

#[test]
fn the_same_input_and_seed_give_the_same_bytes() {
    let [first, second] = [(); 2].map(|()| {
        let bench = Bench::new(&records(30));
        bench.run(&["--seed", "7"]);
        (bench.read("t.jsonl"), bench.read("v.jsonl"))
    });
    assert_eq!(first, second);
    let other = Bench::new(&records(30));
    other.run(&["--seed", "8"]);
    assert_ne!(first.1, other.read("v.jsonl"));
}

#[test]
fn up_to_ten_records_all_train_and_an_old_validation_file_goes() {
    let bench = Bench::new(&records(10));
    fs::write(bench.path("v.jsonl"), "old").unwrap();
    insta::assert_snapshot!(bench.run(&["--template", "plain", "--system-prompt", ""]), @r#"
    exit 0
    --- out
    Read 10 records from ~/in.json
      training        10  ~/t.jsonl (1,480 bytes)
      validation       0
      left out         0
    Template plain, seed 42, fingerprint 96cb1cb1e46b
    Tokens for smollm2-135m-instruct (an estimate, as it is not the model's own: o200k_base)
      training           340  mean 34, longest 34 (question 41 %, reasoning 15 %, response 12 %, frame 32 %)
    Cost or time: no price is known for smollm2-135m-instruct
    --- err
    warning: ~/v.jsonl of an earlier run is removed: this one has no validation examples
    "#);
    assert_eq!(bench.files(), ["in.json", "t.jsonl"]);
    insta::assert_snapshot!(bench.read("t.jsonl").lines().next().unwrap(), @r#"{"messages":[{"role":"user","content":"Q7: fever of 39 °C and a stiff neck?"},{"role":"assistant","content":"Think of meningitis.\n\nPuncture."}]}"#);
}

#[test]
fn bad_records_are_named_counted_and_left_out() {
    let bad = r#"7, {"Question": "q", "Complex_CoT": null, "Response": "r"},
        {"Question": "q", "Complex_CoT": "c"}, {"Question": "", "Complex_CoT": "c", "Response": "r"},
        {"Question": "q", "Complex_CoT": " \n", "Response": "r"}, {"Question": ["q"], "Complex_CoT": "c", "Response": "r"},
        {"Question": "\ud800", "Complex_CoT": "c", "Response": "r"}"#;
    let bench = Bench::new(&format!("[{}, {bad}, {}]", record(0), record(1)));
    insta::assert_snapshot!(bench.run(&[]), @r#"
    exit 0
    --- out
    Read 9 records from ~/in.json
      training         2  ~/t.jsonl (872 bytes)
      validation       0
      left out         7
               1  blank_field
               1  empty_field
               1  lone_surrogate
               1  missing_field
               1  not_an_object
               1  not_text
               1  null_field
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Tokens for smollm2-135m-instruct (an estimate, as it is not the model's own: o200k_base)
      training           180  mean 90, longest 90 (question 16 %, reasoning 6 %, response 4 %, frame 74 %)
    Cost or time: no price is known for smollm2-135m-instruct
    --- err
    warning: ~/in.json: index 1, line 1: the record is not an object
    warning: ~/in.json: index 2, line 1: field `Complex_CoT` is null
    warning: ~/in.json: index 3, line 2: field `Response` is missing
    warning: ~/in.json: index 4, line 2: field `Question` is empty
    warning: ~/in.json: index 5, line 3: field `Complex_CoT` is blank
    warning: and 2 records more left out
    "#);
    assert_eq!(bench.read("t.jsonl").lines().count(), 2);
}

#[test]
fn the_report_adds_up_and_holds_no_text_of_a_record() -> anyhow::Result<()> {
    let bench = Bench::new(&format!("[{}, null, {}]", record(0), record(1)));
    let report = bench.path("report.json");
    let printed = bench.run(&["--json", "--report", &report]);
    let written = bench.read("report.json").replace(bench.0.path().to_str().unwrap(), "~");
    assert!(printed.contains(&written), "{printed}");
    let report: serde_json::Value = serde_json::from_str(&written)?;
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("read"), count("train") + count("valid") + count("rejected"));
    assert_eq!(count("version"), u64::from(prepare_data::REPORT_VERSION));
    insta::assert_snapshot!(report["rejected_records"], @r#"[{"index":1,"line":1,"offset":120,"reason":"not_an_object","field":null}]"#);
    assert_eq!(report["input"]["bytes"], fs::metadata(bench.path("in.json"))?.len());
    assert!(!printed.contains("fever") && !printed.contains("meningitis"));
    Ok(())
}

#[test]
fn a_missing_input_says_where_to_get_one() {
    let bench = Bench::new("");
    let input = bench.path("none.json");
    insta::assert_snapshot!(bench.run(&["--input", &input]), @r#"
    exit 3
    --- out
    --- err
    error: ~/none.json: No such file or directory (os error 2)
    hint: get medical_o1_sft_mix.json from the dataset FreedomIntelligence/medical-o1-reasoning-SFT on the Hugging Face hub, or try the bundled sample: prepare-data --input examples/data/medical_sample.json
    "#);
}

#[test]
fn an_unusable_input_leaves_old_files_as_they_are() {
    let cut = records(20);
    let inputs = ["", "{}", "[]", "[null]", &cut[..cut.len() / 2], "\u{feff}[1] x"];
    let outcomes = inputs.map(|input| {
        let bench = Bench::new(input);
        fs::write(bench.path("t.jsonl"), "old").unwrap();
        let printed = bench.run(&[]);
        assert!(printed.starts_with("exit 3\n--- out\n--- err\n"), "{printed}");
        assert_eq!((bench.files().len(), bench.read("t.jsonl")), (2, "old".to_owned()));
        printed.lines().skip(3).collect::<Vec<_>>().join("\n")
    });
    insta::assert_snapshot!(outcomes.join("\n"), @r#"
    error: ~/in.json: holds no data
    error: ~/in.json: line 1: expected `[`, the start of a JSON array of records
    error: ~/in.json: no usable record: 0 read, 0 left out
    warning: ~/in.json: index 0, line 1: the record is not an object
    error: ~/in.json: no usable record: 1 read, 1 left out
    error: ~/in.json: index 10, line 12: the input ends before the record does, so the file is cut short or a quote is missing
    error: ~/in.json: line 1, byte 7: expected nothing after the array (after 1 records)
    "#);
}

#[test]
fn a_file_that_cannot_be_written_is_a_failure_and_leaves_nothing() {
    let bench = Bench::new(&records(20));
    fs::create_dir(bench.path("v.jsonl")).unwrap();
    insta::assert_snapshot!(bench.run(&[]), @r#"
    exit 1
    --- out
    --- err
    error: ~/v.jsonl: is there already and is no regular file
    "#);
    assert_eq!(bench.files(), ["in.json", "v.jsonl"]);
    let train = bench.path("no/t.jsonl");
    insta::assert_snapshot!(bench.run(&["--train-output", &train]), @r#"
    exit 1
    --- out
    --- err
    error: ~/no: No such file or directory (os error 2)
    "#);
}

#[test]
fn paths_that_meet_are_a_usage_error() {
    let bench = Bench::new(&records(2));
    let input = bench.path("./in.json");
    insta::assert_snapshot!(bench.run(&["--valid-output", &input]), @r#"
    exit 2
    --- out
    --- err
    error: --input and --valid-output are the same file: ~/./in.json
    "#);
    assert_eq!(bench.read("in.json"), records(2));
}

#[test]
fn a_system_prompt_comes_from_a_file() {
    let bench = Bench::new(&records(1));
    fs::write(bench.path("prompt.txt"), "Be brief.\nAlways.\r\n").unwrap();
    let prompt = format!("@{}", bench.path("prompt.txt"));
    bench.run(&["--system-prompt", &prompt]);
    let written = bench.read("t.jsonl");
    assert!(written.contains(r#"{"role":"system","content":"Be brief.\nAlways."}"#), "{written}");
    insta::assert_snapshot!(bench.run(&["--system-prompt", "@none.txt"]), @r#"
    exit 2
    --- out
    --- err
    error: --system-prompt: none.txt: No such file or directory (os error 2)
    "#);
}

#[test]
fn a_heading_in_a_records_own_text_is_warned_of() {
    let bench = Bench::new(
        r#"[{"Question": "q", "Complex_CoT": "a\n## Final Response\nb", "Response": "r"}]"#,
    );
    let printed = bench.run(&[]);
    assert!(printed.contains("warning: 1 example with a heading"), "{printed}");
    let plain = bench.run(&["--template", "plain"]);
    assert!(!plain.contains("heading"), "{plain}");
}

/// The token sums of the report are those that Python's tiktoken counted.
#[test]
#[ignore = "needs ../shared"]
fn real_records_count_as_in_the_golden_file() -> anyhow::Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let mut expected = [0; 3];
    for line in fs::read_to_string(data.join("golden/token_counts.jsonl"))?.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        if line["file"] == "records/medical_o1_sft_real148.json" {
            for (sum, part) in expected.iter_mut().zip(["Question", "Complex_CoT", "Response"]) {
                *sum += line["o200k_base"][part].as_u64().unwrap_or(0);
            }
        }
    }
    let bench = Bench::new("");
    let input = data.join("records/medical_o1_sft_real148.json");
    let report = bench.path("report.json");
    let arguments =
        ["--input", input.to_str().unwrap(), "--base-model", "gpt-4.1", "--report", &report];
    let printed = bench.run(&arguments);
    assert!(printed.starts_with("exit 0"), "{printed}");
    let report: serde_json::Value = serde_json::from_str(&bench.read("report.json"))?;
    assert_eq!((report["read"].clone(), report["train"].clone()), (148.into(), 133.into()));
    for (sum, part) in expected.iter().zip(["question", "reasoning", "response"]) {
        let side = |side: &str| report["tokens"][side][part].as_u64().unwrap();
        assert_eq!(side("train") + side("valid"), *sum, "{part}");
    }
    Ok(())
}
