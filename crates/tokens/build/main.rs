//! Writes the tables of the counting path from their definitions: the vocabularies of `tiktoken-rs` and the character
//! classes of the regex engine that it splits with.

#[path = "../src/layout.rs"]
mod layout;
mod classes;
mod merges;

use std::path::{Path, PathBuf};
use std::{fs, io};

#[expect(clippy::print_stdout, reason = "a build script speaks to cargo in this way")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/layout.rs");
    let out = out_dir();
    let (index, blocks) = classes::table();
    fs::write(out.join("classes.index"), index)?;
    fs::write(out.join("classes.blocks"), blocks)?;
    write_vocabulary(
        &out,
        "cl100k",
        &tiktoken_rs::cl100k_base().expect("the vocabulary is part of the crate"),
    )?;
    write_vocabulary(
        &out,
        "o200k",
        &tiktoken_rs::o200k_base().expect("the vocabulary is part of the crate"),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folder in this way only"
)]
fn out_dir() -> PathBuf {
    PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it for build scripts"))
}

fn write_vocabulary(out: &Path, name: &str, vocabulary: &tiktoken_rs::CoreBPE) -> io::Result<()> {
    // Ordinary tokens are numbered without a gap, and special ones stand apart from them.
    let tokens: Vec<Vec<u8>> = (0..).map_while(|id| vocabulary.decode_bytes(&[id]).ok()).collect();
    let vocabulary = merges::Vocabulary::new(tokens);
    fs::write(out.join(format!("{name}.bytes")), vocabulary.bytes())?;
    fs::write(out.join(format!("{name}.starts")), vocabulary.starts())?;
    fs::write(out.join(format!("{name}.characters")), vocabulary.characters())?;
    fs::write(out.join(format!("{name}.splits")), vocabulary.splits())?;
    fs::write(out.join(format!("{name}.lengths")), vocabulary.lengths())?;
    fs::write(out.join(format!("{name}.borders")), vocabulary.borders())?;
    fs::write(out.join(format!("{name}.merges")), vocabulary.merges())
}
