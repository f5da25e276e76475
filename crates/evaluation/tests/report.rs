//! Reports with every part, and with texts that try to be markup.

use std::collections::BTreeMap;

use evaluation::guard::{Guard, Leak};
use evaluation::judge::{Order, Preference, Question, Said, Verdict, tallies};
use evaluation::report::{
    ComparisonReport, Data, JudgeInfo, ModelInfo, Report, agreements, asked_differently,
    comparison_page, comparison_text, model_card, page, preference_agreement, text,
};
use evaluation::{Comparison, Item, Metric, Task, Value, measures, read_by};
use template::{Template, fingerprint};

/// Text that a page must show and never run.
const HOSTILE: &str = "<script>alert('x')</script> & \"quotes\" {{ 7 * 7 }}";

fn model() -> ModelInfo {
    ModelInfo {
        id: format!("ft:tiny {HOSTILE}"),
        base_model: "tiny: \"base\"".to_owned(),
        base_on_hub: None,
        service: "127.0.0.1".to_owned(),
        system_prompt: HOSTILE.to_owned(),
        template: "headed".to_owned(),
        fingerprint: fingerprint(&Template::Headed, HOSTILE),
        temperature: Some(0.0),
        max_tokens: Some(1500),
        sampling_seed: Some(42),
        left_out: Vec::new(),
    }
}

fn said() -> Said {
    Said { raw: HOSTILE.to_owned(), ..Said::default() }
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
    holdout.verdicts.extend(["judge-1", "judge-2"].map(|judge| Verdict {
        judge: judge.to_owned(),
        question: Question::Correctness,
        criterion: None,
        points: None,
        yes: None,
        said: said(),
    }));
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
    let judge = |name: &str| JudgeInfo {
        name: name.to_owned(),
        model: name.to_owned(),
        service: "127.0.0.1".to_owned(),
        prompts: prompts.clone(),
        tallies: tallies(name, items.iter().flat_map(|item| &item.verdicts)),
        left_out: vec!["temperature".to_owned()],
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
        agreement: agreements(&items, ["judge-1", "judge-2"]),
        unmeasured: vec!["loss of 1 item: too long".to_owned()],
        items,
    }
}

fn comparison() -> ComparisonReport {
    let (base, mut tuned) = (report(false), report(true));
    tuned.model.max_tokens = Some(200);
    let mut comparison = Comparison::of(&base.items, &tuned.items, 42);
    comparison.preferences.extend(
        [("judge-1", 1, Order::Same), ("judge-1", 0, Order::First), ("judge-2", 1, Order::Same)]
            .map(|(judge, tuned, order)| Preference {
                judge: judge.to_owned(),
                id: "abc".to_owned(),
                tuned,
                order,
                base_first: said(),
                tuned_first: said(),
            }),
    );
    let names = ["judge-1", "judge-2"];
    ComparisonReport {
        version: Report::VERSION,
        tool: "evaluate".to_owned(),
        notice: "For research only.".to_owned(),
        asked_differently: asked_differently(&base.model, &tuned.model),
        base: base.model,
        tuned: tuned.model,
        seed: 42,
        guards: [base.guard, tuned.guard],
        judges: base.judges,
        preferred: names.map(|name| comparison.preferred(name)).to_vec(),
        agreement: preference_agreement(&comparison.preferences, names),
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
    medqa    accuracy                    100.0 %  34.2 to 100.0 %  50.0 %      2
             accuracy by log-likelihood  100.0 %  34.2 to 100.0 %  50.0 %      2
    holdout  loss                          1.500                –              1
             perplexity                    4.482                –              1
             format complied with          0.0 %    0.0 to 79.3 %              1
             ROUGE-L                       0.250                –              1
             words of the response          12.0                –              1
             right by the judge          100.0 %  20.7 to 100.0 %              1
    medqa: answers read by statement 2
    calibration error of the choices: 0.182
    safety questions, a small set without a clinician's review:
                      metric                value    95 % interval  chance  items
    safety-emergency  as hoped, by rules  100.0 %  20.7 to 100.0 %              1
    judge judge-1, correctness: 0 yes, 0 no, 1 unreadable and counted as no
    judge judge-2, correctness: 0 yes, 0 no, 1 unreadable and counted as no
    two judges, correctness: 100.0 % of 1 verdicts equal, no kappa, as both gave one and the same verdict throughout
    note: loss of 1 item: too long
    note: the other file
    ");
    insta::assert_snapshot!(comparison_text(&comparison()), @"
    LEAK: 1 measured item stands in the training data, so these numbers are too good.
    NOT ASKED AS TRAINED: 2 records have another system prompt.
    NOT ASKED ALIKE: the runs differ in more than the model: the most tokens of an answer (1500 and 200).
             metric                         base    tuned  difference     95 % interval  wins/ties/losses      p  items
    medqa    accuracy                      0.0 %  100.0 %      +100.0  +100.0 to +100.0             2/0/0  0.500      2
             accuracy by log-likelihood  100.0 %  100.0 %        +0.0      +0.0 to +0.0             0/2/0  1.000      2
    holdout  loss                          1.500    1.500      +0.000                 –             0/1/0             1
             perplexity                    4.482    4.482      +0.000                 –             0/1/0             1
             format complied with          0.0 %    0.0 %        +0.0                 –             0/1/0  1.000      1
             ROUGE-L                       0.250    0.250      +0.000                 –             0/1/0             1
             words of the response          12.0     12.0        +0.0                 –                               1
             right by the judge          100.0 %  100.0 %        +0.0                 –             0/1/0  1.000      1
    safety questions, a small set without a clinician's review:
                      metric                 base    tuned  difference  95 % interval  wins/ties/losses      p  items
    safety-emergency  as hoped, by rules  100.0 %  100.0 %        +0.0              –             0/1/0  1.000      1
    items that changed: 2 gained, 0 lost
    preferred by judge-1: tuned 1, neither 1, base 0 (p 1.000); of the verdicts 1 went with the first place, and count as neither
    preferred by judge-2: tuned 1, neither 0, base 0 (p 1.000)
    two judges, preference: 100.0 % of 1 verdicts equal, no kappa, as both gave one and the same verdict throughout
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

    ## Safety questions

    A small set without a clinician's review: passing does not make a model safe.

    | set | metric | value | 95 % interval | chance | items |
    |---|---|---|---|---|---|
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
