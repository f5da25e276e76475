//! Reports with every part, and with texts that try to be markup.

use std::collections::BTreeMap;

use evaluation::guard::{Guard, Leak};
use evaluation::judge::{Preference, Question, Verdict};
use evaluation::report::{
    Agreement, ComparisonReport, Data, JudgeInfo, ModelInfo, Report, comparison_page,
    comparison_text, model_card, page, text,
};
use evaluation::{Comparison, Item, Metric, Task, Value, measures, read_by};
use template::{Template, fingerprint};

/// Text that a page must show and never run.
const HOSTILE: &str = "<script>alert('x')</script> & \"quotes\" {{ 7 * 7 }}";

fn model() -> ModelInfo {
    ModelInfo {
        id: format!("ft:tiny {HOSTILE}"),
        base_model: "tiny: \"base\"".to_owned(),
        service: "127.0.0.1".to_owned(),
        system_prompt: HOSTILE.to_owned(),
        template: "headed".to_owned(),
        fingerprint: fingerprint(&Template::Headed, HOSTILE),
        temperature: Some(0.0),
        max_tokens: Some(1500),
        sampling_seed: Some(42),
    }
}

/// Items of each task; the first choice is right where `right`.
fn items(right: bool) -> Vec<Item> {
    let mut choice = Item::new(Task::Choice, "medqa", "1");
    HOSTILE.clone_into(&mut choice.question);
    choice.choices = ["Heparin", HOSTILE].map(str::to_owned).to_vec();
    choice.reference = format!("B. {HOSTILE}");
    choice.reasoning = Some(HOSTILE.to_owned());
    choice.response = Some("The answer is B.".to_owned());
    choice.finish = Some("stop".to_owned());
    choice.read = Some("statement".to_owned());
    choice.chosen = Some('B');
    choice.log_likelihoods = vec![-3.0, -1.5];
    choice.values.insert(Metric::Accuracy, Value::yes(right));
    choice.values.insert(Metric::LikelihoodAccuracy, Value::yes(true));
    let mut second = choice.clone();
    "2".clone_into(&mut second.id);
    let mut holdout = Item::new(Task::Holdout, "holdout", "abc");
    "Why?".clone_into(&mut holdout.question);
    HOSTILE.clone_into(&mut holdout.reference);
    holdout.response = Some(String::new());
    for (metric, value) in [
        (Metric::FormatCompliance, Value::yes(false)),
        (Metric::RougeL, Value::single(0.25)),
        (Metric::ResponseWords, Value::single(12.0)),
        (Metric::JudgedCorrect, Value::yes(true)),
        (Metric::Loss, Value { part: 30.0, whole: 20.0 }),
    ] {
        holdout.values.insert(metric, value);
    }
    holdout.verdicts.push(Verdict {
        judge: "judge-1".to_owned(),
        question: Question::Correctness,
        criterion: None,
        points: None,
        yes: None,
        raw: HOSTILE.to_owned(),
    });
    let mut safety = Item::new(Task::Safety, "safety-emergency", "stroke");
    safety.response = Some("Call an ambulance.".to_owned());
    safety.values.insert(Metric::SafeByRules, Value::yes(true));
    vec![choice, second, holdout, safety]
}

fn report(right: bool) -> Report {
    let items = items(right);
    let guard = Guard {
        checked: vec!["1 question against medical_train.jsonl".to_owned()],
        unchecked: vec!["the other file".to_owned()],
        leaks: vec![Leak {
            set: "medqa".to_owned(),
            id: "1".to_owned(),
            found_by: "13 words".to_owned(),
            line: Some(7),
        }],
        mismatches: vec!["2 records have another system prompt".to_owned()],
    };
    let prompts = BTreeMap::from([("correctness".to_owned(), HOSTILE.to_owned())]);
    let judge = |model: &str| JudgeInfo {
        model: model.to_owned(),
        service: "127.0.0.1".to_owned(),
        prompts: prompts.clone(),
    };
    Report {
        version: Report::VERSION,
        tool: "evaluate".to_owned(),
        notice: "For research only.".to_owned(),
        model: model(),
        data: vec![Data {
            set: "medqa".to_owned(),
            file: "medqa.jsonl".to_owned(),
            sha256: "0".repeat(64),
            items_in_file: 9,
            items: 2,
        }],
        seed: 42,
        guard,
        measures: measures(&items, 42),
        read_by: read_by(&items),
        calibration: evaluation::choice::calibration(&items),
        judges: vec![judge("judge-1"), judge("judge-2")],
        agreement: Some(Agreement {
            judges: ["judge-1", "judge-2"].map(str::to_owned),
            items: 1,
            equal: 1.0,
            kappa: None,
        }),
        unmeasured: vec!["loss of 1 item: too long".to_owned()],
        items,
    }
}

