//! The base model on this machine: found, or fetched once with its progress shown.

use cli::{Exit, Failure, Terminal};
use engine::locate::{self, LocateError, Options, Progress, Source};
use indicatif::ProgressBar;
use server::BaseModel;

/// Finds the base model that the user calls `name`.
pub(crate) fn find(
    name: &str,
    source: &Source,
    options: &Options,
    terminal: &mut Terminal<'_>,
) -> Result<BaseModel, Failure> {
    let mut bar: Option<ProgressBar> = None;
    let located = locate::locate(source, options, &mut |progress| match progress {
        Progress::Bytes { done, total } => {
            let bar = bar.get_or_insert_with(|| cli::bytes_progress(terminal, total));
            bar.set_length(total);
            bar.set_position(done);
        }
        Progress::Notice(text) => {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            // A notice that cannot be printed changes nothing about the model.
            let _ = writeln!(terminal.err, "{text}");
        }
        _ => {}
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let located = located.map_err(failure)?;
    Ok(BaseModel::named(name, located.path, located.sha256))
}

fn failure(error: LocateError) -> Failure {
    let exit = match &error {
        LocateError::Unknown { .. } => Exit::Usage,
        LocateError::File { .. } => Exit::Failed,
        _ => Exit::Service,
    };
    let failure = Failure::new(exit, error);
    if exit == Exit::Service {
        return failure.hint("with the model's file at hand, --base-model PATH needs no network");
    }
    failure
}
