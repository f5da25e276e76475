//! Writes generated records as a JSON array, laid out as the real file is.
//!
//! `generate-records COUNT FILE [SEED]`; 25,000 records are about 75 MB. The same count and seed give the same bytes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use medtune_benches::records::{FIELDS, Records};
use serde_json::Value;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (count, path, seed) = match &arguments[..] {
        [count, path] => (count, path, "42"),
        [count, path, seed] => (count, path, &**seed),
        _ => bail!("expected COUNT FILE [SEED]"),
    };
    let samples = samples()?;
    let records = Records::new(&samples, seed.parse().context("SEED")?);
    let mut output = BufWriter::new(File::create(path).with_context(|| path.clone())?);
    output.write_all(b"[")?;
    for (index, record) in records.take(count.parse().context("COUNT")?).enumerate() {
        output.write_all(if index == 0 { b"\n  {" } else { b",\n  {" })?;
        for (number, (name, text)) in FIELDS.iter().zip(&record).enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(output, "{comma}\n    \"{name}\": ")?;
            serde_json::to_writer(&mut output, text)?;
        }
        output.write_all(b"\n  }")?;
    }
    output.write_all(b"\n]\n")?;
    output.into_inner()?.sync_all()?;
    Ok(())
}

/// The bundled records, in whose manner others are generated.
fn samples() -> Result<Vec<[String; 3]>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/medical_sample.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let records: Vec<Value> = serde_json::from_str(&text)?;
    let field = |record: &Value, name| record[name].as_str().unwrap_or_default().to_owned();
    Ok(records.iter().map(|record| FIELDS.map(|name| field(record, name))).collect())
}
