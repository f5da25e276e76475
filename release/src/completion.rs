//! Completions of each tool's arguments, for the shells that people use.

use clap::Command;
use clap_complete::{Shell, generate};

/// Where each shell looks, below `share`; the tool's name stands between the two halves.
const PLACES: [(Shell, &str, &str); 4] = [
    (Shell::Bash, "bash-completion/completions/", ""),
    (Shell::Zsh, "zsh/site-functions/_", ""),
    (Shell::Fish, "fish/vendor_completions.d/", ".fish"),
    (Shell::PowerShell, "powershell/", ".ps1"),
];

/// The scripts of one tool by their place below `share`.
pub(crate) fn scripts(tool: &Command) -> Vec<(String, Vec<u8>)> {
    PLACES
        .iter()
        .map(|(shell, before, after)| {
            let name = tool.get_name();
            let mut script = Vec::new();
            generate(*shell, &mut tool.clone(), name, &mut script);
            (format!("{before}{name}{after}"), script)
        })
        .collect()
}
