//! Any bytes as records: array, lines, table, Parquet, gzip or Zstandard, as their content says.

#![no_main]

use dataset::{Entry, Limits, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { record_bytes: 1 << 16, depth: 16 };
    let mut reader = Reader::new(bytes, limits);
    let mut count = 0;
    for entry in reader.by_ref() {
        let Ok(entry) = entry else { break };
        let place = match &entry {
            Entry::Record(record) => record.place,
            Entry::Rejection(rejection) => rejection.place,
        };
        assert_eq!(place.index, count, "no entry is lost or counted twice");
        if let Entry::Record(record) = &entry {
            let texts = [&record.question, &record.reasoning, &record.response];
            assert!(texts.iter().all(|text| !text.trim().is_empty()));
        }
        count += 1;
    }
    assert!(reader.next().is_none(), "what has ended stays so");
});
