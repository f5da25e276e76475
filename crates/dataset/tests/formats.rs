//! Inputs of every format and compression, read alike.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dataset::{ChatReader, Entry, FieldNames, JsonReader, Limits, Reader};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

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

/// A Parquet file of two row groups with the columns `Question`, `Complex_CoT`, `Response` and `id`.
fn parquet(rows: &[[Option<&[u8]>; 3]], compression: Compression) -> Vec<u8> {
    let schema = "message m { optional binary Question (UTF8); optional binary Complex_CoT (UTF8); required int64 id; \
                  optional binary Response (UTF8); }";
    let write = || -> parquet::errors::Result<Vec<u8>> {
        let schema = Arc::new(parse_message_type(schema)?);
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
        let middle = rows.len().div_ceil(2);
        for rows in [&rows[..middle], &rows[middle..]] {
            let mut group = writer.next_row_group()?;
            for field in [0, 1, 3, 2] {
                let mut column = group.next_column()?.expect("there are four columns");
                if field == 3 {
                    let ids: Vec<i64> = rows.iter().map(|_| 7).collect();
                    column.typed::<Int64Type>().write_batch(&ids, None, None)?;
                } else {
                    let cells = || rows.iter().map(|row| row[field]);
                    let levels: Vec<i16> = cells().map(|cell| i16::from(cell.is_some())).collect();
                    let values: Vec<ByteArray> =
                        cells().flatten().map(|cell| cell.to_vec().into()).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
                }
                column.close()?;
            }
            group.close()?;
        }
        writer.close()?;
        Ok(bytes)
    };
    write().expect("a vector takes everything")
}

