//! The base model: found, or fetched with its progress shown.

use cli::{Exit, Failure, Terminal};
use engine::locate::{self, LocateError, Progress, Source};
use indicatif::ProgressBar;
use server::BaseModel;

use crate::config::Config;

/// Finds the base model that `config` names.
pub(crate) fn find(config: &Config, terminal: &mut Terminal<'_>) -> Result<BaseModel, Failure> {
    let source = Source::parse(&config.base_model).map_err(failure)?;
    let mut bar: Option<ProgressBar> = None;
    let located = locate::locate(&source, &config.locate, &mut |progress| match progress {
        Progress::Bytes { done, total } => {
            let bar = bar.get_or_insert_with(|| cli::bytes_progress(terminal, total));
            bar.set_length(total);
            bar.set_position(done);
        }
        Progress::Notice(text) => {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            // A closed standard error is no reason to stop serving.
            let _ = writeln!(terminal.err, "{text}");
        }
        _ => {}
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let located = located.map_err(failure)?;
    Ok(BaseModel::named(&config.base_model, located.path, located.sha256))
}

fn failure(error: LocateError) -> Failure {
    let exit = match &error {
        LocateError::Unknown { .. } => Exit::Usage,
        LocateError::File { .. } => Exit::Failed,
        _ => Exit::Service,
    };
    let failure = Failure::new(exit, error);
    if exit == Exit::Service {
        return failure.hint("with a model on this machine: --base-model PATH");
    }
    failure
}
