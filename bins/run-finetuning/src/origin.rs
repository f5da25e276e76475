//! What `prepare-data` recorded of the training file.

use std::path::Path;

use serde::{Deserialize, Serialize};
use template::Template;

use crate::examples::Examples;

/// The manifest's name beside the training file.
const MANIFEST: &str = "medical_dataset.manifest.json";

/// How the examples were made, which is how the model wants to be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) system_prompt: String,
    pub(crate) template: Template,
    /// What told it.
    pub(crate) from: String,
}

#[derive(Deserialize)]
struct Manifest {
    system_prompt: String,
    template: Template,
    train_file: Option<Written>,
}

#[derive(Deserialize)]
struct Written {
    sha256: String,
}

/// From the manifest where it speaks of this very file, else from the file's first example.
pub(crate) fn origin(train: &Examples) -> Origin {
    let manifest = train.file.path.with_file_name(MANIFEST);
    read(&manifest, &train.file.sha256).unwrap_or_else(|| Origin {
        system_prompt: train.system_prompt.clone(),
        template: train.template.clone(),
        from: "the first example".to_owned(),
    })
}

fn read(path: &Path, sha256: &str) -> Option<Origin> {
    let manifest: Manifest = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    if manifest.train_file?.sha256 != sha256 {
        return None;
    }
    let Manifest { system_prompt, template, .. } = manifest;
    Some(Origin { system_prompt, template, from: MANIFEST.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_speaks_only_for_its_own_file() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(MANIFEST);
        let manifest = r#"{"version":1,"template":"plain","system_prompt":"Be brief.","train_file":{"path":"t","sha256":"ab"}}"#;
        std::fs::write(&path, manifest)?;
        let origin = read(&path, "ab").map(|origin| (origin.system_prompt, origin.template));
        assert_eq!(origin, Some(("Be brief.".to_owned(), Template::Plain)));
        assert_eq!(read(&path, "cd"), None);
        let manifest = r#"{"template":{"jinja":"{{ response }}"},"system_prompt":"","train_file":{"sha256":"ab"}}"#;
        std::fs::write(&path, manifest)?;
        let jinja = Template::Jinja(template::Jinja::new("{{ response }}")?);
        assert_eq!(read(&path, "ab").map(|origin| origin.template), Some(jinja));
        assert_eq!(read(&folder.path().join("none"), "ab"), None);
        Ok(())
    }
}
