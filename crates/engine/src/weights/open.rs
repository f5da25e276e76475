//! Opening a base model's files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::Deserialize;

use super::{Origin, RowOrder, Tensor, Weights, gguf_names};
use crate::config::{ConfigError, ModelConfig, OneOrMany};
use crate::error::Error;
use crate::gguf::{Gguf, TensorPlace};
use crate::safetensors;

pub(super) fn open(path: &Path) -> Result<Weights, Error> {
    let kind = fs::metadata(path).map_err(|source| Error::file(path, source))?;
    let extension =
        path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    if kind.is_dir() {
        return open_folder(path, path, &shards(path)?);
    }
    match extension.as_deref() {
        Some("gguf") => open_gguf(path),
        Some("safetensors") => {
            let folder = path.parent().unwrap_or(Path::new(""));
            open_folder(path, folder, &[path.to_owned()])
        }
        _ => Err(Error::NoModel { path: path.to_owned() }),
    }
}

/// The file's bytes, mapped into memory.
#[expect(
    unsafe_code,
    reason = "a memory map is the one way to use 100 MB to 10 GB of weights without copying them"
)]
fn map(path: &Path) -> Result<Mmap, Error> {
    let file = File::open(path).map_err(|source| Error::file(path, source))?;
    // SAFETY: the map is read-only, and every access is within the length that it has now. What remains is that another
    // process shortens or rewrites the file meanwhile. Model files are written beside and renamed into place, by this
    // crate as by the hub's clients, so a name never changes its bytes.
    unsafe { Mmap::map(&file) }.map_err(|source| Error::file(path, source))
}

fn open_gguf(path: &Path) -> Result<Weights, Error> {
    let map = map(path)?;
    let gguf = Gguf::parse(&map).map_err(|source| Error::Gguf { path: path.to_owned(), source })?;
    let config = ModelConfig::from_gguf(&gguf)
        .map_err(|source| Error::Config { path: path.to_owned(), source })?;
    refuse_unused(
        path,
        &config,
        gguf.tensors().keys().map(|name| {
            let known = gguf_names::transformers(name);
            (name.as_str(), known.unwrap_or_else(|| name.replacen("blk.", "model.layers.", 1)))
        }),
    )?;
    let named = gguf
        .tensors()
        .iter()
        .filter_map(|(name, place)| Some((gguf_names::transformers(name)?, place)));
    let tensors = named.map(|(name, place)| {
        let paired = name.ends_with("q_proj.weight") || name.ends_with("k_proj.weight");
        let order = if paired && config.architecture.gguf_has_rotary_pairs() {
            RowOrder::RotaryPairs { head_dim: config.head_dim }
        } else {
            RowOrder::Plain
        };
        (name, tensor(0, place.clone(), order))
    });
    let tensors = tensors.collect();
    Weights {
        path: path.to_owned(),
        maps: vec![map],
        tensors,
        config,
        origin: Origin::Gguf(Box::new(gguf)),
    }
    .checked()
}

fn tensor(map: usize, place: TensorPlace, order: RowOrder) -> Tensor {
    Tensor { map, kind: place.kind, shape: place.shape, range: place.range, order }
}

/// The safetensors files of a folder: those of the index where there is one, else `model.safetensors`, else all.
fn shards(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let index = folder.join("model.safetensors.index.json");
    if index.is_file() {
        let parsed: Index = json(&index)?;
        let files: BTreeSet<String> = parsed.weight_map.into_values().collect();
        return files.into_iter().map(|name| beside(&index, folder, &name)).collect();
    }
    let single = folder.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let entries = fs::read_dir(folder).map_err(|source| Error::file(folder, source))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::NoModel { path: folder.to_owned() });
    }
    Ok(files)
}

/// A file named in an index: a bare name within the folder, never a path that leads out of it.
fn beside(index: &Path, folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let bare = Path::new(name).file_name().is_some_and(|bare| bare == name);
    if bare {
        Ok(folder.join(name))
    } else {
        let source = ConfigError::Unsupported(format!(
            "the file name `{name}` in its index, which is a path"
        ));
        Err(Error::Config { path: index.to_owned(), source })
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn open_folder(path: &Path, folder: &Path, files: &[PathBuf]) -> Result<Weights, Error> {
    let config = folder_config(folder)?;
    let mut maps = Vec::new();
    let mut tensors = BTreeMap::new();
    for file in files {
        let map = map(file)?;
        let places = safetensors::parse(&map);
        let places = places.map_err(|source| Error::Safetensors { path: file.clone(), source })?;
        refuse_unused(file, &config, places.keys().map(|name| (name.as_str(), name.clone())))?;
        tensors.extend(
            places
                .into_iter()
                .map(|(name, place)| (name, tensor(maps.len(), place, RowOrder::Plain))),
        );
        maps.push(map);
    }
    let origin = Origin::Folder(folder.to_owned());
    Weights { path: path.to_owned(), maps, tensors, config, origin }.checked()
}

fn folder_config(folder: &Path) -> Result<ModelConfig, Error> {
    let path = folder.join("config.json");
    let value: serde_json::Value = json(&path)?;
    let mut config =
        ModelConfig::from_json(&value).map_err(|source| Error::Config { path, source })?;
    let generation = folder.join("generation_config.json");
    if generation.is_file() {
        let more = json::<Generation>(&generation)?
            .eos_token_id
            .map(OneOrMany::into_vec)
            .unwrap_or_default();
        for token in more {
            if !config.eos.contains(&token) {
                config.eos.push(token);
            }
        }
    }
    Ok(config)
}

/// The part of `generation_config.json` that matters: it may name more ends than `config.json`.
#[derive(Deserialize)]
struct Generation {
    eos_token_id: Option<OneOrMany>,
}

/// Refuses tensors within the blocks that no layer here uses: a model that has some would answer wrongly in silence.
///
/// `names` are the tensors' names in the file and in the order of Transformers.
fn refuse_unused<'a>(
    path: &Path,
    config: &ModelConfig,
    names: impl Iterator<Item = (&'a str, String)>,
) -> Result<(), Error> {
    for (in_file, name) in names {
        let layer = name.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.'));
        let layer = layer.and_then(|(layer, _)| layer.parse().ok());
        let Some(layer) = layer.filter(|layer| *layer < config.layers) else { continue };
        // Old checkpoints keep the rotary frequencies, which follow from the configuration.
        let harmless = name.ends_with("rotary_emb.inv_freq");
        if !harmless && !config.layer_tensors(layer).any(|(used, _)| used == name) {
            let source = ConfigError::Unsupported(format!("the tensor `{in_file}`"));
            return Err(Error::Config { path: path.to_owned(), source });
        }
    }
    Ok(())
}

/// A JSON file of a model's folder.
pub(crate) fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = fs::read(path).map_err(|source| Error::file(path, source))?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: path.to_owned(), source })
}
