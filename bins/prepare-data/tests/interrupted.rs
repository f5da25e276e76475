//! A run that is killed or finds no space while it writes leaves the files of the run before as they were.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the tool on `count` records in `folder`, under a shell that did `before`.
fn run(folder: &Path, count: usize, before: &str) -> anyhow::Result<Output> {
    let record = |number: usize| {
        let reasoning = "So it goes on. ".repeat(200);
        format!(
            "{{\"Question\": \"Fever {number}?\", \"Complex_CoT\": \"{reasoning}\", \"Response\": \"Rest {number}.\"}}\n"
        )
    };
    fs::write(folder.join("in.jsonl"), (0..count).map(record).collect::<String>())?;
    let tool = "exec \"$0\" --input in.jsonl --rejects rejects.jsonl";
    let output = Command::new("sh")
        .args(["-c", &format!("{before} {tool}"), env!("CARGO_BIN_EXE_prepare-data")])
        .current_dir(folder)
        .output()?;
    Ok(output)
}

/// Every file of the folder but the input.
fn files(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "in.jsonl" {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

#[test]
fn without_space_the_old_files_stay_and_the_exit_code_says_so() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    assert_eq!(run(folder.path(), 20, "")?.status.code(), Some(0));
    let before = files(folder.path())?;
    assert_eq!(before.len(), 4);
    // No file may grow beyond 64 blocks of 512 bytes (or 1,024 in some shells); writing more is an error.
    let failed = run(folder.path(), 200, "trap '' XFSZ; ulimit -f 64;")?;
    let said = String::from_utf8(failed.stderr)?;
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("error: ") && said.contains("File too large"), "{said}");
    assert!(files(folder.path())? == before);
    assert_eq!(run(folder.path(), 200, "")?.status.code(), Some(0));
    assert_eq!(files(folder.path())?.len(), 4);
    Ok(())
}

#[test]
fn a_killed_run_leaves_the_old_files_and_the_next_one_cleans_up() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    assert_eq!(run(folder.path(), 20, "")?.status.code(), Some(0));
    let before = files(folder.path())?;
    // The system kills the process at the first byte beyond the limit.
    let killed = run(folder.path(), 200, "ulimit -f 64;")?;
    assert_eq!(killed.status.code(), None);
    let after = files(folder.path())?;
    assert!(before.iter().all(|(name, content)| after.get(name) == Some(content)));
    assert_eq!(run(folder.path(), 20, "")?.status.code(), Some(0));
    assert!(files(folder.path())? == before);
    Ok(())
}
