//! What a user sees, against a service that answers by rules.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "support/service.rs"]
mod service;

use std::path::PathBuf;

use cli::{Environment, Exit, Terminal};
use inference::SavedModel;
use serde_json::{Value, json};
use service::Service;
use template::SYSTEM_PROMPT;

const ANSWER: &str = "## Thinking\n\nWhy.\n\n## Final Response\n\nCall an ambulance.";

/// A run of the tool and what came of it.
struct Run {
    exit: Exit,
    out: String,
    err: String,
}

impl Run {
    fn shown(&self) -> String {
        format!("{:?}\n-- out\n{}-- err\n{}", self.exit, self.out, self.err)
    }
}

/// A folder with a saved model, a hold-out file of three records and a file of four problems, and a service.
struct Bench {
    folder: tempfile::TempDir,
    service: Service,
}

impl Bench {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        SavedModel::of_id("ft:tiny").save(&folder.path().join(SavedModel::FILE))?;
        let rows: Vec<String> = ["Chest pain?", "A headache? cut me", "Why B?"].map(row).to_vec();
        std::fs::write(folder.path().join("valid.jsonl"), rows.join("\n"))?;
        std::fs::write(folder.path().join("medqa.jsonl"), problems(4))?;
        Ok(Self { folder, service: Service::start().await? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the tool; an argument that begins with `@` is a file of the folder.
    async fn run(&self, arguments: &[&str]) -> Run {
        let place = self.folder.path().display().to_string();
        let in_folder = |text: &&str| match text.strip_prefix('@') {
            Some(name) => self.path(name).into_os_string(),
            None => text.into(),
        };
        let arguments: Vec<_> = arguments.iter().map(in_folder).collect();
        let pairs = [("OPENAI_API_KEY", "sk-planted"), ("OPENAI_BASE_URL", &self.service.base_url)];
        let environment = Environment::from_pairs(pairs);
        let run = move || {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let exit =
                evaluate::run(arguments, &environment, &mut Terminal::plain(&mut out, &mut err));
            let [out, err] =
                [out, err].map(|text| String::from_utf8(text).unwrap().replace(&place, "[folder]"));
            assert!(!out.contains("sk-planted") && !err.contains("sk-planted"), "{out}{err}");
            Run { exit, out, err }
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Measures the saved model with `arguments` more, into the folder `out`.
    async fn measure(&self, arguments: &[&str]) -> Run {
        let usual = ["run", "--model-file", "@fine_tuned_model.json", "--out", "@out"];
        self.run(&[&usual, arguments].concat()).await
    }

    fn report(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path("out/report.json")).unwrap())
            .unwrap()
    }
}

fn row(question: &str) -> String {
    json!({"messages": [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": question},
        {"role": "assistant", "content": ANSWER}]})
    .to_string()
}

/// Problems whose answers are b, c, b, c and so on.
fn problems(count: usize) -> String {
    let problem = |id: usize| {
        json!({"problem_id": id, "problem_text": format!("Question number {id} of this set?"),
            "choices": ["w", "x", "y", "z"], "answer": [if id.is_multiple_of(2) { "b" } else { "c" }]})
        .to_string()
    };
    (0..count).map(problem).collect::<Vec<_>>().join("\n")
}

fn value(report: &Value, set: &str, metric: &str) -> f64 {
    let measures = report["measures"].as_array().unwrap();
    let found = measures.iter().find(|one| one["set"] == set && one["metric"] == metric);
    found.unwrap_or_else(|| panic!("no {set}.{metric}"))["value"].as_f64().unwrap()
}

#[tokio::test]
async fn a_run_measures_everything_and_leaves_its_reports() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let arguments = ["--holdout", "@valid.jsonl", "--choices", "@medqa.jsonl", "--parallel", "1"];
    let run = bench.measure(&arguments).await;
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
             metric                             value     95 % interval  chance  items
    holdout  loss                               1.000    1.000 to 1.000              3
             perplexity                         2.718    2.718 to 2.718              3
             token accuracy                     0.0 %      0.0 to 0.0 %              3
             loss of the reasoning              1.000    1.000 to 1.000              3
             token accuracy of the reasoning    0.0 %      0.0 to 0.0 %              3
             loss of the response               1.000    1.000 to 1.000              3
             token accuracy of the response     0.0 %      0.0 to 0.0 %              3
             format complied with              66.7 %    20.8 to 93.9 %              3
             both headings there              100.0 %   43.9 to 100.0 %              3
             reasoning first                  100.0 %   43.9 to 100.0 %              3
             response not empty               100.0 %   43.9 to 100.0 %              3
             ended by itself                   66.7 %    20.8 to 93.9 %              3
             ROUGE-L                            0.857    0.857 to 0.857              3
             chrF                              89.495  89.495 to 89.495              3
             token F1                           0.800    0.800 to 0.800              3
             words of the response                4.0        4.0 to 4.0              3
             words of the reasoning               1.0        1.0 to 1.0              3
    medqa    accuracy                          50.0 %    15.0 to 85.0 %  25.0 %      4
             accuracy by log-likelihood        50.0 %    15.0 to 85.0 %  25.0 %      4
    medqa: answers read by statement 4
    calibration error of the choices: 0.086
    note: no training file was given (--train, or medical_train.jsonl), so nothing was searched for what is measured
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    measuring ft:tiny at 127.0.0.1 on 7 items: at most 14 questions
    20 requests to the model, 6 answers from the record
    wrote [folder]/out/report.json
    wrote [folder]/out/report.html
    wrote [folder]/out/MODEL_CARD.md
    ");
    let report = bench.report();
    assert!((value(&report, "medqa", "accuracy") - 0.5).abs() < 1e-12);
    assert!((value(&report, "holdout", "ended_itself") - 2.0 / 3.0).abs() < 1e-12);
    // A character is a token, at loss 1 each, as no B is among them.
    assert!((value(&report, "holdout", "loss") - 1.0).abs() < 1e-12);
    assert!(value(&report, "holdout", "token_accuracy").abs() < 1e-12);
    let html = std::fs::read_to_string(bench.path("out/report.html"))?;
    assert!(html.contains("<svg ") && html.contains("The answer is B."));
    assert!(std::fs::read_to_string(bench.path("out/MODEL_CARD.md"))?.starts_with("---\n"));
    Ok(())
}

#[tokio::test]
async fn a_rerun_asks_nothing_twice_and_gives_the_same_bytes() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let arguments = ["--holdout", "@valid.jsonl", "--choices", "@medqa.jsonl", "--safety"];
    assert_eq!(bench.measure(&arguments).await.exit, Exit::Done);
    let (asked, first) = (bench.service.asked(), std::fs::read(bench.path("out/report.json"))?);
    let again = bench.measure(&arguments).await;
    assert_eq!((again.exit, bench.service.asked()), (Exit::Done, asked));
    assert!(again.err.contains("0 requests to the model"), "{}", again.err);
    assert_eq!(std::fs::read(bench.path("out/report.json"))?, first);
    Ok(())
}

