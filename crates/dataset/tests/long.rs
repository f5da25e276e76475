//! Inputs that are one line of 2 GB: a clear answer, in bounded memory.

use std::fmt::Write;
use std::io::Read;

use dataset::{Entry, Error, Limits, Reader};

const LENGTH: u64 = 2 << 30;

/// What is read of `start`, then 2 GB of `x`, then `end`.
fn check(start: &'static str, end: &'static str) -> Result<String, std::fmt::Error> {
    let middle = std::io::repeat(b'x').take(LENGTH);
    let input = start.as_bytes().chain(middle).chain(end.as_bytes());
    let mut text = String::new();
    for entry in Reader::new(input, Limits::default()) {
        match entry {
            Ok(Entry::Record(record)) => writeln!(text, "{}: good", record.place)?,
            Ok(Entry::Rejection(rejection)) => writeln!(text, "{rejection}")?,
            Err(error @ Error::Read { .. }) => writeln!(text, "unexpected: {error}")?,
            Err(error) => writeln!(text, "{error}")?,
        }
    }
    Ok(text)
}

/// The most memory that this process has had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[test]
#[ignore = "reads 2 GB several times: half a minute"]
fn long_lines_of_two_gigabytes_are_named_in_bounded_memory() -> anyhow::Result<()> {
    let good = r#""Complex_CoT": "c", "Response": "r"}"#;
    let after = format!("\"}},\n{{\"Question\": \"q\", {good}]");
    let after: &'static str = after.leak();
    insta::assert_snapshot!(check("[{\"Question\": \"", after)?, @"
    index 0, line 1: the record is too large
    index 1, line 2: good
    ");
    insta::assert_snapshot!(check("[{\"Question\": \"", "")?, @"index 0, line 1: the input ends before the record does, so the file is cut short or a quote is missing");
    let after = format!("\"}}\n{{\"Question\": \"q\", {good}\n");
    insta::assert_snapshot!(check("{\"Question\": \"", after.leak())?, @"
    index 0, line 1: the record is too large
    index 1, line 2: good
    ");
    insta::assert_snapshot!(check("Question,Complex_CoT,Response\n\"", "\",c,r\nq,c,r\n")?, @"
    index 0, line 2: the record is too large
    index 1, line 3: good
    ");
    insta::assert_snapshot!(check("", "")?, @"line 1: neither a JSON array, nor JSON lines, nor a table whose first line names the fields");
    if let Some(peak) = peak_bytes() {
        assert!(peak < 256 << 20, "{} MB", peak >> 20);
    }
    Ok(())
}
