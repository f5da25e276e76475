use super::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn error(rows: &str) -> String {
    PriceTable::from_toml(&format!("version = 1\nas_of = \"2026-11-22\"\n{rows}"))
        .unwrap_err()
        .to_string()
}

#[test]
fn the_bundled_table_is_dated_and_every_row_has_a_source() {
    let table = PriceTable::bundled();
    assert_eq!(table.as_of.to_string(), "2026-11-22");
    assert_eq!(table.training_ends, Some(day("2027-01-06")));
    assert!(table.models.len() >= 9);
    for row in &table.models {
        assert!(!row.source.is_empty(), "{}", row.id);
        assert!(
            !(row.fine_tunable && row.is_shut_down(table.as_of)),
            "{} is shut down but trained",
            row.id
        );
    }
}

#[test]
fn a_model_is_found_by_its_id_its_alias_and_what_was_tuned_from_it() {
    let table = PriceTable::bundled();
    for model in
        ["gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", "ft:gpt-4.1-mini-2025-04-14:org:med:id"]
    {
        assert_eq!(table.model(model).unwrap().id, "gpt-4.1-mini-2025-04-14");
    }
    assert!(table.model("gpt-4.1-mini-2099-01-01").is_none());
}

#[test]
fn the_models_of_the_first_readme_are_shut_down() {
    let table = PriceTable::bundled();
    let row = table.model("gpt-3.5-turbo-0125").unwrap();
    assert_eq!(row.max_training_tokens, Some(16_385));
    assert!(!row.fine_tunable);
    assert!(!row.is_shut_down(day("2026-10-22")));
    assert!(row.is_shut_down(day("2026-10-23")));
}

#[test]
fn training_costs_tokens_times_epochs_times_price() {
    let table = PriceTable::bundled();
    let cost = |model: &str, tokens, epochs| {
        table.model(model).unwrap().training_cost(tokens, epochs).unwrap()
    };
    assert_eq!(cost("gpt-4.1", 1_000_000, 3).to_string(), "$75.00");
    assert_eq!(cost("gpt-3.5-turbo", 123_456, 1).to_string(), "$0.99");
    assert_eq!(cost("gpt-4o-mini", 4_306, 2).to_string(), "$0.0258");
    assert_eq!(cost("gpt-4o-mini", 0, 2).to_string(), "$0.00");
}

#[test]
fn asking_costs_what_is_read_and_what_is_written() {
    let row = PriceTable::bundled().model("gpt-4.1-mini").unwrap().clone();
    assert_eq!(row.inference_cost(1_000_000, 500_000).unwrap().to_string(), "$2.40");
    assert_eq!(ModelRow { output_usd_per_million: None, ..row }.inference_cost(1, 1), None);
}

#[test]
fn only_what_is_not_cut_is_charged() {
    let table = PriceTable::bundled();
    let row = table.model("gpt-3.5-turbo").unwrap();
    assert_eq!(
        [26, 16_385, 16_386].map(|tokens| row.billable_tokens(tokens)),
        [26, 16_385, 16_385]
    );
}

#[test]
fn a_users_table_takes_the_place_of_the_bundled_one() {
    let table = PriceTable::from_toml(
        "version = 1\nas_of = \"2027-02-01\"\n[[model]]\nid = \"house\"\nfine_tunable = true\n\
         training_usd_per_million = 2\nsource = \"our contract\"\n",
    )
    .unwrap();
    assert_eq!(table.model("house").unwrap().training_cost(500_000, 2), Some(Usd(2.0)));
    assert_eq!(table.model("gpt-4.1"), None);
}

#[test]
fn a_bad_table_is_refused_with_its_reason() {
    let row = "[[model]]\nfine_tunable = true\nsource = \"s\"\n";
    assert_eq!(
        error(&format!("{row}id = \"a\"\ninput_usd_per_million = -1.0")),
        "price table: model `a`: `input_usd_per_million` is not a price"
    );
    assert_eq!(
        error(&format!("{row}id = \"a\"\n{row}id = \"b\"\naliases = [\"a\"]")),
        "price table: model `b`: `id` is the name of an earlier row"
    );
    assert_eq!(
        error(&format!("{row}id = \"a\"\nmax_training_tokens = 0")),
        "price table: model `a`: `max_training_tokens` is zero"
    );
    assert!(
        error(&format!("{row}id = \"a\"\nshutdown_date = \"soon\""))
            .contains("`soon` is not a day")
    );
    assert!(
        error(&format!("{row}id = \"a\"\ntrainnig_price = 1"))
            .contains("unknown field `trainnig_price`")
    );
    assert_eq!(
        PriceTable::from_toml("version = 2\nas_of = \"2026-11-22\"").unwrap_err().to_string(),
        "the price table has version 2, expected 1"
    );
}
