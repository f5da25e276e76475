//! What is written beside the tools: that it is there, and says all that the tools' own definitions say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Command;
use medtune_release::{tools, write};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The tool's command and those below it, each with the name of its page.
fn commands(tool: &Command) -> Vec<(String, Command)> {
    let mut tool = tool.clone().disable_help_subcommand(true);
    tool.build();
    let below = tool
        .get_subcommands()
        .map(|command| (format!("{}-{}", tool.get_name(), command.get_name()), command.clone()));
    std::iter::once((tool.get_name().to_owned(), tool.clone())).chain(below).collect()
}

fn long_options(command: &Command) -> impl Iterator<Item = String> {
    command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned)
}

#[test]
fn a_page_of_no_date_says_so_in_the_place_of_the_date() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    write(folder.path(), "")?;
    let page = fs::read_to_string(folder.path().join("share/man/man1/ask.1"))?;
    assert!(page.contains(".TH ask 1 \"\" \"medtune "), "{page:.200}");
    Ok(())
}

#[test]
fn every_program_of_the_workspace_has_pages_and_completions() -> anyhow::Result<()> {
    let mut programs = BTreeSet::new();
    for entry in fs::read_dir(Path::new(ROOT).join("bins"))? {
        let manifest = fs::read_to_string(entry?.path().join("Cargo.toml"))?;
        let (_, bin) = manifest.split_once("[[bin]]").expect("a package in bins has a program");
        let name = bin.lines().find_map(|line| line.strip_prefix("name = "));
        programs.insert(name.expect("a program has a name").trim_matches('"').to_owned());
    }
    let folder = tempfile::tempdir()?;
    let files = write(folder.path(), "2026-01-02")?;
    let defined: BTreeSet<String> = tools().iter().map(|tool| tool.get_name().to_owned()).collect();
    assert_eq!(defined, programs);
    for name in programs {
        for place in [
            format!("share/man/man1/{name}.1"),
            format!("share/bash-completion/completions/{name}"),
            format!("share/zsh/site-functions/_{name}"),
            format!("share/fish/vendor_completions.d/{name}.fish"),
            format!("share/powershell/{name}.ps1"),
        ] {
            assert!(files.contains(&folder.path().join(&place)), "{place}");
        }
    }
    Ok(())
}

#[test]
fn pages_and_completions_have_every_option_of_every_command() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    write(folder.path(), "2026-01-02")?;
    let share = folder.path().join("share");
    let read =
        |place: String| fs::read_to_string(share.join(&place)).map_err(|error| (place, error));
    for tool in tools() {
        let name = tool.get_name();
        let scripts = [
            read(format!("bash-completion/completions/{name}")),
            read(format!("zsh/site-functions/_{name}")),
            read(format!("fish/vendor_completions.d/{name}.fish")),
            read(format!("powershell/{name}.ps1")),
        ];
        for (page_name, command) in commands(&tool) {
            let page = read(format!("man/man1/{page_name}.1")).map_err(|(_, error)| error)?;
            assert!(page.contains(&format!(".TH {page_name} 1 2026-01-02")), "{page_name}");
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "\"SEE ALSO\""] {
                assert!(page.contains(&format!(".SH {section}")), "{page_name}: {section}");
            }
            for option in long_options(&command) {
                let escaped = option.replace('-', "\\-");
                assert!(page.contains(&format!("\\-\\-{escaped}")), "{page_name}: --{option}");
                for script in &scripts {
                    let script =
                        script.as_ref().map_err(|(place, _)| anyhow::anyhow!("{place}"))?;
                    assert!(script.contains(&option), "{page_name}: --{option}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_overview_names_every_tool_and_every_variable() -> anyhow::Result<()> {
    let overview = fs::read_to_string(Path::new(ROOT).join("release/medtune.7"))?;
    for tool in tools() {
        assert!(overview.contains(&format!(".BR {} (1)", tool.get_name())), "{}", tool.get_name());
    }
    let example = fs::read_to_string(Path::new(ROOT).join(".env.example"))?;
    let names = example.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let mut count = 0;
    for (name, _) in
        names.filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
    {
        assert!(overview.contains(name), "{name}");
        count += 1;
    }
    assert!(count >= 10, "{count} variables in .env.example");
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_made_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("share"), "a file")?;
    let error = write(folder.path(), "").unwrap_err();
    assert!(format!("{error:#}").contains("share"), "{error:#}");
    Ok(())
}
