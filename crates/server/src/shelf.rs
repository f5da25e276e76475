//! Models in memory: each base loaded once and shared with training, a few adapters kept at hand.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use engine::{Adapter, Compute, Isa, LoadOptions, Model};

use crate::store::models::TunedModel;
use crate::{BaseModel, Error};

/// An adapter of rank 16 for a model of 135 million parameters takes 20 MB.
const ADAPTERS_KEPT: usize = 8;

/// The base models on offer and the adapters in use.
pub(crate) struct Shelf {
    bases: Vec<Base>,
    adapters: Mutex<VecDeque<(String, Arc<Adapter>)>>,
}

struct Base {
    described: BaseModel,
    model: Mutex<Option<Arc<Model>>>,
}

impl Shelf {
    pub(crate) fn new(bases: Vec<BaseModel>) -> Self {
        let bases = bases
            .into_iter()
            .map(|described| Base { described, model: Mutex::new(None) })
            .collect();
        Self { bases, adapters: Mutex::new(VecDeque::new()) }
    }

    /// The base models' descriptions.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &BaseModel> {
        self.bases.iter().map(|base| &base.described)
    }

    /// The description of base model `id`.
    pub(crate) fn base(&self, id: &str) -> Option<&BaseModel> {
        self.bases().find(|base| base.id == id)
    }

    /// Whether `tuned` was trained on weights that are served here.
    pub(crate) fn serves(&self, tuned: &TunedModel) -> bool {
        self.base(&tuned.base).is_some_and(|base| base.sha256 == tuned.base_sha256)
    }

    /// The base model `id`, loaded by the first who asks while the others wait.
    pub(crate) fn model(&self, id: &str) -> Result<Arc<Model>, Error> {
        let base = self.bases.iter().find(|base| base.described.id == id);
        let base = base.ok_or_else(|| Error::UnknownModel { id: id.to_owned() })?;
        // A panic while loading left `None`, which is no harm to whoever tries again.
        let mut slot = base.model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = slot.as_ref() {
            return Ok(Arc::clone(model));
        }
        let options = LoadOptions {
            name: Some(id.to_owned()),
            compute: Compute::fastest(Isa::best()),
            ..LoadOptions::default()
        };
        let model = Model::load(&base.described.path, &options)
            .map_err(|source| Error::Model { id: id.to_owned(), source })?;
        let model = Arc::new(model);
        *slot = Some(Arc::clone(&model));
        Ok(model)
    }

    /// The adapter of `tuned` out of `folder`.
    pub(crate) fn adapter(
        &self,
        tuned: &TunedModel,
        folder: &Path,
        model: &Model,
    ) -> Result<Arc<Adapter>, Error> {
        if let Some(adapter) = self.kept(&tuned.id) {
            return Ok(adapter);
        }
        let adapter = Adapter::load(&folder.join(&tuned.folder), model)
            .map_err(|source| Error::Model { id: tuned.id.clone(), source })?;
        let adapter = Arc::new(adapter);
        let mut kept = self.adapters.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(ADAPTERS_KEPT - 1);
        kept.push_front((tuned.id.clone(), Arc::clone(&adapter)));
        Ok(adapter)
    }

    /// Drops the adapter of a model that was deleted.
    pub(crate) fn forget(&self, id: &str) {
        let mut kept = self.adapters.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(name, _)| name != id);
    }

    fn kept(&self, id: &str) -> Option<Arc<Adapter>> {
        let mut kept = self.adapters.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(name, _)| name == id)?;
        let entry = kept.remove(place)?;
        let adapter = Arc::clone(&entry.1);
        kept.push_front(entry);
        Some(adapter)
    }
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.bases()).finish()
    }
}