/// The rows in a Parquet file.
fn parquet_rows(compression: Compression) -> Vec<u8> {
    parquet(&ROWS.map(|row| row.map(|cell| Some(cell.as_bytes()))), compression)
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
fn parquet_files_of_every_usual_compression_are_read() {
    let expected = records(&array());
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    for compression in compressions {
        let bytes = parquet_rows(compression);
        assert_eq!(records(&bytes), expected, "{compression}");
        assert_eq!(records(&gzip(&bytes)), expected);
        assert_eq!(records(&zstd(&bytes)), expected);
    }
    assert!(check(&gzip(&parquet_rows(Compression::SNAPPY))).starts_with("Parquet Gzip\n"));
}

/// Chats as `datasets` writes them: a list of groups, in which a field without a value is null.
fn parquet_chats(contents: &[Option<&str>]) -> parquet::errors::Result<Vec<u8>> {
    let schema = "message m { required group messages (LIST) { repeated group list { required group element { \
                  required binary role (UTF8); optional binary content (UTF8); optional int32 weight; } } } }";
    let schema = Arc::new(parse_message_type(schema)?);
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    let text = |texts: &[&str]| -> Vec<ByteArray> {
        texts.iter().map(|text| text.as_bytes().to_vec().into()).collect()
    };
    // Each chat is a question and an answer; a level of repetition of 0 begins a row.
    let repetition: Vec<i16> = contents.iter().flat_map(|_| [0, 1]).collect();
    let roles: Vec<&str> = contents.iter().flat_map(|_| ["user", "assistant"]).collect();
    let present: Vec<i16> = vec![1; roles.len()];
    let mut column = group.next_column()?.expect("the roles");
    column.typed::<ByteArrayType>().write_batch(
        &text(&roles),
        Some(&present),
        Some(&repetition),
    )?;
    column.close()?;
    let answers: Vec<&str> =
        contents.iter().flat_map(|content| [Some("Why?"), *content]).flatten().collect();
    let levels: Vec<i16> =
        contents.iter().flat_map(|content| [2, 1 + i16::from(content.is_some())]).collect();
    let mut column = group.next_column()?.expect("the contents");
    column.typed::<ByteArrayType>().write_batch(
        &text(&answers),
        Some(&levels),
        Some(&repetition),
    )?;
    column.close()?;
    let mut column = group.next_column()?.expect("the weights");
    let levels: Vec<i16> = contents.iter().flat_map(|_| [1, 2]).collect();
    let weights = vec![1; contents.len()];
    column.typed::<Int32Type>().write_batch(&weights, Some(&levels), Some(&repetition))?;
    column.close()?;
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

#[test]
fn chats_in_a_parquet_file_are_read_as_those_in_lines() -> anyhow::Result<()> {
    let bytes = parquet_chats(&[Some("So."), None])?;
    let chats = ChatReader::new(&*bytes, Limits::default()).collect::<Result<Vec<_>, _>>()?;
    let [good, bad] = &chats[..] else { panic!("{chats:?}") };
    assert!(good.findings.is_empty(), "{good:?}");
    insta::assert_snapshot!(good.value.clone().unwrap_or_default(), @r#"{"messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":"So.","weight":1}]}"#);
    assert_eq!((bad.place.index, bad.findings[0].fault.code()), (1, "missing_content"));
    let flat = Limits { depth: 3, ..Limits::default() };
    let error = ChatReader::new(&*bytes, flat).next().unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"cannot be read as Parquet: Parquet error: groups are nested deeper than 3 levels");
    Ok(())
}

#[test]
fn rows_of_a_parquet_file_are_named_by_their_number() {
    let text = |text: &'static str| Some(text.as_bytes());
    let large = "x".repeat(2000);
    let rows = [
        [text("q"), None, text("r")],
        [text("q"), text("c"), Some(b"\xff")],
        [text("q"), text(" "), text("r")],
        [text("q"), Some(large.as_bytes()), text("r")],
        [text("q"), text("c"), text("r")],
    ];
    let bytes = parquet(&rows, Compression::SNAPPY);
    insta::assert_snapshot!(check(&bytes), @r#"
    Parquet None
    index 0, line 1: field `Complex_CoT` is null
    index 1, line 2: field `Response` is not UTF-8
    index 2, line 3: field `Complex_CoT` is blank
    index 3, line 4: the record is too large
    ["q", "c", "r"]
    "#);
    let names = FieldNames { question: vec!["id".to_owned()], ..FieldNames::default() };
    let reader = Reader::new(bytes.as_slice(), Limits::default()).with_names(names);
    let first = reader.map(|entry| format!("{entry:?}")).next();
    assert!(first.is_some_and(|first| first.contains("NotText") && first.contains("\"id\"")));
    let names = FieldNames { question: vec!["none".to_owned()], ..FieldNames::default() };
    let reader = Reader::new(bytes.as_slice(), Limits::default()).with_names(names);
    let first = reader.map(|entry| entry.map_err(|error| error.to_string())).next();
    assert_eq!(first, Some(Err("line 1: no column `none`".to_owned())));
    let mut values = JsonReader::new(bytes.as_slice(), Limits::default());
    let Some(Ok((_, Ok(value)))) = values.next() else { panic!("a value comes first") };
    assert_eq!(value, serde_json::json!({"Question": "q", "Response": "r"}));
}

#[test]
fn many_rows_of_a_parquet_file_come_in_their_order() {
    let texts: Vec<String> = (0..1000).map(|number| format!("Q{number}")).collect();
    let rows: Vec<[Option<&[u8]>; 3]> =
        texts.iter().map(|text| [Some(text.as_bytes()), Some(b"c"), Some(b"r")]).collect();
    let read = records(&parquet(&rows, Compression::SNAPPY));
    let expected: String =
        texts.iter().fold(String::new(), |all, text| all + &format!("[{text:?}, \"c\", \"r\"]\n"));
    assert_eq!(read, expected);
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
    insta::assert_snapshot!(inputs.map(check).concat(), @r"
    no format
    error: holds no data
    no format
    error: cannot be read as Parquet: EOF: Parquet file too small. Size is 6 but need 8
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
    ");
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

    #[test]
    fn no_damage_makes_a_parquet_reader_panic(at in 0usize..2000, byte: u8, cut in 0usize..2000) {
        let mut bytes = parquet_rows(Compression::SNAPPY);
        let length = bytes.len();
        bytes[at % length] = byte;
        check(&bytes);
        bytes.truncate(4 + cut % length);
        check(&bytes);
    }
}
