//! The base model on this machine: found, or fetched once with its progress shown.

use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use engine::locate::{
    self, HubSettings, HubToken, LocateError, Located, Options, Progress, Source,
};

/// Finds the base model that `name` says, which is a known name or a path.
pub(crate) fn locate(
    name: &str,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Located, Failure> {
    let source = Source::parse(name).or_exit(Exit::BadData)?;
    let bar = cli::bytes_progress(terminal, 0);
    let located = locate::locate(&source, &options(environment), &mut |progress| match progress {
        Progress::Notice(text) => {
            // A notice that cannot be printed changes nothing about the model.
            let _ = bar.suspend(|| writeln!(terminal.err, "{text}"));
        }
        Progress::Bytes { done, total } => {
            bar.set_length(total);
            bar.set_position(done);
        }
        _ => {}
    });
    bar.finish_and_clear();
    located.map_err(failed)
}

fn options(environment: &Environment) -> Options {
    let offline =
        environment.get("HF_HUB_OFFLINE").is_some_and(|value| value != "0" && value != "false");
    let hub = HubSettings {
        endpoint: environment.get("HF_ENDPOINT").map(str::to_owned),
        token: environment.get("HF_TOKEN").map(|token| HubToken::from(token.to_owned())),
        offline,
        ..HubSettings::default()
    };
    Options { hub, ..Options::new(environment.cache_dir().join("models")) }
}

fn failed(error: LocateError) -> Failure {
    let unavailable = matches!(error, LocateError::Unavailable { .. });
    let failure = Failure::new(if unavailable { Exit::Service } else { Exit::Failed }, error);
    let hint = "with the model's file at hand, --base-model PATH needs no network";
    if unavailable { failure.hint(hint) } else { failure }
}