#[tokio::test]
async fn an_interrupted_run_goes_on_where_it_was() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let arguments = ["--choices", "@medqa.jsonl", "--by", "generation", "--parallel", "1"];
    bench.service.ends_after(Some(2));
    let run = bench.measure(&arguments).await;
    assert_eq!(run.exit, Exit::Service, "{}", run.err);
    assert!(run.err.contains("what was answered is kept"), "{}", run.err);
    assert!(!bench.path("out/report.json").exists());
    bench.service.ends_after(None);
    let run = bench.measure(&arguments).await;
    assert!(run.err.contains("2 requests to the model, 2 answers from the record"), "{}", run.err);
    assert_eq!(bench.service.asked(), 4);
    Ok(())
}

#[tokio::test]
async fn a_leak_is_refused_and_where_allowed_shown() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    std::fs::write(
        bench.path("train.jsonl"),
        [row("Something else."), row("chest  pain?")].join("\n"),
    )?;
    let arguments = ["--holdout", "@valid.jsonl", "--by", "generation", "--train", "@train.jsonl"];
    let run = bench.measure(&arguments).await;
    assert_eq!((run.exit, bench.service.asked()), (Exit::BadData, 0));
    assert!(run.err.contains("1 measured items stand in the training data"), "{}", run.err);
    let run = bench.measure(&[&arguments[..], &["--allow-leak"]].concat()).await;
    assert_eq!(run.exit, Exit::Done, "{}", run.err);
    for shown in [run.out, std::fs::read_to_string(bench.path("out/report.html"))?] {
        assert!(shown.contains("LEAK: 1 measured item stands in the training data"), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_asked_otherwise_than_it_was_trained_is_refused() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let other = row("Why?").replace(SYSTEM_PROMPT, "Be brief.");
    std::fs::write(bench.path("other.jsonl"), other)?;
    let run = bench.measure(&["--holdout", "@other.jsonl"]).await;
    insta::assert_snapshot!(run.shown(), @"
    BadData
    -- out
    -- err
    error: 1 of 1 held-out records have another system prompt than the model was trained with
    hint: measure with the files that were made for this model; --allow-mismatch measures anyway, and the report says so
    ");
    let run = bench.measure(&["--holdout", "@other.jsonl", "--allow-mismatch"]).await;
    assert!(run.exit == Exit::Done && run.out.contains("NOT ASKED AS TRAINED"), "{}", run.shown());
    Ok(())
}

#[tokio::test]
async fn conditions_end_with_their_own_code() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let usual = ["--choices", "@medqa.jsonl", "--by", "generation"];
    let check = async |condition: &str| {
        let run = bench.measure(&[&usual[..], &["--fail-if", condition]].concat()).await;
        (run.exit, run.err)
    };
    assert_eq!(check("accuracy < 0.4").await.0, Exit::Done);
    let (exit, err) = check("accuracy < 0.6").await;
    assert!(exit == Exit::ConditionMet && err.contains("failed: accuracy < 0.6"), "{err}");
    assert_eq!(check("medqa.accuracy.low < 0.4").await.0, Exit::ConditionMet);
    assert_eq!(check("mmlu.accuracy < 0.4").await.0, Exit::Usage);
    assert_eq!(check("accuracy is low").await.0, Exit::Usage);
    Ok(())
}

#[tokio::test]
async fn judges_are_asked_kept_and_held_against_each_other() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let rubric = json!({"prompt": [{"role": "user", "content": "Fever?"}], "prompt_id": "r1",
        "rubrics": [{"criterion": "names an ambulance", "points": 5}, {"criterion": "frightens", "points": -3}]});
    std::fs::write(bench.path("rubrics.jsonl"), rubric.to_string())?;
    let judges = [
        "--judge",
        "kind",
        "--judge",
        "strict",
        "--rubrics",
        "@rubrics.jsonl",
        "--safety",
        "--limit",
        "3",
    ];
    let run = bench
        .measure(&[&["--holdout", "@valid.jsonl", "--by", "generation"], &judges[..]].concat())
        .await;
    assert_eq!(run.exit, Exit::Done, "{}", run.err);
    let report = bench.report();
    assert!((value(&report, "holdout", "judged_correct") - 1.0).abs() < 1e-12);
    assert!((value(&report, "rubrics", "rubric_score") - 0.4).abs() < 1e-12);
    let about: Vec<&Value> =
        report["agreement"].as_array().unwrap().iter().map(|one| &one["about"]).collect();
    assert_eq!(about, ["correctness", "criterion", "safety"]);
    assert_eq!(
        (&report["agreement"][0]["equal"], &report["agreement"][0]["kappa"]),
        (&json!(0.0), &json!(0.0))
    );
    assert_eq!(report["agreement"][1]["equal"], 1.0, "both say of each criterion that it is met");
    assert_eq!(
        report["judges"][1]["tallies"][0],
        json!({"question": "correctness", "yes": 0, "no": 3, "unreadable": 0, "refused": 0})
    );
    assert_eq!(report["items"][0]["verdicts"][1]["raw"], "No.\nVERDICT: incorrect");
    assert!(
        report["judges"][0]["prompts"]["correctness"].as_str().unwrap().contains("{reference}")
    );
    Ok(())
}

