//! What a user of the tool sees: exit codes, both streams and the files.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use cli::{Environment, Terminal};
use tempfile::TempDir;

const MANIFEST: &str = "medical_dataset.manifest.json";

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
        self.call(arguments)
    }

    /// Runs the tool with `arguments` alone.
    fn run_alone(&self, arguments: &[&str]) -> String {
        self.call(arguments.iter().map(OsString::from).collect())
    }

    fn call(&self, arguments: Vec<OsString>) -> String {
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

/// A record whose question shares no run of three words with another number's.
fn record(number: usize) -> String {
    let words: Vec<_> = (0..6).map(|word| format!("w{}", (number * 6 + word) * 7)).collect();
    let words = words.join(" ");
    format!(
        r#"{{"Question": "Q{number}: fever of 39 °C {words}?", "Complex_CoT": "Think of meningitis.", "Response": "Puncture."}}"#
    )
}

fn records(count: usize) -> String {
    records_of(&(0..count).collect::<Vec<_>>())
}

fn records_of(numbers: &[usize]) -> String {
    let records: Vec<_> = numbers.iter().map(|&number| record(number)).collect();
    format!("[\n{}\n]\n", records.join(",\n"))
}

#[test]
fn good_records_become_two_files() {
    let bench = Bench::new(&records(20));
    insta::assert_snapshot!(bench.run(&["--base-model", "gpt-4.1-mini"]), @r#"
    exit 0
    --- out
    Read 20 records from ~/in.json
      training        15  ~/t.jsonl (6,730 bytes)
      validation       5  ~/v.jsonl (2,243 bytes)
      left out         0
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Tokens for gpt-4.1-mini, counted by o200k_base
      training         1,470  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
      validation         490  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
    Training gpt-4.1-mini-2025-04-14 costs 1,470 tokens x 6 epochs x $5.00 a million = $0.04 (prices of 2026-11-22, epochs by the published rule)
    Asking it costs about $0.10 for 1,000 questions, each 89 tokens in and 9 out
    --- err
    warning: gpt-4.1-mini-2025-04-14 and models tuned from it stop answering on 2027-01-14
    "#);
    assert_eq!(bench.files(), ["in.json", MANIFEST, "t.jsonl", "v.jsonl"]);
    insta::assert_snapshot!(bench.read("v.jsonl").lines().next().unwrap(), @r###"{"messages":[{"role":"system","content":"You are an expert medical AI assistant. Given a question, first provide a detailed chain of thought (Complex_CoT) explaining your reasoning step-by-step. After the chain of thought, conclude with a concise final Response."},{"role":"user","content":"Q2: fever of 39 °C w84 w91 w98 w105 w112 w119?"},{"role":"assistant","content":"## Thinking\n\nThink of meningitis.\n\n## Final Response\n\nPuncture."}]}"###);
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
      training        10  ~/t.jsonl (1,593 bytes)
      validation       0
      left out         0
    Template plain, seed 42, fingerprint 96cb1cb1e46b
    Tokens for smollm2-135m-instruct, counted by o200k_base
      an estimate: smollm2-135m-instruct is not on this machine yet
      training           420  mean 42, longest 42 (question 52 %, reasoning 12 %, response 10 %, frame 26 %)
    Training: smollm2-135m-instruct trains on this machine at no charge, in a time that is not known yet
    --- err
    warning: ~/v.jsonl of an earlier run is removed: this one has no validation examples
    "#);
    assert_eq!(bench.files(), ["in.json", MANIFEST, "t.jsonl"]);
    insta::assert_snapshot!(bench.read("t.jsonl").lines().next().unwrap(), @r#"{"messages":[{"role":"user","content":"Q7: fever of 39 °C w294 w301 w308 w315 w322 w329?"},{"role":"assistant","content":"Think of meningitis.\n\nPuncture."}]}"#);
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
      training         2  ~/t.jsonl (884 bytes)
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
    Tokens for smollm2-135m-instruct, counted by o200k_base
      an estimate: smollm2-135m-instruct is not on this machine yet
      training           196  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
    Training: smollm2-135m-instruct trains on this machine at no charge, in a time that is not known yet
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
    insta::assert_snapshot!(report["rejected_records"], @r#"[{"source":"~/in.json","index":1,"line":1,"offset":125,"reason":"not_an_object","field":null}]"#);
    assert_eq!(report["inputs"][0]["bytes"], fs::metadata(bench.path("in.json"))?.len());
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
    hint: --download fetches medical_o1_sft_mix.json of FreedomIntelligence/medical-o1-reasoning-SFT from the Hugging Face hub; or try the bundled sample: prepare-data --input examples/data/medical_sample.json
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
    warning: ~/in.json: index 0, line 1: field `Question` is missing
    error: ~/in.json: no usable record: 1 record read, 1 left out
    error: ~/in.json: no usable record: 0 records read, 0 left out
    warning: ~/in.json: index 0, line 1: the record is not an object
    error: ~/in.json: no usable record: 1 record read, 1 left out
    error: ~/in.json: index 10, line 12: the input ends before the record does, so the file is cut short or a quote is missing
    error: ~/in.json: line 1, byte 7: expected nothing after the array (1 read before)
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
fn several_inputs_of_any_format_are_read_as_one() {
    let bench = Bench::new(&records(12));
    fs::write(bench.path("b.csv"), "frage,reasoning,answer\nWarum?,\"Da,\nhalb\",So.\n,c,r\n")
        .unwrap();
    fs::write(bench.path("c.json"), format!("{}\nnull\n", record(90))).unwrap();
    let [first, second, third] = ["in.json", "b.csv", "c.json"].map(|name| bench.path(name));
    let arguments = ["--input", &first, &third, "--rejects", &bench.path("r.jsonl")];
    insta::assert_snapshot!(bench.run(&arguments), @r#"
    exit 0
    --- out
    Read 14 records from 2 inputs
      training         8  ~/t.jsonl (3,595 bytes)
      validation       5  ~/v.jsonl (2,234 bytes)
      left out         1
               1  not_an_object
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Tokens for smollm2-135m-instruct, counted by o200k_base
      an estimate: smollm2-135m-instruct is not on this machine yet
      training           790  mean 98, longest 104 (question 23 %, reasoning 5 %, response 4 %, frame 68 %)
      validation         490  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
    Training: smollm2-135m-instruct trains on this machine at no charge, in a time that is not known yet
    --- err
    warning: ~/c.json: index 1, line 2: the record is not an object
    "#);
    insta::assert_snapshot!(bench.read("r.jsonl").replace(bench.0.path().to_str().unwrap(), "~"), @r#"{"source":"~/c.json","index":1,"line":2,"offset":138,"reason":"not_an_object","field":null}"#);
    let arguments =
        ["--input", &second, "--question-field", "frage", "--rejects", &bench.path("r.jsonl")];
    assert!(bench.run(&arguments).starts_with("exit 0"));
    assert!(bench.read("t.jsonl").contains(r#""content":"Warum?""#));
    insta::assert_snapshot!(bench.read("r.jsonl").replace(bench.0.path().to_str().unwrap(), "~"), @r#"{"source":"~/b.csv","index":1,"line":4,"offset":45,"reason":"empty_field","field":"frage"}"#);
}

#[test]
fn the_manifest_says_what_became_of_each_record() -> anyhow::Result<()> {
    let bench = Bench::new(&format!("[null, {}]", records(12).trim().trim_matches(['[', ']'])));
    bench.run(&[]);
    let manifest: serde_json::Value = serde_json::from_str(&bench.read(MANIFEST))?;
    assert_eq!(manifest["version"], prepare_data::MANIFEST_VERSION);
    let records = manifest["records"].as_array().unwrap();
    let indices = records.iter().map(|record| record["index"].as_u64().unwrap());
    assert!(indices.eq(1..13));
    insta::assert_snapshot!(records[0], @r#"{"content":"c555dddbcaacd75f15e3f464f383c26c","side":"valid","input":0,"index":1}"#);
    let valid = records.iter().filter(|record| record["side"] == "valid").count();
    assert_eq!((valid, bench.read("v.jsonl").lines().count()), (5, 5));
    assert_eq!(manifest["train_file"]["lines"], 7);
    // The same record elsewhere has the same name.
    let other = Bench::new(&records_of(&[5, 0]));
    other.run(&[]);
    let other: serde_json::Value = serde_json::from_str(&other.read(MANIFEST))?;
    assert_eq!(other["records"][1]["content"], records[0]["content"]);
    assert_ne!(other["records"][0]["content"], records[0]["content"]);
    Ok(())
}

#[test]
fn strict_stops_at_the_first_bad_record_and_writes_nothing() {
    let bench = Bench::new(&format!("[{}, null]", record(0)));
    insta::assert_snapshot!(bench.run(&["--strict"]), @r#"
    exit 3
    --- out
    --- err
    error: ~/in.json: index 1, line 1: the record is not an object
    hint: --strict stops at the first such record
    "#);
    assert_eq!(bench.files(), ["in.json"]);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let bench = Bench::new(&records(20));
    fs::write(bench.path("v.jsonl"), "old").unwrap();
    let rejects = bench.path("r.jsonl");
    insta::assert_snapshot!(bench.run(&["--dry-run", "--rejects", &rejects]), @r#"
    exit 0
    --- out
    Read 20 records from ~/in.json
      training        15
      validation       5
      left out         0
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Tokens for smollm2-135m-instruct, counted by o200k_base
      an estimate: smollm2-135m-instruct is not on this machine yet
      training         1,470  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
      validation         490  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
    Training: smollm2-135m-instruct trains on this machine at no charge, in a time that is not known yet
    --- err
    "#);
    assert_eq!(bench.files(), ["in.json", "v.jsonl"]);
    assert_eq!(bench.read("v.jsonl"), "old");
}

#[test]
fn rejects_are_listed_also_where_nothing_is_usable() {
    let bench = Bench::new("[1, null]");
    let rejects = bench.path("r.jsonl");
    assert!(bench.run(&["--rejects", &rejects]).starts_with("exit 3"));
    assert_eq!(bench.read("r.jsonl").lines().count(), 2);
}

#[test]
fn repeats_are_left_out_and_near_repeats_stay_together() -> anyhow::Result<()> {
    let near = record(3).replace("fever of 39", "fevers of 39");
    let exact = record(5).replace("Think of", "THINK  of");
    let bench =
        Bench::new(&format!("[{}, {near}, {exact}]", records(40).trim().trim_matches(['[', ']'])));
    let report = bench.path("report.json");
    insta::assert_snapshot!(bench.run(&["--report", &report, "--near-threshold", "0.5"]), @r#"
    exit 0
    --- out
    Read 42 records from ~/in.json
      training        36  ~/t.jsonl (16,271 bytes)
      validation       5  ~/v.jsonl (2,249 bytes)
      left out         1
               1  repeat
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Near repeats: 1 record with a question like an earlier one's, on the same side as that
    Tokens for smollm2-135m-instruct, counted by o200k_base
      an estimate: smollm2-135m-instruct is not on this machine yet
      training         3,625  mean 100, longest 104 (question 25 %, reasoning 5 %, response 4 %, frame 67 %)
      validation         491  mean 98, longest 99 (question 23 %, reasoning 5 %, response 4 %, frame 68 %)
    Training: smollm2-135m-instruct trains on this machine at no charge, in a time that is not known yet
    --- err
    warning: ~/in.json: index 41, line 42: the record repeats an earlier one
    "#);
    let report: serde_json::Value = serde_json::from_str(&bench.read("report.json"))?;
    insta::assert_snapshot!(report["rejected_records"].to_string().replace(bench.0.path().to_str().unwrap(), "~"), @r#"[{"source":"~/in.json","index":41,"line":42,"offset":5526,"reason":"repeat","field":null,"repeat_of":{"source":"~/in.json","index":5}}]"#);
    insta::assert_snapshot!(report["repeats"].to_string().replace(bench.0.path().to_str().unwrap(), "~"), @r#"{"exact":1,"near":1,"threshold":0.5,"near_pairs":[{"first":{"source":"~/in.json","index":3},"second":{"source":"~/in.json","index":40},"similarity":0.667}]}"#);
    for file in ["t.jsonl", "v.jsonl"] {
        let text = bench.read(file);
        assert_eq!(text.contains("\"Q3: fever of"), text.contains("\"Q3: fevers of"), "{file}");
    }
    Ok(())
}

#[test]
fn a_stable_split_keeps_every_record_on_its_side() {
    let valid = |count| {
        let bench = Bench::new(&records(count));
        bench.run(&["--split", "stable", "--valid-fraction", "0.3"]);
        let text = bench.read("v.jsonl");
        (0..count).filter(|number| text.contains(&format!("\"Q{number}: "))).collect::<Vec<_>>()
    };
    let (small, large) = (valid(40), valid(80));
    assert!(small.len() > 5, "{small:?}");
    assert!(large.iter().filter(|number| **number < 40).eq(&small), "{small:?} {large:?}");
}

#[test]
fn a_model_on_this_machine_counts_with_its_own_tokenizer() {
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama/model.gguf");
    let bench = Bench::new(&records(3));
    let report = bench.path("report.json");
    let printed = bench.run(&["--base-model", model.to_str().unwrap(), "--report", &report]);
    assert!(printed.contains("counted by the model's own tokenizer"), "{printed}");
    assert!(printed.contains("Training here takes about "), "{printed}");
    let report: serde_json::Value = serde_json::from_str(&bench.read("report.json")).unwrap();
    assert_eq!(report["tokens"]["doubt"], serde_json::Value::Null);
    // Far more tokens than an encoding with 200,000 entries needs.
    assert!(report["tokens"]["train"]["total"].as_u64() > Some(400), "{report}");
}

#[test]
fn a_price_table_of_the_users_own_is_used_or_named() {
    let bench = Bench::new(&records(12));
    let run = |table: &str| {
        fs::write(bench.path("p.toml"), table).unwrap();
        bench.run(&["--dry-run", "--base-model", "gpt-4.1", "--price-table", &bench.path("p.toml")])
    };
    let row = |price: &str| {
        format!(
            "version = 1\nas_of = \"2026-12-01\"\n[[model]]\nid = \"gpt-4.1\"\nfine_tunable = true\n\
             source = \"a test\"\ntraining_usd_per_million = {price}\n"
        )
    };
    let printed = run(&row("100.0"));
    assert!(printed.contains("x $100.00 a million"), "{printed}");
    assert!(printed.contains("prices of 2026-12-01"), "{printed}");
    assert!(!printed.contains("Asking"), "{printed}");
    insta::assert_snapshot!(run(&row("-1.0")), @r"
    exit 3
    --- out
    --- err
    error: --price-table: ~/p.toml: price table: model `gpt-4.1`: `training_usd_per_million` is not a price
    ");
    fs::remove_file(bench.path("p.toml")).unwrap();
    let absent = bench.run(&["--dry-run", "--price-table", &bench.path("p.toml")]);
    assert!(absent.starts_with("exit 2") && absent.contains("--price-table: ~/p.toml"), "{absent}");
}

const CHAT: &str = r#"{"messages": [{"role": "user", "content": "Fever?"}, {"role": "assistant", "content": "Rest."}]}"#;

#[test]
fn a_chat_file_is_checked_by_line_and_message() {
    let bench = Bench::new("");
    let chats = [
        CHAT,
        r#"{"messages": [{"role": "human", "content": "Q"}, {"role": "assistant", "content": "A"}]}"#,
        CHAT,
        "{'messages': []}",
        "",
        r#"{"messages": [{"role": "user", "content": "Q"}]}"#,
    ];
    fs::write(bench.path("a.jsonl"), chats.join("\r\n")).unwrap();
    fs::write(bench.path("b.jsonl"), CHAT).unwrap();
    let [first, second, good] = ["a.jsonl", "b.jsonl", "good.jsonl"].map(|name| bench.path(name));
    insta::assert_snapshot!(bench.run_alone(&["check", &first, &second, "--base-model", "gpt-4.1"]), @r#"
    exit 3
    --- out
    ~/a.jsonl: 5 examples, 3 with a fault
             1  example_missing_assistant_message
             1  malformed_json
             1  unrecognized_role
      2 without a system message, 0 without a user message
      for gpt-4.1, counted by o200k_base
      messages            min 2, 10 % 2.0, median 2.0, mean 2.0, 90 % 2.0, max 2
      tokens              min 16, 10 % 16.0, median 16.0, mean 16.0, 90 % 16.0, max 16
      assistant's tokens  min 2, 10 % 2.0, median 2.0, mean 2.0, 90 % 2.0, max 2
      0 examples over the limit of 65,536 tokens, which will lose the end
      32 tokens to train on in an epoch; the service chooses 20 epochs for this many examples
    ~/b.jsonl: 1 example, 0 with a fault
      1 without a system message, 0 without a user message
      for gpt-4.1, counted by o200k_base
      messages            min 2, 10 % 2.0, median 2.0, mean 2.0, 90 % 2.0, max 2
      tokens              min 16, 10 % 16.0, median 16.0, mean 16.0, 90 % 16.0, max 16
      assistant's tokens  min 2, 10 % 2.0, median 2.0, mean 2.0, 90 % 2.0, max 2
      0 examples over the limit of 65,536 tokens, which will lose the end
      16 tokens to train on in an epoch; the service chooses 25 epochs for this many examples
    --- err
    warning: ~/a.jsonl: line 2, message 0: unrecognized_role
    warning: ~/a.jsonl: line 4: malformed_json
    warning: ~/a.jsonl: line 6: example_missing_assistant_message
    warning: ~/a.jsonl: 5 examples, and the service asks for at least 10 to train on
    warning: ~/a.jsonl: 1 repeat of one before it
    warning: ~/b.jsonl: 1 example, and the service asks for at least 10 to train on
    warning: ~/b.jsonl: 1 example also in an earlier file
    "#);
    let written = bench.run_alone(&["check", &first, "--write", &good]);
    assert!(written.starts_with("exit 0"), "{written}");
    assert_eq!(bench.read("good.jsonl").lines().count(), 2);
    assert!(bench.run_alone(&["check", &good]).starts_with("exit 0"));
    let kept =
        r#"{"role": "user", "content": "Q", "weight": 1}, {"role": "assistant", "content": "A"}"#;
    let wrong = format!(
        "{{\"id\": 1, \"messages\": [{kept}, {{\"role\": \"user\", \"content\": \"Bye\"}}]}}"
    );
    fs::write(bench.path("c.jsonl"), [CHAT, &wrong, "{'messages': []}"].join("\n")).unwrap();
    let written = bench.run_alone(&["check", &bench.path("c.jsonl"), "--write", &good]);
    assert!(written.contains("  2 examples written, 1 of them corrected\n"), "{written}");
    assert!(written.starts_with("exit 0"), "{written}");
    let line = bench.read("good.jsonl").lines().nth(1).unwrap().to_owned();
    insta::assert_snapshot!(line, @r#"{"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}]}"#);
    let both = bench.run_alone(&["check", &first, &second, "--write", &good]);
    assert!(both.starts_with("exit 2"), "{both}");
}

/// The figures that the cookbook's notebook printed for its toy file.
#[test]
#[ignore = "needs ../shared"]
fn the_cookbooks_statistics_are_met() -> anyhow::Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let golden: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(data.join("golden/cookbook_toy_stats.json"))?)?;
    let bench = Bench::new("");
    let toy = data.join("chat_jsonl/cookbook_toy.jsonl");
    let arguments = ["check", toy.to_str().unwrap(), "--base-model", "gpt-3.5-turbo", "--json"];
    let printed = bench.run_alone(&arguments);
    let json = printed.split("--- out\n").nth(1).and_then(|rest| rest.split("--- err").next());
    let report: serde_json::Value = serde_json::from_str(json.unwrap())?;
    let file = &report["files"][0];
    assert_eq!((&file["examples"], &file["faulty"]), (&golden["examples"], &golden["errors"]));
    assert_eq!(file["without_system"], golden["missing_system"]);
    assert_eq!(file["without_user"], golden["missing_user"]);
    assert_eq!(file["default_epochs"], golden["default_epochs"]);
    for (ours, theirs) in [
        ("messages", "messages"),
        ("total_tokens", "total_tokens"),
        ("assistant_tokens", "assistant_tokens"),
    ] {
        for figure in ["mean", "median", "q10", "q90"] {
            let difference =
                file[ours][figure].as_f64().unwrap() - golden[theirs][figure].as_f64().unwrap();
            assert!(difference.abs() < 1e-6, "{ours} {figure}: {difference}");
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs ../shared"]
fn defects_seen_in_the_wild_are_named() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/chat_jsonl");
    let bench = Bench::new("");
    let check = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| data.join(name)).collect();
        let paths = paths.iter().map(|path| path.to_str().unwrap());
        let arguments: Vec<_> = std::iter::once("check").chain(paths).collect();
        bench.run_alone(&arguments)
    };
    assert!(check(&["pirate_exactly_10.jsonl"]).starts_with("exit 0"));
    assert!(check(&["defect_python_dicts.jsonl"]).contains("12  malformed_json"));
    assert!(check(&["defect_no_messages_key.jsonl"]).contains("12  missing_messages_list"));
    let overlap =
        check(&["defect_crlf_duplicates_train.jsonl", "defect_crlf_duplicates_valid.jsonl"]);
    assert!(overlap.contains("10 examples also in an earlier file"), "{overlap}");
}

#[test]
fn problems_of_a_benchmark_are_found_and_dropped_if_asked() -> anyhow::Result<()> {
    let stem =
        "a man of 45 years comes with three days of fever and cough and pain on breathing in";
    let dirty = record(7).replace("fever of", &format!("{} and fever of", stem.to_uppercase()));
    let bench = Bench::new(&format!("[{}, {dirty}]", records(3).trim().trim_matches(['[', ']'])));
    let lines = format!(
        "{{\"problem_text\": \"Unrelated words of another problem\"}}\n{{\"problem_text\": \"So, {stem}.\"}}\n"
    );
    fs::write(bench.path("eval.jsonl"), lines).unwrap();
    fs::write(bench.path("eval.txt"), format!("Another\n{stem}\n")).unwrap();
    let [eval, text, report] =
        ["eval.jsonl", "eval.txt", "report.json"].map(|name| bench.path(name));
    let printed = bench.run(&["--against", &eval, "--report", &report]);
    assert!(
        printed.contains("Contamination: 1 record with one of 2 benchmark problems, kept\n"),
        "{printed}"
    );
    let found: serde_json::Value = serde_json::from_str(&bench.read("report.json"))?;
    let found = found["contamination"]["records"].to_string();
    insta::assert_snapshot!(found.replace(bench.0.path().to_str().unwrap(), "~"), @r#"[{"record":{"source":"~/in.json","index":3},"problem":{"source":"~/eval.jsonl","index":1},"rule":"characters"}]"#);
    let printed = bench.run(&["--against", &text, "--drop-contaminated"]);
    assert!(printed.contains("1  contaminated\n"), "{printed}");
    assert_eq!(bench.read("t.jsonl").lines().count(), 3);
    let wrong = bench.run(&["--against", &eval, "--against-field", "frage"]);
    insta::assert_snapshot!(wrong, @r#"
    exit 3
    --- out
    --- err
    error: ~/eval.jsonl: holds no problem
    hint: name the field that holds a problem's text with --against-field
    "#);
    Ok(())
}

/// Real records against real benchmarks: the figure stands in the report of the change that made it.
#[test]
#[ignore = "needs ../shared"]
fn real_benchmarks_are_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let bench = Bench::new("");
    let input = data.join("records/medical_o1_sft_real148.json");
    let mut arguments = vec!["--dry-run", "--input", input.to_str().unwrap(), "--against"];
    let files = ["medmcqa_200", "medqa_en_4op_200", "mmlu_en_medical_100", "pubmedqa_60"];
    let files = files.map(|name| data.join("eval").join(name).with_extension("jsonl"));
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let printed = bench.run(&arguments);
    assert!(printed.contains("of 560 benchmark problems"), "{printed}");
}

#[test]
fn standard_input_is_read_to_its_end() {
    let bench = Bench::new("");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_prepare-data"))
        .args(["--input", "-", "--base-model", "gpt-4.1"])
        .current_dir(bench.0.path())
        .env("HOME", bench.0.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), records(3).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("Read 3 records from standard input\n"), "{printed}");
    assert_eq!(bench.read("medical_train.jsonl").lines().count(), 3);
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

/// A record whose halves are so many repetitions of a word.
fn long_record(number: usize, [question, reasoning, response]: [usize; 3]) -> String {
    let text = |word: &str, count: usize| vec![word; count].join(" ");
    format!(
        r#"{{"Question": "Q{number} {}", "Complex_CoT": "First. {}", "Response": "{}"}}"#,
        text("fever", question),
        text("because", reasoning),
        text("rest", response)
    )
}

/// Twelve records, of which four lose different parts at 300 tokens.
fn overlong_records() -> String {
    let mut all: Vec<String> = (0..8).map(record).collect();
    for (number, sizes) in
        [[20, 100, 200], [20, 214, 100], [20, 400, 10], [400, 20, 10]].into_iter().enumerate()
    {
        all.push(long_record(number, sizes));
    }
    format!("[{}]", all.join(",\n"))
}

#[test]
fn records_beyond_the_limit_are_left_out_and_counted_by_half() -> anyhow::Result<()> {
    let bench = Bench::new(&overlong_records());
    let [rejects, report] = ["rejects.jsonl", "r.json"].map(|name| bench.path(name));
    let folder = bench.path("");
    let folder = folder.trim_end_matches('/').to_owned();
    let arguments = ["--base-model", "gpt-4.1-mini", "--max-tokens", "300"];
    let files = ["--rejects", &rejects, "--report", &report];
    let printed = bench.run(&[&arguments[..], &files].concat());
    insta::assert_snapshot!(printed, @r"
    exit 0
    --- out
    Read 12 records from ~/in.json
      training         8  ~/t.jsonl (3,575 bytes)
      validation       0
      left out         4
               4  overlong
    Template headed, seed 42, fingerprint 3c71e6ed2525
    Overlong: 4 records over 300 tokens would lose: 1 the end of the response, 1 all of the response, 1 reasoning as well, 1 even of the question; left out
    Tokens for gpt-4.1-mini, counted by o200k_base
      training           784  mean 98, longest 98 (question 22 %, reasoning 5 %, response 4 %, frame 68 %)
    Training gpt-4.1-mini-2025-04-14 costs 784 tokens x 12 epochs x $5.00 a million = $0.05 (prices of 2026-11-22, epochs by the published rule)
    Asking it costs about $0.10 for 1,000 questions, each 89 tokens in and 9 out
    --- err
    warning: ~/in.json: index 8, line 9: the record has more tokens than the model is trained on
    warning: ~/in.json: index 9, line 10: the record has more tokens than the model is trained on
    warning: ~/in.json: index 10, line 11: the record has more tokens than the model is trained on
    warning: ~/in.json: index 11, line 12: the record has more tokens than the model is trained on
    warning: 8 training examples: the service refuses a file with fewer than 10
    warning: gpt-4.1-mini-2025-04-14 and models tuned from it stop answering on 2027-01-14
    ");
    insta::assert_snapshot!(bench.read("rejects.jsonl").replace(&folder, "~").lines().next().unwrap(), @r#"{"source":"~/in.json","index":8,"line":9,"offset":1040,"reason":"overlong","field":null,"tokens":392}"#);
    let report: serde_json::Value =
        serde_json::from_str(&bench.read("r.json").replace(&folder, "~"))?;
    insta::assert_snapshot!(report["overlong"]["places"][3], @r#"{"source":"~/in.json","index":11,"tokens":502,"loss":"question","trimmed":false}"#);
    assert_eq!(report["tokens"]["train"]["over_limit"], 0);
    Ok(())
}

#[test]
fn the_reasoning_is_shortened_and_never_the_response() {
    let bench = Bench::new(&overlong_records());
    let printed = bench.run(&["--max-tokens", "300", "--overlong", "trim-reasoning"]);
    let line = printed.lines().find(|line| line.starts_with("Overlong")).unwrap();
    insta::assert_snapshot!(line, @"Overlong: 4 records over 300 tokens would lose: 1 the end of the response, 1 all of the response, 1 reasoning as well, 1 even of the question; reasoning of 3 shortened");
    let written = bench.read("t.jsonl") + &bench.read("v.jsonl");
    for number in 0..3 {
        let line = written.lines().find(|line| line.contains(&format!("Q{number} fever fever")));
        let line = line.unwrap_or_else(|| panic!("{number} is written"));
        assert!(line.matches("because").count() < 400 && line.contains("First."));
    }
    assert_eq!(written.matches("rest").count(), 310);
}

#[test]
fn where_none_may_be_too_long_only_the_report_is_written() {
    let bench = Bench::new(&overlong_records());
    let report = bench.path("r.html");
    let arguments = ["--max-tokens", "300", "--overlong", "fail", "--report", &report];
    insta::assert_snapshot!(bench.run(&arguments), @r"
    exit 3
    --- out
    --- err
    error: 4 records longer than 300 tokens, the first at index 8 of ~/in.json with 392
    hint: --overlong reject leaves them out, --overlong trim-reasoning shortens their reasoning
    ");
    assert_eq!(bench.files(), ["in.json", "r.html"]);
}

#[test]
fn a_page_tells_everything_and_holds_no_text_of_a_record() {
    let mut bad = overlong_records();
    bad.truncate(bad.len() - 1);
    let bench = Bench::new(&format!("{bad}, null, {}]", record(3)));
    let named = bench.path("<b>in.json");
    fs::rename(bench.path("in.json"), &named).unwrap();
    let [page, json] = ["r.html", "r.json"].map(|name| bench.path(name));
    bench.run(&["--input", &named, "--report", &page, "--report", &json, "--max-tokens", "300"]);
    let page = bench.read("r.html");
    for told in ["records read", "not_an_object", "repeat", "overlong", "&lt;b&gt;in.json"] {
        assert!(page.contains(told), "{told}");
    }
    assert_eq!((page.matches("<svg").count(), page.matches("plot-title\">").count()), (4, 4));
    for text in ["because", "meningitis", "fever", "<b>in", "<script", "http-equiv=\"refresh"] {
        assert!(!page.contains(text), "{text}");
    }
    assert!(!page.contains("src=") && !page.contains("href="));
    assert!(bench.read("r.json").starts_with('{'));
}