fn comparison() -> ComparisonReport {
    let (base, tuned) = (report(false), report(true));
    let mut comparison = Comparison::of(&base.items, &tuned.items, 42);
    comparison.preferences.push(Preference {
        judge: "judge-1".to_owned(),
        tuned: 1,
        consistent: true,
        base_first: HOSTILE.to_owned(),
        tuned_first: HOSTILE.to_owned(),
    });
    ComparisonReport {
        version: Report::VERSION,
        tool: "evaluate".to_owned(),
        notice: "For research only.".to_owned(),
        base: base.model,
        tuned: tuned.model,
        seed: 42,
        guards: [base.guard, tuned.guard],
        judge: base.judges.into_iter().next(),
        comparison,
    }
}

#[test]
fn a_page_shows_every_part_escaped_and_loads_nothing() {
    for page in [page(&report(true)), comparison_page(&comparison())] {
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert!(page.contains("{{ 7 * 7 }}") && !page.contains(" 49"));
        assert!(
            page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'")
        );
        for outside in ["src=", "<link", "@import", "url(", "<iframe", "javascript:"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("For research only.") && page.contains("<svg "));
    }
}

#[test]
fn a_leak_stands_on_everything_that_is_shown() {
    let (one, two) = (report(true), comparison());
    for shown in
        [page(&one), text(&one), model_card(&one), comparison_page(&two), comparison_text(&two)]
    {
        assert!(shown.contains("LEAK: 1 measured item stands in the training data"), "{shown}");
        assert!(shown.contains("NOT ASKED AS TRAINED: 2 records"), "{shown}");
    }
}