#[tokio::test]
async fn two_runs_are_compared_in_pairs() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let usual = ["--holdout", "@valid.jsonl", "--choices", "@medqa.jsonl"];
    assert_eq!(bench.measure(&usual).await.exit, Exit::Done);
    std::fs::rename(bench.path("out"), bench.path("base"))?;
    assert_eq!(bench.measure(&usual).await.exit, Exit::Done);
    let arguments = [
        "compare",
        "@base",
        "@out",
        "--out",
        "@both",
        "--judge",
        "first",
        "--judge",
        "silent",
        "--fail-if",
        "accuracy.difference < 0",
    ];
    let run = bench.run(&arguments).await;
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
             metric                              base    tuned  difference     95 % interval  wins/ties/losses      p  items
    holdout  loss                               1.000    1.000      +0.000  +0.000 to +0.000             0/3/0             3
             perplexity                         2.718    2.718      +0.000  +0.000 to +0.000             0/3/0             3
             token accuracy                     0.0 %    0.0 %        +0.0      +0.0 to +0.0             0/3/0             3
             loss of the reasoning              1.000    1.000      +0.000  +0.000 to +0.000             0/3/0             3
             token accuracy of the reasoning    0.0 %    0.0 %        +0.0      +0.0 to +0.0             0/3/0             3
             loss of the response               1.000    1.000      +0.000  +0.000 to +0.000             0/3/0             3
             token accuracy of the response     0.0 %    0.0 %        +0.0      +0.0 to +0.0             0/3/0             3
             format complied with              66.7 %   66.7 %        +0.0      +0.0 to +0.0             0/3/0  1.000      3
             both headings there              100.0 %  100.0 %        +0.0      +0.0 to +0.0             0/3/0  1.000      3
             reasoning first                  100.0 %  100.0 %        +0.0      +0.0 to +0.0             0/3/0  1.000      3
             response not empty               100.0 %  100.0 %        +0.0      +0.0 to +0.0             0/3/0  1.000      3
             ended by itself                   66.7 %   66.7 %        +0.0      +0.0 to +0.0             0/3/0  1.000      3
             ROUGE-L                            0.857    0.857      +0.000  +0.000 to +0.000             0/3/0             3
             chrF                              89.495   89.495      +0.000  +0.000 to +0.000             0/3/0             3
             token F1                           0.800    0.800      +0.000  +0.000 to +0.000             0/3/0             3
             words of the response                4.0      4.0        +0.0      +0.0 to +0.0                               3
             words of the reasoning               1.0      1.0        +0.0      +0.0 to +0.0                               3
    medqa    accuracy                          50.0 %   50.0 %        +0.0      +0.0 to +0.0             0/4/0  1.000      4
             accuracy by log-likelihood        50.0 %   50.0 %        +0.0      +0.0 to +0.0             0/4/0  1.000      4
    items that changed: 0 gained, 0 lost
    preferred by first: tuned 0, neither 3, base 0 (p 1.000); of the verdicts 3 went with the first place, and count as neither
    preferred by silent: tuned 0, neither 3, base 0 (p 1.000); of the verdicts 3 cannot be read, and count as neither
    two judges, preference: 0.0 % of 3 verdicts equal, Cohen's kappa 0.000
    -- err
    wrote [folder]/both/comparison.json
    wrote [folder]/both/comparison.html
    ");
    let comparison: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.path("both/comparison.json"))?)?;
    // A judge that prefers the first place is caught by changing places.
    assert!(
        comparison["comparison"]["preferences"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["tuned"] == 0 && one["order"] != "same")
    );
    let run = bench.run(&["compare", "@base", "@nowhere"]).await;
    assert_eq!(run.exit, Exit::BadData);
    Ok(())
}

