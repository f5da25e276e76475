//! Logs, for whoever asks for them.

use tracing_subscriber::EnvFilter;

use crate::Environment;

/// Never shown, at any level: this target of the HTTP client prints whole answers when one cannot be read.
const BODIES_OFF: &str = "async_openai=off";

/// Sends logs to standard error: warnings, more with `verbose` (`-v`, `-vv`), or as `MEDTUNE_LOG` says.
///
/// A second call in the same process changes nothing.
///
/// # Examples
///
/// ```
/// use cli::Environment;
/// use tracing_subscriber::filter::LevelFilter;
///
/// cli::trace(&Environment::from_pairs([("MEDTUNE_LOG", "info")]), 2);
/// assert_eq!(LevelFilter::current(), LevelFilter::INFO); // the variable counts more than `-v`s
/// ```
pub fn trace(environment: &Environment, verbose: u8) {
    let level = match verbose {
        // What the hub's client repeats of an error is in the tool's own message.
        0 => "warn,hf_hub=off",
        1 => "info",
        _ => "debug,hyper=info,hyper_util=info,reqwest=info,h2=info,rustls=info",
    };
    let wanted = environment.get("MEDTUNE_LOG").unwrap_or(level);
    let filter = EnvFilter::try_new(format!("{wanted},{BODIES_OFF}"))
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,{BODIES_OFF}")));
    // An embedding program may have set its own subscriber; it keeps it.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
