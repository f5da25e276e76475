//! A manual page of each tool and of each of its commands.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// What all tools have in common, written by hand.
const OVERVIEW: &str = include_str!("../medtune.7");

const MANUAL: &str = "medtune";

/// The page about all tools, by its place below `share`.
pub(crate) fn overview() -> Vec<(String, Vec<u8>)> {
    vec![("man/man7/medtune.7".to_owned(), OVERVIEW.as_bytes().to_vec())]
}

/// The pages of `tool`, dated `date`: its own, then those of its commands.
pub(crate) fn pages(tool: &Command, date: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut tool = tool.clone().disable_help_subcommand(true);
    tool.build();
    let see_also: Vec<String> =
        std::iter::once(&tool).chain(tool.get_subcommands()).map(page_name).collect();
    std::iter::once(&tool)
        .chain(tool.get_subcommands())
        .map(|command| {
            let name = page_name(command);
            let others: Vec<String> =
                see_also.iter().filter(|other| **other != name).cloned().collect();
            let page = page(command.clone(), &others, date)?;
            Ok((format!("man/man1/{name}.1"), page))
        })
        .collect()
}

fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn page(command: Command, others: &[String], date: &str) -> io::Result<Vec<u8>> {
    let notes = command.get_after_long_help().or(command.get_after_help());
    let notes = notes.map(ToString::to_string).unwrap_or_default();
    let has_commands = command.has_subcommands();
    let version = command.get_version().unwrap_or(env!("CARGO_PKG_VERSION")).to_owned();
    let man = Man::new(command).manual(MANUAL).source(format!("{MANUAL} {version}")).date(date);
    let mut title = Vec::new();
    man.render_title(&mut title)?;
    // An empty date has to stand there in quotes, or what comes behind it is taken for the date.
    let mut page = String::from_utf8_lossy(&title).replacen(" 1  \"", " 1 \"\" \"", 1).into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    closing(&notes, others).to_writer(&mut page)?;
    Ok(page)
}

/// The sections behind the arguments: what stands at the end of `--help`, and other pages.
fn closing(notes: &str, others: &[String]) -> Roff {
    let (mut prose, mut examples, mut codes) = (Roff::new(), Roff::new(), Roff::new());
    let mut has_prose = false;
    for paragraph in notes.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        if let Some(text) = paragraph.strip_prefix("Exit codes: ") {
            codes.control("SH", ["EXIT STATUS"]).text([roman(text.trim())]);
        } else if let Some(lines) = paragraph.strip_prefix("Examples:\n") {
            as_it_stands(examples.control("SH", ["EXAMPLES"]), lines);
        } else {
            if has_prose {
                prose.control("PP", []);
            } else {
                prose.control("SH", ["NOTES"]);
            }
            has_prose = true;
            if paragraph.contains('\n') {
                as_it_stands(&mut prose, paragraph);
            } else {
                prose.text([roman(paragraph)]);
            }
        }
    }
    let mut roff = Roff::new();
    roff.extend([prose, examples, codes]);
    let pages: Vec<String> = others.iter().map(|name| format!("{name}(1)")).collect();
    let pages = [&pages[..], &["medtune(7)".to_owned()]].concat();
    roff.control("SH", ["SEE ALSO"]).text([roman(pages.join(", "))]);
    roff
}

/// Lines that keep their breaks.
fn as_it_stands(roff: &mut Roff, lines: &str) {
    roff.control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}