#[test]
fn the_text_names_value_interval_chance_and_items() {
    insta::assert_snapshot!(text(&report(true)), @"
    LEAK: 1 measured item stands in the training data, so these numbers are too good.
    NOT ASKED AS TRAINED: 2 records have another system prompt.
                      metric                        value    95 % interval  chance  items
    medqa             accuracy                    100.0 %  34.2 to 100.0 %  50.0 %      2
                      accuracy by log-likelihood  100.0 %  34.2 to 100.0 %  50.0 %      2
    holdout           loss                          1.500                –              1
                      perplexity                    4.482                –              1
                      format complied with          0.0 %    0.0 to 79.3 %              1
                      ROUGE-L                       0.250                –              1
                      words of the response          12.0                –              1
                      right by the judge          100.0 %  20.7 to 100.0 %              1
    safety-emergency  as hoped, by rules          100.0 %  20.7 to 100.0 %              1
    medqa: answers read by statement 2
    calibration error of the choices: 0.182
    two judges agree in 100.0 % of 1 answers, kappa none
    note: loss of 1 item: too long
    note: the other file
    ");
    insta::assert_snapshot!(comparison_text(&comparison()), @"
    LEAK: 1 measured item stands in the training data, so these numbers are too good.
    NOT ASKED AS TRAINED: 2 records have another system prompt.
                      metric                         base    tuned  difference     95 % interval  wins/ties/losses      p  items
    medqa             accuracy                      0.0 %  100.0 %      +100.0  +100.0 to +100.0             2/0/0  0.500      2
    medqa             accuracy by log-likelihood  100.0 %  100.0 %        +0.0      +0.0 to +0.0             0/2/0  1.000      2
    holdout           loss                          1.500    1.500      +0.000                 –             0/1/0             1
    holdout           format complied with          0.0 %    0.0 %        +0.0                 –             0/1/0  1.000      1
    holdout           ROUGE-L                       0.250    0.250      +0.000                 –             0/1/0             1
    holdout           words of the response          12.0     12.0        +0.0                 –                               1
    holdout           right by the judge          100.0 %  100.0 %        +0.0                 –             0/1/0  1.000      1
    safety-emergency  as hoped, by rules          100.0 %  100.0 %        +0.0                 –             0/1/0  1.000      1
    items that changed: 2 gained, 0 lost
    preferred by the judge: tuned 1, neither 0, base 0
    ");
}

#[test]
fn a_card_has_front_matter_and_says_what_was_not_measured() {
    let card = model_card(&report(true));
    let (front_matter, body) = card.trim_start_matches("---\n").split_once("---\n").unwrap();
    insta::assert_snapshot!(front_matter.lines().take(13).collect::<Vec<_>>().join("\n"), @r#"
    base_model: "tiny: \"base\""
    pipeline_tag: text-generation
    tags:
    - medical
    - chain-of-thought
    - not-for-clinical-use
    model-index:
    - name: "ft:tiny <script>alert('x')</script> & \"quotes\" {{ 7 * 7 }}"
      results:
      - task:
          type: text-generation
        dataset:
          name: "medqa"
    "#);
    insta::assert_snapshot!(body, @r#"

    # ft:tiny <script>alert('x')</script> & "quotes" {{ 7 * 7 }}

    Fine-tuned from `tiny: "base"` to answer medical questions with its reasoning first.

    > **For research only.** The model can be wrong, incomplete or biased.

    > **LEAK: 1 measured item stands in the training data, so these numbers are too good.**

    > **NOT ASKED AS TRAINED: 2 records have another system prompt.**

    ## How it wants to be asked

    System prompt: <script>alert('x')</script> & "quotes" {{ 7 * 7 }}

    Answers follow the template `headed` (fingerprint `1a867d3e966da1e7d9c706a602c1f5b63e4794d3839285fa0b887520450528a5`).

    ## Measured

    | set | metric | value | 95 % interval | chance | items |
    |---|---|---|---|---|---|
    | medqa | accuracy | 100.0 % | 34.2 to 100.0 % | 50.0 % | 2 |
    | medqa | accuracy by log-likelihood | 100.0 % | 34.2 to 100.0 % | 50.0 % | 2 |
    | holdout | loss | 1.500 | – |  | 1 |
    | holdout | perplexity | 4.482 | – |  | 1 |
    | holdout | format complied with | 0.0 % | 0.0 to 79.3 % |  | 1 |
    | holdout | ROUGE-L | 0.250 | – |  | 1 |
    | holdout | words of the response | 12.0 | – |  | 1 |
    | holdout | right by the judge | 100.0 % | 20.7 to 100.0 % |  | 1 |
    | safety-emergency | as hoped, by rules | 100.0 % | 20.7 to 100.0 % |  | 1 |

    Temperature 0, at most 1500 tokens an answer, seed 42. Shares have Wilson's interval, means a bootstrap over items. Empty, cut and unreadable answers count as wrong.

    ## Not measured

    - Safety beyond a small set of questions without a clinician's review.
    - Whether the reasoning that it shows is what leads to its answer.
    - Fairness between groups of patients, and languages other than those of the data.
    - Use by patients or clinicians: right answers to exam questions do not show that it helps anybody.
    - loss of 1 item: too long
    - the other file
    "#);
}

#[test]
fn reports_read_back_and_a_later_version_is_refused() {
    let report = report(true);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(Report::parse(&json).unwrap(), report);
    let later = json.replacen("\"version\":1", "\"version\":2", 1);
    insta::assert_snapshot!(Report::parse(&later).unwrap_err(), @"field `version` is 2, and this program reads up to 1");
    assert!(Report::parse("{}").is_err() && Report::parse("no").is_err());
}

#[test]
fn conditions_find_measures_by_name_and_by_end() {
    let report = report(true);
    assert!((report.find("medqa.accuracy").unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(report.find("accuracy"), report.find("medqa.accuracy"));
    assert!(report.find("medqa.accuracy.low").unwrap() < 0.5);
    assert!((report.find("perplexity").unwrap() - 1.5_f64.exp()).abs() < 1e-9);
    assert_eq!(report.find("mmlu.accuracy"), None);
    let comparison = comparison();
    assert!((comparison.find("accuracy.difference").unwrap() - 1.0).abs() < 1e-12);
    assert!((comparison.find("medqa.accuracy.p").unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(comparison.find("accuracy.nothing"), None);
}
