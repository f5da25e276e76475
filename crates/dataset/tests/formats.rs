//! Inputs of every format and compression, read alike.

use std::io::Write;
use std::path::Path;

use dataset::{Entry, FieldNames, Limits, Reader};

const ROWS: [[&str; 3]; 2] =
    [["Fever?", "So,\n\"meningitis\".", "Puncture."], ["38 °C?", "c", " r "]];

fn json(row: [&str; 3]) -> serde_json::Value {
    serde_json::json!({ "Question": row[0], "Complex_CoT": row[1], "id": 7, "Response": row[2] })
}

fn array() -> Vec<u8> {
    serde_json::to_vec_pretty(&ROWS.map(json)).expect("values can be written")
}

fn lines(end: &str) -> Vec<u8> {
    ROWS.map(|row| json(row).to_string()).join(end).into_bytes()
}

fn table(delimiter: char) -> Vec<u8> {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let row = |cells: [&str; 3]| cells.map(quoted).join(&delimiter.to_string()) + "\r\n";
    let head = ["question", "complex_cot", "answer"].join(&delimiter.to_string()) + "\r\n";
    (head + &ROWS.map(row).concat()).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// What a reader makes of `bytes`: the format, then a line for each entry or error.
fn check(bytes: &[u8]) -> String {
    let mut reader = Reader::new(bytes, Limits { record_bytes: 1000, depth: 8 });
    let mut text = String::new();
    for entry in reader.by_ref() {
        let line = match entry {
            Ok(Entry::Record(record)) => {
                format!("{:?}\n", [record.question, record.reasoning, record.response])
            }
            Ok(Entry::Rejection(rejection)) => format!("{rejection}\n"),
            Err(error) => format!("error: {error}\n"),
        };
        text += &line;
    }
    let format =
        reader.format().map(|format| format!("{:?} {:?}", format.layout, format.compression));
    format!("{}\n{text}", format.as_deref().unwrap_or("no format"))
}

fn records(bytes: &[u8]) -> String {
    check(bytes).split_once('\n').map(|(_, records)| records.to_owned()).unwrap_or_default()
}

#[test]
fn every_format_gives_the_same_records() {
    let expected = records(&array());
    insta::assert_snapshot!(check(&array()), @r#"
    JsonArray None
    ["Fever?", "So,\n\"meningitis\".", "Puncture."]
    ["38 °C?", "c", " r "]
    "#);
    let bom = |bytes: Vec<u8>| [b"\xEF\xBB\xBF".to_vec(), bytes].concat();
    let others = [lines("\n"), lines("\r\n\r\n"), table(','), table('\t'), table(';')];
    for bytes in others.iter().cloned().flat_map(|bytes| [bytes.clone(), bom(bytes)]) {
        assert_eq!(records(&bytes), expected, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(records(&gzip(&bytes)), expected);
        assert_eq!(records(&zstd(&bytes)), expected);
    }
}

#[test]
fn members_and_frames_follow_each_other() {
    let whole = lines("\n");
    let (first, second) = whole.split_at(whole.len() / 3);
    let expected = records(&whole);
    assert_eq!(records(&[gzip(first), gzip(second)].concat()), expected);
    let skippable = b"\x50\x2A\x4D\x18\x03\x00\x00\x00abc".to_vec();
    assert_eq!(records(&[zstd(first), skippable, zstd(second)].concat()), expected);
    assert!(check(&gzip(&whole)).starts_with("JsonLines Gzip\n"));
    assert!(check(&zstd(&whole)).starts_with("JsonLines Zstd\n"));
}

#[test]
fn damaged_compression_is_an_error_and_not_the_end() {
    for whole in [gzip(&lines("\n")), zstd(&lines("\n"))] {
        let cut = check(&whole[..whole.len() - 3]);
        assert!(cut.contains("error: cannot be read on from byte"), "{cut}");
        let mut damaged = whole.clone();
        let at = damaged.len() - 6;
        damaged[at] ^= 0x55;
        let damaged = check(&damaged);
        assert!(damaged.contains("error: cannot be read on from byte"), "{damaged}");
    }
}

#[test]
fn bad_lines_and_rows_are_named_by_place() {
    let good = r#"{"Question": "q", "cot": "c", "output": "r"}"#;
    let bad = format!("{{\"Question\": \"q\"}}\nx\n{good} 1\n{good}");
    insta::assert_snapshot!(check(bad.as_bytes()), @r#"
    JsonLines None
    index 0, line 1: field `Complex_CoT` is missing
    index 1, line 2: the record is not valid JSON
    index 2, line 3: the record is not valid JSON
    ["q", "c", "r"]
    "#);
    let rows = b"id,Question,Complex_CoT,Response\n1,q,,r\n2,q\n3,q,c,\xff\n4,q,c,r";
    insta::assert_snapshot!(check(rows), @r#"
    Csv None
    index 0, line 2: field `Complex_CoT` is empty
    index 1, line 3: the record has another number of cells than the first line
    index 2, line 4: field `Response` is not UTF-8
    ["q", "c", "r"]
    "#);
}

#[test]
fn what_cannot_be_read_is_said() {
    let inputs: [&[u8]; 7] = [
        b" \n",
        b"PAR1\x15\x04",
        b"PK\x03\x04rest",
        b"Once upon a time\n",
        b"Question,Response\n1,2\n",
        b"{\n  \"Question\": \"q\"\n}\n",
        b"[1}",
    ];
    insta::assert_snapshot!(inputs.map(check).concat(), @r#"
    no format
    error: holds no data
    no format
    error: is a Parquet file, which cannot be read
    no format
    error: is a ZIP archive, which cannot be read
    no format
    error: line 1: neither a JSON array, nor JSON lines, nor a table whose first line names the fields
    no format
    error: line 1: no column `Complex_CoT`
    no format
    error: line 1: the object does not end on its line, so these are no JSON lines; expected `[` before it
    JsonArray None
    index 0, line 1: the record is not an object
    error: line 1, byte 2: expected `,` or `]` (1 read before)
    "#);
}

#[test]
fn a_line_cut_in_the_middle_does_not_turn_lines_into_something_else() {
    let cut =
        b"{\"Question\": \"q\", \"Comp\n{\"Question\": \"q\", \"cot\": \"c\", \"output\": \"r\"}";
    insta::assert_snapshot!(check(cut), @r#"
    JsonLines None
    index 0, line 1: the record is not valid JSON
    ["q", "c", "r"]
    "#);
}

#[test]
fn named_fields_replace_the_known_names() {
    let names = FieldNames { question: vec!["frage".to_owned()], ..FieldNames::default() };
    let line = r#"{"frage": "a", "Question": "b", "cot": "c", "output": "r"}"#;
    let reader = Reader::new(line.as_bytes(), Limits::default()).with_names(names);
    let entries: Vec<_> = reader.collect();
    let [Ok(Entry::Record(record))] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(record.question, "a");
}

#[test]
#[ignore = "needs ../shared"]
fn public_files_are_read_by_content_and_not_by_name() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/records");
    let read = |name: &str| -> anyhow::Result<Vec<_>> {
        let reader = Reader::new(std::fs::File::open(folder.join(name))?, Limits::default());
        reader
            .map(|entry| match entry? {
                Entry::Record(record) => Ok((record.question, record.reasoning, record.response)),
                Entry::Rejection(rejection) => anyhow::bail!("{rejection}"),
            })
            .collect()
    };
    assert_eq!(read("two_pretty_array_named.jsonl")?.len(), 2);
    assert_eq!(read("medical_o1_sft_real148.json")?.len(), 148);
    assert_eq!(read("first10.json")?, read("first10_bom_multiline.csv")?);
    Ok(())
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, head in 0usize..6) {
        let heads: [&[u8]; 6] =
            [b"", b"[", b"{", b"\x1F\x8B\x08", b"\x28\xB5\x2F\xFD", b"Question,CoT,output\n"];
        check(&[heads[head], &bytes].concat());
    }
}
