//! Progress bars, drawn only where a person watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Terminal;

/// A bar over `length` things called `unit`, with rate and time left; hidden where `err` is no terminal.
///
/// # Examples
///
/// ```
/// use cli::Terminal;
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let terminal = Terminal::plain(&mut out, &mut err);
/// let bar = cli::progress(&terminal, 20, "questions");
/// bar.inc(1);
/// assert_eq!((bar.position(), bar.length()), (1, Some(20)));
/// assert!(bar.is_hidden(), "nobody watches");
/// ```
pub fn progress(terminal: &Terminal<'_>, length: u64, unit: &str) -> ProgressBar {
    bar(
        terminal,
        length,
        &format!(
            "{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"
        ),
    )
}

/// A bar over `length` bytes, with rate and time left; hidden where `err` is no terminal.
///
/// # Examples
///
/// ```
/// use cli::Terminal;
///
/// let (mut out, mut err) = (Vec::new(), Vec::new());
/// let terminal = Terminal::plain(&mut out, &mut err);
/// let bar = cli::bytes_progress(&terminal, 98_362_432);
/// bar.set_position(49_181_216);
/// assert_eq!(bar.position() * 2, 98_362_432);
/// bar.finish_and_clear();
/// ```
pub fn bytes_progress(terminal: &Terminal<'_>, length: u64) -> ProgressBar {
    bar(terminal, length, "{msg} [{wide_bar}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
}

fn bar(terminal: &Terminal<'_>, length: u64, template: &str) -> ProgressBar {
    let target = if terminal.err_is_terminal {
        ProgressDrawTarget::stderr_with_hz(8)
    } else {
        ProgressDrawTarget::hidden()
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), target).with_style(style.progress_chars("=> "))
}
