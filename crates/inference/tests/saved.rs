//! The saved model's file: round trip, version, and what bad files are called.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::error::Error;
use std::path::Path;

use inference::{SavedModel, SavedModelError};
use serde_json::Value;
use template::{Jinja, Template};
use transport::Provider;

const V1: &str = include_str!("data/fine_tuned_model_v1.json");
const V2: &str = include_str!("data/fine_tuned_model_v2.json");

/// Loads `text` as `fine_tuned_model.json` and says what came of it, with the folder taken out.
fn check(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SavedModel::FILE);
    std::fs::write(&path, text).unwrap();
    let shown = match SavedModel::load(&path) {
        Ok(saved) => {
            format!("{} {} as trained: {}", saved.provider, saved.model, saved.is_as_trained())
        }
        Err(error) => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    shown.replace(&format!("{}/", folder.path().display()), "")
}

/// The file of version 1 after `change`.
fn changed(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> String {
    let mut value: Value = serde_json::from_str(V1).unwrap();
    change(value.as_object_mut().unwrap());
    check(&value.to_string())
}

#[test]
fn a_file_of_version_1_is_read() -> anyhow::Result<()> {
    insta::assert_snapshot!(check(V1), @"local ft:smollm2-135m-instruct:local:med-cot-v1:a1b2c3d4 as trained: true");
    let saved = SavedModel::load(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fine_tuned_model_v1.json"),
    )?;
    assert_eq!(saved.template, Template::Headed);
    assert_eq!(saved.system_prompt, template::SYSTEM_PROMPT);
    assert_eq!(saved.files.len(), 1);
    Ok(())
}

#[test]
fn a_file_of_version_2_holds_a_users_template() -> anyhow::Result<()> {
    insta::assert_snapshot!(check(V2), @"local ft:smollm2-135m-instruct:local:med-cot-v1:a1b2c3d4 as trained: true");
    let saved = SavedModel::load(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fine_tuned_model_v2.json"),
    )?;
    let source = "{{ reasoning }}\n</think>\n{{ response }}";
    assert_eq!(saved.template, Template::Jinja(Jinja::new(source)?));
    let answer = saved.template.split("Because.\n</think>\nSo.");
    assert_eq!((answer.reasoning.as_deref(), answer.response.as_str()), (Some("Because."), "So."));
    Ok(())
}

#[test]
fn a_bad_file_is_named_with_its_field() {
    insta::assert_snapshot!(check(""), @"fine_tuned_model.json: not a JSON object: EOF while parsing a value at line 1 column 0");
    insta::assert_snapshot!(check("ft:gpt-4.1:org::id"), @"fine_tuned_model.json: not a JSON object: expected ident at line 1 column 2");
    insta::assert_snapshot!(check("[]"), @"fine_tuned_model.json: not a JSON object");
    insta::assert_snapshot!(changed(|fields| { fields.remove("system_prompt"); }), @"fine_tuned_model.json: no field `system_prompt`");
    insta::assert_snapshot!(changed(|fields| { fields.remove("version"); }), @"fine_tuned_model.json: no field `version`");
    insta::assert_snapshot!(changed(|fields| { fields["version"] = 3.into(); }), @"fine_tuned_model.json: field `version` is 3, and this program reads up to 2");
    insta::assert_snapshot!(changed(|fields| { fields["template"] = "alpaca".into(); }), @"fine_tuned_model.json: field `template`: unknown template `alpaca` (there are `headed`, `plain` and `think`, and files: `@FILE` or `FILE.jinja`)");
    insta::assert_snapshot!(changed(|fields| { fields["files"] = 3.into(); }), @"fine_tuned_model.json: field `files`: invalid type: integer `3`, expected a map");
    insta::assert_snapshot!(changed(|fields| { fields["fingerprint"] = "x".into(); }), @"fine_tuned_model.json: field `fingerprint`: not a fingerprint (64 lower-case hexadecimal digits)");
    insta::assert_snapshot!(changed(|fields| { fields.insert("sytem_prompt".into(), "x".into()); }), @"fine_tuned_model.json: unknown field `sytem_prompt`");
}

#[test]
fn a_changed_system_prompt_is_noticed() {
    insta::assert_snapshot!(changed(|fields| { fields["system_prompt"] = "Be brief.".into(); }), @"local ft:smollm2-135m-instruct:local:med-cot-v1:a1b2c3d4 as trained: false");
}

#[test]
fn what_is_saved_reads_back_with_paths_from_the_files_folder() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(SavedModel::FILE);
    let mut saved =
        SavedModel::of_id("ft:tiny:local:s:1").trained_with(Template::Plain, "Be brief.");
    saved.data_dir = Some("state".into());
    saved.base_model_path = Some("/models/tiny".into());
    saved.job_id = Some("ftjob-1".parse()?);
    saved.save(&path)?;
    let read = SavedModel::load(&path)?;
    assert_eq!(read.data_dir, Some(folder.path().join("state")));
    assert_eq!(read.base_model_path.as_deref(), Some(Path::new("/models/tiny")));
    assert!(read.is_as_trained());
    saved.data_dir = read.data_dir.clone();
    assert_eq!(read, saved);
    Ok(())
}

#[test]
fn the_bare_id_beside_a_missing_file_is_enough() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(SavedModel::FILE);
    assert!(
        matches!(SavedModel::load(&path), Err(SavedModelError::Missing { path: missing }) if missing == path)
    );
    std::fs::write(
        folder.path().join(SavedModel::ID_FILE),
        "ft:gpt-4.1-mini-2025-04-14:org::abc\n",
    )?;
    let saved = SavedModel::load(&path)?;
    assert_eq!(
        (saved.provider, saved.base_model.as_str()),
        (Provider::OpenAi, "gpt-4.1-mini-2025-04-14")
    );
    assert_eq!(saved.model, "ft:gpt-4.1-mini-2025-04-14:org::abc");
    assert_eq!(SavedModel::load(&folder.path().join(SavedModel::ID_FILE))?, saved);
    SavedModel::of_id("ft:smollm2-135m-instruct:local:med-cot-v1:1")
        .save_id(&folder.path().join(SavedModel::ID_FILE))?;
    let local = SavedModel::load(&path)?;
    assert_eq!(
        (local.provider, local.base_model.as_str()),
        (Provider::Local, "smollm2-135m-instruct")
    );
    assert_eq!(local.data_dir, Some(folder.path().join(".medtune/server")));
    Ok(())
}

#[test]
fn a_file_with_no_id_is_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(SavedModel::ID_FILE);
    for text in ["", " \n", "two words"] {
        std::fs::write(&path, text)?;
        assert!(matches!(SavedModel::load(&path), Err(SavedModelError::Id { .. })), "{text:?}");
    }
    Ok(())
}

#[test]
fn saving_replaces_a_file_and_leaves_nothing_else() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(SavedModel::FILE);
    SavedModel::of_id("ft:a:org::1").save(&path)?;
    SavedModel::of_id("ft:b:org::2").save(&path)?;
    assert_eq!(SavedModel::load(&path)?.model, "ft:b:org::2");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
    let error = SavedModel::of_id("x").save(&folder.path().join("missing/file.json")).unwrap_err();
    assert!(matches!(error, SavedModelError::Write { .. }), "{error}");
    Ok(())
}