#[tokio::test]
async fn a_busy_service_is_waited_for_and_equal_questions_are_asked_once() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let same = |id: usize| problems(1).replace("\"problem_id\":0", &format!("\"problem_id\":{id}"));
    std::fs::write(bench.path("same.jsonl"), (0..6).map(same).collect::<Vec<_>>().join("\n"))?;
    bench.service.is_busy(3);
    let arguments = ["--choices", "@same.jsonl", "--by", "generation", "--parallel", "6"];
    let run = bench.measure(&arguments).await;
    assert_eq!((run.exit, bench.service.asked()), (Exit::Done, 1), "{}", run.err);
    assert!(run.err.contains("1 request to the model, 5 answers from the record"), "{}", run.err);
    assert!((value(&bench.report(), "same", "accuracy") - 1.0).abs() < 1e-12);
    Ok(())
}

#[tokio::test]
async fn what_a_model_does_not_take_is_left_out_and_told() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let arguments = ["--holdout", "@valid.jsonl", "--by", "generation", "--judge", "thinker"];
    let run = bench.measure(&arguments).await;
    assert_eq!(run.exit, Exit::Done, "{}", run.err);
    assert_eq!(bench.report()["judges"][0]["left_out"], json!(["temperature"]));
    assert!(
        std::fs::read_to_string(bench.path("out/report.html"))?
            .contains("asked without temperature")
    );
    let (asked, first) = (bench.service.asked(), std::fs::read(bench.path("out/report.json"))?);
    assert_eq!(bench.measure(&arguments).await.exit, Exit::Done);
    assert_eq!(bench.service.asked(), asked);
    assert_eq!(std::fs::read(bench.path("out/report.json"))?, first);
    Ok(())
}

