//! What is found in real records of a public dataset, which should hold no patient.

use identifiers::scan;

#[test]
#[ignore = "needs ../shared"]
#[expect(
    clippy::print_stdout,
    reason = "the records are public, and each finding is to be looked at"
)]
fn shared_records_of_a_public_dataset_hold_no_identifiers() -> anyhow::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/records/medical_o1_sft_real148.json"
    );
    let records: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut found = 0;
    for (index, record) in records.iter().enumerate() {
        for (field, text) in
            record.iter().filter_map(|(field, value)| Some((field, value.as_str()?)))
        {
            for finding in scan(text) {
                found += 1;
                println!("record {index}, {field}: {finding}: {}", &text[finding.range.clone()]);
            }
        }
    }
    println!("{found} findings in {} records", records.len());
    assert!(records.len() == 148 && found == 0, "{found} findings in {} records", records.len());
    Ok(())
}
