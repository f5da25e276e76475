//! What a job starts from: a base model, or a tuned model over one.

use rusqlite::Connection;

use crate::shelf::Shelf;
use crate::store::Result;
use crate::store::models::{self, TunedModel};

/// The weights that a job starts from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The base model's name.
    pub(crate) base: String,
    /// The tuned model whose adapter is trained further.
    pub(crate) tuned: Option<TunedModel>,
}

/// What a model's name stands for.
#[derive(Debug)]
pub(crate) enum Found {
    Origin(Origin),
    /// It was tuned over weights that this server was not started with.
    Elsewhere,
    /// A tuned model of this name does not exist (any more).
    Gone,
    /// No base model of this name is served here.
    Unknown,
}

/// Looks up the model `name`.
pub(crate) fn find(connection: &Connection, shelf: &Shelf, name: &str) -> Result<Found> {
    if shelf.base(name).is_some() {
        return Ok(Found::Origin(Origin { base: name.to_owned(), tuned: None }));
    }
    Ok(match models::find(connection, name)? {
        Some(tuned) if shelf.serves(&tuned) => {
            Found::Origin(Origin { base: tuned.base.clone(), tuned: Some(tuned) })
        }
        Some(_) => Found::Elsewhere,
        None if name.starts_with("ft:") => Found::Gone,
        None => Found::Unknown,
    })
}