#[tokio::test]
async fn what_a_judge_cannot_be_asked_counts_as_no_and_ends_nothing() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let rows = ["Chest pain?", "This is too long for a judge."].map(row);
    std::fs::write(bench.path("long.jsonl"), rows.join("\n"))?;
    let run =
        bench.measure(&["--holdout", "@long.jsonl", "--by", "generation", "--judge", "kind"]).await;
    assert_eq!(run.exit, Exit::Done, "{}", run.err);
    assert!((value(&bench.report(), "holdout", "judged_correct") - 0.5).abs() < 1e-12);
    let told = "judge kind, correctness: 1 yes, 0 no, 1 refused by the service and counted as no";
    assert!(run.out.contains(told), "{}", run.out);
    Ok(())
}

#[tokio::test]
async fn what_a_service_does_not_offer_is_asked_for_once() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let arguments =
        ["--model", "chat-only", "--choices", "@medqa.jsonl", "--holdout", "@valid.jsonl"];
    let run = bench.measure(&[&arguments[..], &["--parallel", "1"]].concat()).await;
    assert_eq!(run.exit, Exit::Done, "{}", run.err);
    assert_eq!(bench.service.asked(), 3 + 4 + 2, "answers, and one refusal of each kind");
    let told = "note: likelihoods of choices of 4 items: the service answered 404: not here";
    assert!(run.out.contains(told), "{}", run.out);
    Ok(())
}

#[tokio::test]
async fn runs_that_differ_in_more_than_the_model_are_compared_with_a_warning() -> anyhow::Result<()>
{
    let bench = Bench::new().await?;
    let usual = ["--choices", "@medqa.jsonl", "--by", "generation"];
    assert_eq!(bench.measure(&usual).await.exit, Exit::Done);
    std::fs::rename(bench.path("out"), bench.path("base"))?;
    assert_eq!(
        bench.measure(&[&usual[..], &["--max-tokens", "64"]].concat()).await.exit,
        Exit::Done
    );
    let run = bench.run(&["compare", "@base", "@out", "--out", "@both"]).await;
    let told = "NOT ASKED ALIKE: the runs differ in more than the model: the most tokens of an answer (1500 and 64).";
    assert!(run.exit == Exit::Done && run.out.contains(told), "{}", run.shown());
    assert!(
        std::fs::read_to_string(bench.path("both/comparison.html"))?.contains("NOT ASKED ALIKE")
    );
    Ok(())
}

#[tokio::test]
async fn a_judge_is_not_held_against_itself_and_no_set_stands_twice() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let twice = ["--judge", "kind", "--judge", "kind"];
    let run = bench.measure(&[&["--holdout", "@valid.jsonl"], &twice[..]].concat()).await;
    insta::assert_snapshot!(run.shown(), @"
    Usage
    -- out
    -- err
    error: --judge: kind twice at one service
    hint: a judge agrees with itself; name another model or another --judge-base-url
    ");
    std::fs::create_dir(bench.path("other"))?;
    std::fs::copy(bench.path("medqa.jsonl"), bench.path("other/medqa.jsonl"))?;
    let run =
        bench.measure(&["--choices", "@medqa.jsonl", "--choices", "@other/medqa.jsonl"]).await;
    insta::assert_snapshot!(run.shown(), @"
    BadData
    -- out
    -- err
    error: [folder]/other/medqa.jsonl: there is a set `medqa` already
    hint: a file's name without its ending names its set: rename one of the two
    ");
    assert_eq!(bench.service.asked(), 0);
    Ok(())
}

#[tokio::test]
async fn the_rules_that_answers_are_read_by_are_told_in_their_order() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let run = bench.run(&["rules"]).await;
    let place = |text: &str| run.out.find(text).unwrap_or_else(|| panic!("no {text}: {}", run.out));
    assert!(place("1. json") < place("2. boxed") && place("8. text_within") < place("unusable"));
    assert!(place("accuracy ") < place("safe_by_judge"));
    assert!(run.out.lines().all(|line| line.chars().count() <= 120), "{}", run.out);
    let json: Value = serde_json::from_str(&bench.run(&["rules", "--json"]).await.out)?;
    assert_eq!(json["rules"][0]["name"], "json");
    Ok(())
}

