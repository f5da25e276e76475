//! `GET /v1/files/{id}/report`: what a training file holds. It is not part of the dialect; the page shows it.

use std::io::BufReader;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};

use super::files;
use crate::extract::Queries;
use crate::fault::Fault;
use crate::report::Report;
use crate::rows::{self, Kind, Rows, RowsError};
use crate::state::State;
use crate::store::files::StoredFile;
use crate::{answer, blob};

/// Reports on a file; `model` names whose tokens are counted, without it none are.
pub(super) async fn report(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    mut queries: Queries,
) -> Result<Json<Arc<Report>>, Fault> {
    let model = queries.take("model");
    queries.finish()?;
    let file = files::stored(&state, id).await?;
    let base = match &model {
        Some(name) => Some(answer::source(&state, name).await?.base),
        None => None,
    };
    let made = tokio::task::spawn_blocking(move || {
        state.reports.of(&file.sha256, base.as_deref(), || make(&state, &file, base.as_deref()))
    });
    made.await.map_err(|error| Fault::internal(&error))?.map(Json)
}

fn make(state: &State, file: &StoredFile, base: Option<&str>) -> Result<Report, Fault> {
    let rows = read(state, file)?;
    let model = base.map(|base| state.shelf.model(base)).transpose();
    let model = model.map_err(|error| Fault::internal(&error))?;
    let report = Report::new(&rows, base.zip(model.as_deref()));
    report.map_err(|(example, error)| no_training_file(&format!("Example {example}: {error}")))
}

fn read(state: &State, file: &StoredFile) -> Result<Rows, Fault> {
    let most = state.limits.training_bytes;
    if file.object.bytes > most {
        return Err(no_training_file(&format!(
            "It has more than the {most} bytes that are trained on"
        )));
    }
    let rows = |kind| {
        let content = blob::open(&state.folder, &file.sha256).map_err(|_| RowsError::Read)?;
        rows::read(BufReader::new(content), kind)
    };
    // What no row of conversations is may be one of preferences; if not, the first fault says more.
    rows(Kind::Conversations).or_else(|fault| rows(Kind::Preferences).map_err(|_| fault)).map_err(
        |error| match error {
            RowsError::Bad { line, fault, .. } => {
                no_training_file(&format!("Line {line}: {fault}"))
            }
            RowsError::Large { .. } | RowsError::Read => {
                Fault::internal(&std::io::Error::other("a training file could not be read"))
            }
        },
    )
}

fn no_training_file(fault: &str) -> Fault {
    Fault::invalid(format!("This file cannot be reported on. {fault}")).code("invalid_file")
}