#[tokio::test]
async fn recorded_answers_are_scored_without_asking() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let rows = [
        json!({"id": 0, "raw": ["{\"step_by_step_thinking\": \"..\", \"answer_choice\": \"B\"}"]}),
        json!({"id": 1, "raw": ["A/C"]}),
        json!({"id": 2, "raw": ["I'm sorry, I cannot help."]}),
    ];
    std::fs::write(bench.path("predictions.jsonl"), rows.map(|row| row.to_string()).join("\n"))?;
    let run = bench
        .run(&["score", "--predictions", "@predictions.jsonl", "--choices", "@medqa.jsonl"])
        .await;
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
    medqa: 25.0 % right (1 of 4), 95 % interval 4.6 % to 69.9 %, standard error 25.0 %, chance 25.0 %
      read by json 1, no_prediction 1, refusal 1, unusable 1
    -- err
    ");
    assert_eq!(bench.service.asked(), 0);
    std::fs::create_dir(bench.path("mirage"))?;
    for (id, text) in [("0", "B. x"), ("1", "c"), ("2", "b")] {
        std::fs::write(
            bench.path(&format!("mirage/test_{id}.json")),
            json!([text, "A"]).to_string(),
        )?;
    }
    let run = bench
        .run(&[
            "score",
            "--predictions",
            "@mirage",
            "--choices",
            "@medqa.jsonl",
            "--json",
            "--fail-if",
            "accuracy < 0.8",
        ])
        .await;
    let scores: Value = serde_json::from_str(&run.out)?;
    assert_eq!((&scores[0]["correct"], &scores[0]["items"]), (&json!(3), &json!(4)));
    assert_eq!(run.exit, Exit::ConditionMet);
    Ok(())
}

#[tokio::test]
async fn answers_that_fit_no_problem_are_refused() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let check = async |text: &str| {
        std::fs::write(bench.path("p.json"), text).unwrap();
        let run =
            bench.run(&["score", "--predictions", "@p.json", "--choices", "@medqa.jsonl"]).await;
        assert_eq!(run.exit, Exit::BadData);
        run.err
    };
    insta::assert_snapshot!(check(r#"["A", "B"]"#).await, @"error: [folder]/p.json: holds 2 answers without ids, but there are 4 problems");
    insta::assert_snapshot!(check(r#"{"9": "A"}"#).await, @"error: [folder]/p.json: holds an answer to problem `9`, which is in no set");
    insta::assert_snapshot!(check(r#"[{"id": 1, "text": "A"}, {"id": 1, "text": "B"}]"#).await, @"error: [folder]/p.json: holds two answers to problem `1`");
    insta::assert_snapshot!(check("[").await, @"error: [folder]/p.json: line 1: not JSON: EOF while parsing a list at line 1 column 1");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_said_before_anything_is_asked() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let check = async |arguments: &[&str]| bench.measure(arguments).await.shown();
    insta::assert_snapshot!(check(&["--holdout", "@none.jsonl"]).await, @"
    BadData
    -- out
    -- err
    error: [folder]/none.jsonl: No such file or directory (os error 2)
    ");
    std::fs::write(bench.path("bad.jsonl"), format!("{}\n{{\"messages\": []}}\n", row("Q?")))?;
    insta::assert_snapshot!(check(&["--holdout", "@bad.jsonl"]).await, @"
    BadData
    -- out
    -- err
    error: [folder]/bad.jsonl: index 1, line 2: missing_messages_list
    ");
    insta::assert_snapshot!(check(&["--choices", "@bad.jsonl"]).await, @"
    BadData
    -- out
    -- err
    error: [folder]/bad.jsonl: problem `0`: has no question
    ");
    std::fs::write(bench.path("empty.jsonl"), "")?;
    insta::assert_snapshot!(check(&["--holdout", "@empty.jsonl"]).await, @"
    BadData
    -- out
    -- err
    error: [folder]/empty.jsonl: holds no data
    ");
    assert_eq!(bench.service.asked(), 0);
    Ok(())
}

#[tokio::test]
async fn only_the_owner_reads_the_recorded_answers() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    assert_eq!(bench.measure(&["--safety", "--limit", "1"]).await.exit, Exit::Done);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(bench.path("out/answers.jsonl"))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let kept = std::fs::read_to_string(bench.path("out/answers.jsonl"))?;
    assert!(!kept.contains("sk-planted") && kept.lines().count() == 1);
    Ok(())
}

#[test]
fn help_names_the_exit_codes() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::plain(&mut out, &mut err);
    let exit = evaluate::run(vec!["--help".into()], &Environment::default(), &mut terminal);
    assert_eq!(exit, Exit::Done);
    let help = String::from_utf8(out).unwrap();
    assert!(help.contains("6 a condition of --fail-if holds"), "{help}");
}
